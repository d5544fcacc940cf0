// Real processes whose members come, go, change places and keys under load, with the leader killed in the midst of the change. Nothing is
// lost or doubled, a watch and a lock go on, receipts of all epochs hold, those who left stop by themselves, and it all audits with a pin.

import { afterEach, describe, expect, it } from 'vitest'
import type { Load } from '../../src/cli/tour/load.ts'
import { Harness, type HarnessOptions } from './harness.ts'
import { Witness } from './witness.ts'

let harness: Harness | undefined

afterEach(async () => {
  await harness?.dispose()
  harness = undefined
})

interface Begun {
  readonly made: Harness
  readonly load: Load
  readonly witness: Witness
}

/** Few slots between checkpoints: an epoch ends at the second one after the change. */
const PARAMETERS = { window: 16, checkpointInterval: 16 }

async function begin(options: HarnessOptions): Promise<Begun> {
  const made = await Harness.start({ clients: 3, parameters: PARAMETERS, ...options })
  harness = made
  const witness = await Witness.of(await made.connect('writer-2'), 'k')
  const load = await made.load({ client: await made.connect('writer-1') })
  await made.answered(load, 50)
  await witness.keep()
  return { made, load, witness }
}

/** The leader is killed; who it was. */
async function killLeader({ cluster }: Harness): Promise<number> {
  const leader = cluster.leader() ?? 0
  await cluster.kill(leader)
  return leader
}

/** Requests go on in the epoch that has begun. */
async function goOn({ made, load, witness }: Begun): Promise<void> {
  await made.answered(load, 50)
  await witness.keep()
}

/** The verdict, in the epoch in which it must be. */
async function end({ made, witness }: Begun, epoch: number): Promise<void> {
  const chain = await made.chain()
  expect(chain.last.charter.epoch).toBe(epoch)
  await made.verdict()
  expect(new Set(witness.epochsIn(chain)).size).toBe(epoch + 1)
  await witness.testify(made.operations(), chain)
}

describe('a cluster under load', () => {
  it('grows from four to seven and shrinks to four again, its leader killed in the midst of both', async () => {
    const begun = await begin({ replicas: 4 })
    const { made } = begun
    const { cluster, members } = made
    let killed = 0
    const meanwhile = async () => {
      killed = await killLeader(made)
    }
    const joined = await members.grow(3, { byzantine: 2, meanwhile })
    await goOn(begun)
    await cluster.start(killed)
    await made.inOffice(7)
    await members.shrink(joined, await made.chain(), { byzantine: 1, meanwhile })
    if (!joined.includes(killed)) await cluster.start(killed)
    await goOn(begun)
    await end(begun, 2)
  })

  it('has a dead member replaced, and then all keys changed in one step, its leader killed in the midst', async () => {
    const begun = await begin({ replicas: 4 })
    const { made } = begun
    const { cluster, members } = made
    const dead = await killLeader(made)
    const joined = await members.replace(dead, await made.chain())
    await goOn(begun)
    const numbers = await members.numbersOf((await made.chain()).last)
    expect(numbers).toContain(joined)
    await made.inOffice(4)
    let killed = 0
    const meanwhile = async () => {
      killed = await killLeader(made)
    }
    await members.rotate(numbers, { meanwhile })
    await cluster.start(killed)
    await goOn(begun)
    await end(begun, 2)
  })

  it('goes from three in crash mode to four of which one may lie, and back, in one step each', async () => {
    const begun = await begin({ replicas: 3, byzantine: 0 })
    const { made } = begun
    const { cluster, members } = made
    let killed = 0
    const meanwhile = async () => {
      killed = await killLeader(made)
    }
    const [joined = 3] = await members.grow(1, { byzantine: 1, crash: 0, meanwhile })
    await cluster.start(killed)
    await goOn(begun)
    await made.inOffice(4)
    await members.shrink([joined], await made.chain(), { byzantine: 0, crash: 1, meanwhile })
    if (joined !== killed) await cluster.start(killed)
    await goOn(begun)
    await end(begun, 2)
  })

  it('of seven votes out those that fail, down to four, and these disturb nobody when they come back', async () => {
    // Longer than what a busy machine takes: only a leader that is really disturbed is left. Whoever was away for one epoch waits for
    // eight of these before it believes that nobody helps it to its end.
    const parameters = { ...PARAMETERS, viewTimeoutMs: 2_000 }
    const begun = await begin({ replicas: 7, parameters })
    const { made, load } = begun
    const { cluster, members } = made
    await Promise.all([cluster.kill(0), cluster.kill(3)])
    await members.shrink([0, 3], await made.chain(), { byzantine: 1 })
    await goOn(begun)
    await cluster.kill(5)
    await members.shrink([5], await made.chain())
    await goOn(begun)
    const views = () => [1, 2, 4, 6].map((number) => cluster.report(number)?.view)
    await made.inOffice(4)
    const before = views()
    await Promise.all([0, 3, 5].map((number) => cluster.start(number)))
    await made.answered(load, 200)
    await made.retired(await made.chain())
    expect([0, 3, 5].map((number) => cluster.ending(number))).toMatchObject([{ code: 0 }, { code: 0 }, { code: 0 }])
    expect(views()).toEqual(before)
    await end(begun, 2)
  })
})
