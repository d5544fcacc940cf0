// Network weather between real processes, each on a host of its own: one network namespace a replica. Where the kernel forbids those,
// the tests are left out and say why.

import { afterEach, describe, expect, it } from 'vitest'
import { Harness, type HarnessOptions } from './harness.ts'
import { Network, networkRefusal } from './network.ts'

const refusal = await networkRefusal()
if (refusal !== undefined) console.warn(`network weather on real processes is left out: ${refusal}`)

let network: Network | undefined
let harness: Harness | undefined

afterEach(async () => {
  await harness?.dispose()
  await network?.remove()
  harness = undefined
  network = undefined
})

async function hosts(options: HarnessOptions): Promise<{ readonly harness: Harness; readonly network: Network }> {
  network = await Network.make(options.replicas)
  await network.weather({ delayMs: 2, jitterMs: 1, lossPercent: 0.5 })
  harness = await Harness.start({ ...options, network })
  return { harness, network }
}

const range = (count: number) => Array.from({ length: count }, (_, i) => i)

describe.skipIf(refusal !== undefined)('replicas on hosts of their own', () => {
  it('keep their leader while its links flap, one after another', async () => {
    // Longer than what a busy machine takes: only a leader that is really disturbed is left.
    const { harness, network } = await hosts({ replicas: 4, parameters: { viewTimeoutMs: 2_000 } })
    const load = await harness.load()
    await harness.answered(load, 100)
    for (const other of [1, 2, 3, 1, 2, 3]) {
      await network.cut(0, other)
      await network.cut(other, 0)
      await harness.answered(load, 100)
      await network.mend(0, other)
      await network.mend(other, 0)
      await harness.answered(load, 50)
    }
    await harness.verdict()
    expect(harness.cluster.reports().map(({ view }) => view)).toEqual([0, 0, 0, 0])
  })

  it('replace a leader that hears nobody, though all hear it, and take it back', async () => {
    const { harness, network } = await hosts({ replicas: 4 })
    const { cluster } = harness
    const load = await harness.load()
    await harness.answered(load, 100)
    for (const other of [1, 2, 3]) await network.cut(other, 0)
    await cluster.until('the others follow another', (reports) => {
      return reports.filter(({ replica, active, leader }) => replica !== 0 && active && leader !== 0).length === 3
    })
    await harness.answered(load, 200)
    for (const other of [1, 2, 3]) await network.mend(other, 0)
    await harness.verdict()
    expect(cluster.leader()).not.toBe(0)
  })

  it.each([
    ['n = 4', { replicas: 4 }],
    ['n = 5, crash mode', { replicas: 5, byzantine: 0 }],
  ])('get on through a hub that alone reaches everybody, and after it (%s)', async (_, group) => {
    const { harness, network } = await hosts(group)
    const load = await harness.load()
    await harness.answered(load, 100)
    const rim = range(group.replicas).filter((index) => index !== 2)
    const links = rim.flatMap((a) => rim.flatMap((b) => (a === b ? [] : [[a, b] as const])))
    for (const [a, b] of links) await network.cut(a, b)
    await harness.answered(load, 300)
    for (const [a, b] of links) await network.mend(a, b)
    await harness.answered(load, 100)
    await harness.verdict()
  })

  it.each([
    ['sticky', false],
    ['lowest-alive', true],
  ] as const)('with rotation %s: a leader that stood still takes over again: %s', async (policy, again) => {
    const { harness } = await hosts({ replicas: 3, byzantine: 0, parameters: { rotation: { policy } } })
    const { cluster } = harness
    const load = await harness.load()
    await harness.answered(load, 100)
    cluster.pause(0)
    await cluster.until(
      'another leads',
      (reports) => reports.filter(({ active, leader }) => active && leader !== 0).length === 2,
    )
    await harness.answered(load, 200)
    cluster.resume(0)
    await cluster.until(again ? 'it leads again' : 'it follows', (reports) => {
      return reports.length === 3 && reports.every(({ active, leader }) => active && (leader === 0) === again)
    })
    await harness.answered(load, 100)
    await harness.verdict()
    expect(cluster.leader() === 0).toBe(again)
  })
})
