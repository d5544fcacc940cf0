// Named schedules of changes of the members: what the pitfalls P28, P29, P60 and P62 warn of, and what the group promises in turn.

import { describe, expect, it } from 'vitest'
import type { Effect, Message } from '../../src/consensus/index.ts'
import {
  allChecks,
  type CoreFactory,
  type Fault,
  type Link,
  type MembershipChange,
  realCore,
  Simulation,
  type SimulationOptions,
  scenarioOf,
  Witnesses,
} from '../../src/simulation/index.ts'

const BUSY = { operations: 150, outstanding: 8, bundle: 4, thinkUs: 5_000, retryMs: 200 }
const CHANGE: MembershipChange = { afterMs: 40, add: 0, remove: [] }

/** Holds every invariant, and all changes are made; the number of epochs begun is that of the changes. */
function run(parts: object, options: Partial<SimulationOptions> = {}) {
  const scenario = scenarioOf({ clients: [BUSY, BUSY], parameters: { maxBatchRequests: 4 }, ...parts })
  const witnesses = new Witnesses(scenario.group.byzantine === 0)
  const simulation = new Simulation(scenario, { observers: (of) => [...allChecks(of), witnesses], ...options })
  const { failure, ledger } = simulation.run()
  expect(failure).toBeUndefined()
  return { simulation, witnesses, ledger }
}

function done({ epochs, clients, scenario }: Simulation): boolean {
  return epochs.newest === scenario.changes.length && clients.every((client) => client.done)
}

function apart(one: readonly number[], other: readonly number[]): Link[] {
  return one.flatMap((a) =>
    other.flatMap((b): Link[] => [
      [a, b],
      [b, a],
    ]),
  )
}

describe('P60: members that change', () => {
  it('while slots are in flight, the view changes, and the old leader is cut off with those that go', () => {
    const faults: Fault[] = [
      { do: 'cut', links: apart([0, 1], [2, 3, 4, 5, 6]), when: { executed: 20, of: 2 }, until: { afterMs: 1500 } },
      {
        do: 'drop',
        messages: { kind: 'accept', view: 0, to: 2 },
        when: { executed: 12, of: 2 },
        until: { view: 1, of: 2 },
      },
    ]
    const changes = [{ ...CHANGE, add: 2, remove: [0, 1] }]
    const group = { replicas: 5, byzantine: 1, crash: 0 }
    const { simulation, witnesses, ledger } = run({ group, changes, faults })
    expect(done(simulation)).toBe(true)
    expect(ledger.get('cut')).toBe(1)
    expect(witnesses.counts.get('view changed') ?? 0).toBeGreaterThan(0)
    expect(witnesses.counts.get('end agreed with slots in flight') ?? 0).toBeGreaterThan(0)
    expect(simulation.epochs.members(1).map((index) => simulation.epochs.identityOf(1, index))).toEqual([2, 3, 4, 5, 6])
  })

  it('grow from four to seven and shrink to four again, every first member gone or under another key', () => {
    const { simulation } = run({
      changes: [
        { ...CHANGE, add: 3, quorum: { byzantine: 2, crash: 0 } },
        { ...CHANGE, remove: [0, 1, 2], rotate: [3], quorum: { byzantine: 1, crash: 0 } },
      ],
    })
    expect(done(simulation)).toBe(true)
    expect(simulation.epochs.context(2).charter.members.map(({ id }) => id)).toEqual([3, 4, 5, 6])
  })

  it('are all replaced at once, and those that left hand the state over', () => {
    const { simulation, witnesses } = run({ changes: [{ ...CHANGE, replace: [0, 1, 2, 3] }] })
    expect(done(simulation)).toBe(true)
    expect(witnesses.counts.get('epoch begun by a snapshot') ?? 0).toBeGreaterThanOrEqual(4)
    expect(witnesses.counts.get('key erased')).toBe(4)
  })

  it('go from seven to four in steps as they fail, and those voted out never decide anything again', () => {
    const down = [6, 5, 4].map(
      (replica, i): Fault => ({ do: 'crash', replica, when: { atMs: 60 + 400 * i }, until: { atMs: 1300 } }),
    )
    const { simulation } = run({
      group: { replicas: 7, byzantine: 2, crash: 0 },
      changes: [
        { ...CHANGE, afterMs: 300, remove: [6], quorum: { byzantine: 1, crash: 1 } },
        { ...CHANGE, afterMs: 300, remove: [5], quorum: { byzantine: 1, crash: 0 } },
        { ...CHANGE, afterMs: 300, remove: [4], quorum: { byzantine: 1, crash: 0 } },
      ],
      // Back on the disks of then, they find out that it goes on without them.
      faults: down,
      clients: [{ ...BUSY, operations: 600, outstanding: 2, bundle: 1, thinkUs: 20_000 }],
    })
    expect(done(simulation)).toBe(true)
    for (const gone of [4, 5, 6]) expect(simulation.epochs.lastPlaceOf(gone, 3)?.epoch).toBe(6 - gone)
    expect(simulation.replicas.slice(4).map((replica) => replica.status()?.phase)).toEqual(['over', 'over', 'over'])
  })
})

describe('P62: members that change their mode', () => {
  const HARDENS: MembershipChange = {
    ...{ ...CHANGE, add: 1, quorum: { byzantine: 1, crash: 0 } },
    parameters: { signedVotes: true },
  }

  it.each([true, false])(
    'start small, harden, and go back, each in one step (votes signed at first: %s)',
    (signedVotes) => {
      const { simulation, witnesses } = run({
        group: { replicas: 3, byzantine: 0, crash: 1 },
        parameters: { signedVotes },
        changes: [HARDENS, { ...CHANGE, remove: [1], quorum: { byzantine: 0, crash: 1 } }],
      })
      expect(done(simulation)).toBe(true)
      expect(witnesses.counts.get('mode changed') ?? 0).toBeGreaterThanOrEqual(6)
    },
  )

  it('are not moved by messages of crash mode that are sent again in Byzantine mode', () => {
    const archive: Message[] = []
    let replayed = 0
    /** Replica 2 keeps all that it hears while nobody lies, and sends it again when its word is not to be taken any more. */
    const replays: CoreFactory = (start) => {
      const made = realCore(start)
      const { self, membership } = start.config
      if (self !== 2) return made
      const step: typeof made.core.step = (input) => {
        if (membership.epoch === 0 && input.kind === 'message') archive.push(input.message)
        const effects = made.core.step(input)
        if (membership.epoch === 0 || input.kind !== 'tick') return effects
        const again = archive.slice(replayed, replayed + 20)
        replayed += again.length
        return [...effects, ...again.map((message): Effect => ({ kind: 'broadcast', message }))]
      }
      return { ...made, core: { ...made.core, step } }
    }
    const { simulation } = run(
      {
        group: { replicas: 3, byzantine: 0, crash: 1 },
        parameters: { signedVotes: false },
        changes: [HARDENS],
        // It tells the truth in the first epoch: the behaviour is about who was removed.
        liars: [{ replica: 2, behaviour: 'still-here' }],
      },
      { coreFactory: replays },
    )
    expect(done(simulation)).toBe(true)
    expect(replayed).toBeGreaterThan(100)
  })
})

describe('P28: a member that lost its disk', () => {
  it('is replaced under another key, and what comes back under the old one counts for nothing', () => {
    const { simulation } = run({
      changes: [{ ...CHANGE, afterMs: 200, replace: [1] }],
      faults: [{ do: 'crash', replica: 1, wiped: true, when: { atMs: 60 }, until: { atMs: 150 } }],
      core: [0, 2, 3, 4],
    })
    expect(done(simulation)).toBe(true)
    const { members } = simulation.epochs.context(1).charter
    expect(members.map(({ id }) => id)).toEqual([0, 4, 2, 3])
  })
})

describe('P29: members that keep nothing', () => {
  it('stop one after another where too many lose what they knew, and decide nothing else in its place', () => {
    const faults = [1, 2].map((replica): Fault => ({ do: 'crash', replica, when: { atMs: 60 + 40 * replica } }))
    const { simulation } = run({ faults, core: [0, 3], safetyMs: 1500, livenessMs: 3000 })
    expect(simulation.excuses).toEqual(['no honest quorum in the core'])
    expect(simulation.clients.some((client) => client.pending.length > 0)).toBe(true)
    const decided = simulation.replicas.map((replica) => replica.status()?.chosen ?? 0)
    expect(new Set([decided[0], decided[3]]).size).toBe(1)
  })
})
