// A real leader killed with -9 under load, again and again: of the requests under way some were decided already, some had been
// accepted and are carried over, some are proposed anew. Which were which is read from what the replicas kept; each is done once.

import { afterEach, describe, expect, it } from 'vitest'
import { replicaIndex } from '../../crypto/index.ts'
import { OutcomeUnknown } from '../../src/client/index.ts'
import type { Operation } from '../../src/simulation/index.ts'
import { Harness } from './harness.ts'

let harness: Harness | undefined

afterEach(async () => {
  await harness?.dispose()
  harness = undefined
})

/** What had become of a request when its leader was killed. */
type Fate = 'decided before' | 'carried over' | 'proposed anew'
const FATES: readonly Fate[] = ['decided before', 'carried over', 'proposed anew']
/** Each kill leaves a few dozen requests under way. */
const MOST_KILLS = 30
/** Small batches: many slots are under way at once, at different stages. */
const MANY_SLOTS = { maxBatchRequests: 4 }

interface Kill {
  readonly view: number
  readonly underWay: readonly Operation[]
}

describe('requests under way when the leader is killed', () => {
  it('are done once each: those decided before, those carried over, and those proposed anew', async () => {
    const made = await Harness.start({ replicas: 4, parameters: MANY_SLOTS })
    harness = made
    const { cluster } = made
    const load = await made.load({ workers: 64, restMs: 0 })
    const seen = new Set<Fate>()
    for (let kills = 0; kills < MOST_KILLS && seen.size < FATES.length; kills++) {
      await made.answered(load, 300)
      // With all followers there, they decide without the leader whatever it has proposed. With one down, what lacks the
      // leader's Accept stays open, and is carried over.
      const down = kills % 2 === 1 ? cluster.indexes.find((index) => index !== cluster.leader()) : undefined
      if (down !== undefined) {
        await cluster.kill(down)
        await made.answered(load, 100)
      }
      const kill = await killLeader(made)
      if (down !== undefined) await cluster.start(down)
      await made.answered(load, 300)
      for (const fate of await fatesOf(made, kill)) seen.add(fate)
      for (const index of cluster.indexes) if (!cluster.runs(index)) await cluster.start(index)
      await made.connected()
    }
    await made.verdict()
    expect([...seen].sort()).toEqual([...FATES].sort())
  })

  it('and whose client crashes too, are answered to its next life with the first result', async () => {
    const made = await Harness.start({ replicas: 4 })
    harness = made
    const { cluster } = made
    const first = await made.connect()
    await first.put('k', 'before')
    cluster.pause(cluster.leader() ?? 0)
    // The deadline is over at once; the request is under way all the same.
    const unknown: unknown = await first.put('k', 'once', { timeoutMs: 100 }).catch((error: unknown) => error)
    if (!(unknown instanceof OutcomeUnknown)) throw new Error(`expected no outcome yet, got ${String(unknown)}`)
    await first.close()
    await Promise.all(
      cluster.indexes.filter((index) => cluster.report(index) === undefined).map((i) => cluster.kill(i)),
    )
    const second = await made.connect()
    const resumed = await second.resume(unknown.request)
    await second.put('k', 'after')
    await second.close()
    const third = await made.connect()
    const again = await third.resume(unknown.request)
    expect([again.slot, again.receipt.index]).toEqual([resumed.slot, resumed.receipt.index])
    expect(again.receipt.record).toEqual(resumed.receipt.record)
    expect(Buffer.from((await third.get('k')).value?.value ?? []).toString()).toBe('after')
    expect((await third.get('k')).value?.version).toBe(3)
  })
})

async function killLeader(made: Harness): Promise<Kill> {
  const { cluster } = made
  const view = Math.max(...cluster.reports().map((report) => report.view))
  const leader = cluster.leader() ?? 0
  const ended = cluster.kill(leader)
  const underWay = made
    .operations()
    .filter(({ returnedUs, outcome }) => returnedUs === undefined && outcome === 'unknown')
  await ended
  return { view, underWay }
}

async function fatesOf(made: Harness, { view, underWay }: Kill): Promise<Set<Fate>> {
  const client = await made.connect()
  const slots = underWay.flatMap(({ slot }) => slot ?? [])
  const [from, to] = [Math.min(...slots), Math.max(...slots)]
  const decidedIn = new Map<number, number>()
  const carried = new Set<number>()
  for (const { replica } of made.cluster.reports()) {
    const archive = client.archive(replicaIndex(replica))
    for await (const { certificate } of archive.slots(from, to)) {
      const { slot, view: decided } = certificate.statement
      decidedIn.set(slot, Math.min(decided, decidedIn.get(slot) ?? decided))
    }
    for (const newView of await archive.newViews()) {
      if (newView.view > view) for (const { statement } of newView.proposals) carried.add(statement.slot)
    }
  }
  return new Set(
    slots.map((slot) => {
      if ((decidedIn.get(slot) ?? view + 1) <= view) return 'decided before'
      return carried.has(slot) ? 'carried over' : 'proposed anew'
    }),
  )
}
