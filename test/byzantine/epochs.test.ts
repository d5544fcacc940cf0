// Lies about changes of the members: each is survived, and convicts who told it and nobody else.

import { describe, expect, it } from 'vitest'
import { EPOCH_BEHAVIOURS } from '../../src/byzantine/index.ts'
import type { Effect, Evidence } from '../../src/consensus/index.ts'
import {
  allChecks,
  type Fault,
  type Link,
  type MembershipChange,
  type ReplicaView,
  Simulation,
  scenarioOf,
  Witnesses,
} from '../../src/simulation/index.ts'

const CHANGES: readonly MembershipChange[] = [
  { afterMs: 60, add: 1, remove: [] },
  { afterMs: 100, add: 0, remove: [3], rotate: [1] },
]
const AWAY: readonly Link[] = [0, 1, 3, 4].flatMap((other): Link[] => [
  [2, other],
  [other, 2],
])

function lie(replica: number, behaviour: string, faults: readonly Fault[] = [], changes = CHANGES) {
  const scenario = scenarioOf({
    seed: `${replica} ${behaviour}`,
    clients: [{ operations: 150, outstanding: 4, bundle: 4, thinkUs: 10_000, retryMs: 200 }],
    liars: [{ replica, behaviour }],
    ...{ changes, faults },
  })
  const witnesses = new Witnesses()
  const evidence: Evidence[] = []
  const collector = {
    effect: ({ honest }: ReplicaView, effect: Effect) => {
      if (honest && effect.kind === 'evidence') evidence.push(effect.evidence)
    },
  }
  const simulation = new Simulation(scenario, { observers: (run) => [...allChecks(run), witnesses, collector] })
  // I10 and I14 are among the checks: nobody honest is accused or convicted.
  expect(simulation.run().failure).toBeUndefined()
  expect(simulation.epochs.newest).toBe(changes.length)
  expect(simulation.clients.every((client) => client.done)).toBe(true)
  return { kinds: new Set(evidence.map(({ kind }) => kind)), witnesses }
}

describe('a liar among members that change', () => {
  it.each(EPOCH_BEHAVIOURS.flatMap((name) => [0, 2, 3].map((replica) => [name, replica] as const)))(
    '%s as replica %i neither splits the others nor stops them',
    (name, replica) => {
      lie(replica, name)
    },
  )

  it.each([
    ['past-the-end', 0, 'past-the-end', 'votes for slots after the last one'],
    ['past-the-end', 2, 'past-the-end', 'votes for slots after the last one'],
    ['still-here', 3, 'past-the-end', 'goes on in the epoch that it was removed from'],
    ['early', 2, 'two-votes', 'votes in the next epoch before that begins, and otherwise when it has begun'],
    ['early', 0, 'two-votes', 'offers something to the next epoch before that begins, and something else then'],
    ['wrong-next', 2, 'two-checkpoints', 'signs two ends of one epoch'],
  ] as const)('%s (replica %i) is convicted of %s, since it %s', (name, replica, kind, _why) => {
    expect([...lie(replica, name).kinds]).toEqual([kind])
  })

  it('that goes on where it was removed is heard by nobody in the next epoch', () => {
    const { witnesses } = lie(3, 'still-here')
    expect(witnesses.counts.get('frame of another epoch dropped') ?? 0).toBeGreaterThan(50)
    expect(witnesses.counts.get('statement past the end proved') ?? 0).toBeGreaterThan(0)
  })

  it('that shows false chains leads nobody astray who was away, is to join, or asks as a client', () => {
    const faults: readonly Fault[] = [{ do: 'cut', links: AWAY, when: { atMs: 20 }, until: { atMs: 900 } }]
    const { witnesses, kinds } = lie(1, 'forge-chain', faults)
    expect(witnesses.counts.get('false chain refused') ?? 0).toBeGreaterThan(0)
    expect([...kinds]).toEqual([])
  })

  it('tells the truth while nobody wants to change the members', () => {
    for (const name of EPOCH_BEHAVIOURS.filter((each) => each !== 'forge-chain'))
      expect(lie(0, name, [], []).kinds.size).toBe(0)
  })
})
