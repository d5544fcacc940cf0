// Real processes, one of them in trouble at a time, or all of them, under load all the while: four, seven, and three in crash mode. After
// each trouble: every request has an outcome, the history is linearizable, the honest agree on the state, everything that they keep
// audits, and nobody honest is blamed.

import { afterEach, describe, expect, it } from 'vitest'
import { Harness } from './harness.ts'

let harness: Harness | undefined

afterEach(async () => {
  await harness?.dispose()
  harness = undefined
})

describe.each([
  ['four replicas', { replicas: 4 }],
  ['seven replicas', { replicas: 7 }],
  ['three replicas in crash mode', { replicas: 3, byzantine: 0 }],
] as const)('%s under load', (_, group) => {
  const { replicas } = group

  async function started(options: Partial<Parameters<typeof Harness.start>[0]> = {}): Promise<Harness> {
    harness = await Harness.start({ ...group, ...options })
    return harness
  }

  it('go on when their leader is killed, and take it back', async () => {
    const made = await started()
    const { cluster } = made
    const load = await made.load()
    await made.answered(load, 200)
    const killed = cluster.leader() ?? 0
    await cluster.kill(killed)
    await made.answered(load, 200)
    expect(cluster.leader()).not.toBe(killed)
    await cluster.start(killed)
    await made.answered(load, 200)
    await made.verdict()
    expect(made.honest()).toHaveLength(replicas)
  })

  it('go on when a follower is killed, and bring it up to date', async () => {
    const made = await started()
    const { cluster } = made
    const load = await made.load()
    await made.answered(load, 100)
    const follower = ((cluster.leader() ?? 0) + 1) % replicas
    await cluster.kill(follower)
    await made.answered(load, 600)
    await cluster.start(follower)
    await made.verdict()
    expect(made.honest()).toHaveLength(replicas)
  })

  it('go on while one is stopped for ten seconds, which then catches up', async () => {
    const made = await started()
    const { cluster } = made
    const load = await made.load()
    await made.answered(load, 100)
    const paused = cluster.leader() ?? 0
    cluster.pause(paused)
    // The length of the stop is the fault, not a wait for something.
    await new Promise((resolve) => setTimeout(resolve, 10_000))
    await made.answered(load, 100)
    cluster.resume(paused)
    await made.verdict()
    expect(made.honest()).toHaveLength(replicas)
  })

  it('go on while one after another is restarted', async () => {
    const made = await started()
    const { cluster } = made
    const load = await made.load()
    for (const index of cluster.indexes) {
      await made.answered(load, 50)
      await cluster.stop(index)
      await cluster.start(index)
      await made.connected()
    }
    await made.verdict()
    expect(made.honest()).toHaveLength(replicas)
  })

  it('have lost nothing when all of them lose power at once', async () => {
    const made = await started()
    const { cluster } = made
    const load = await made.load()
    await made.answered(load, 300)
    await Promise.all(cluster.indexes.map((index) => cluster.kill(index)))
    await cluster.startAll()
    await made.answered(load, 100)
    await made.verdict()
    expect(made.honest()).toHaveLength(replicas)
  })

  it('go on when the wire between leader and a follower is cut, without leaving the leader', async () => {
    // Longer than a busy machine takes for anything: only a leader that is really cut off would be left.
    const made = await started({ links: [[0, 1]], parameters: { viewTimeoutMs: 6_000, viewTimeoutCapMs: 6_000 } })
    const { cluster } = made
    const load = await made.load()
    await made.answered(load, 100)
    made.link(0, 1).cut()
    await cluster.until('both ends notice', () => {
      return [0, 1].every((index) => cluster.report(index)?.connected.includes(1 - index) === false)
    })
    await made.answered(load, 400)
    made.link(0, 1).join()
    await made.verdict()
    expect(cluster.reports().map(({ view }) => view)).toEqual(cluster.indexes.map(() => 0))
  })
})
