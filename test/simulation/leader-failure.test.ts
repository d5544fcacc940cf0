// A leader that fails, as its clients see it: whatever had become of their requests by then, each gets its result once.

import { describe, expect, it } from 'vitest'
import type { Effect } from '../../src/consensus/index.ts'
import {
  allChecks,
  CALM,
  type Fault,
  type Observer,
  type ReplicaView,
  Simulation,
  scenarioOf,
  Witnesses,
} from '../../src/simulation/index.ts'

/** What had happened to the first slot when the leader stopped. */
interface AtTheStop {
  readonly offered: boolean
  /** Replicas that accepted, and that knew that it was chosen. */
  readonly accepted: number
  readonly learned: number
  readonly executed: number
  readonly answered: number
}

class Watcher implements Observer {
  stop: AtTheStop | undefined
  private offered = false
  private readonly accepted = new Set<number>()
  private readonly learned = new Set<number>()
  private readonly ran = new Set<number>()
  private answers = 0

  effect({ index }: ReplicaView, effect: Effect): void {
    if (effect.kind === 'broadcast' && effect.message.kind === 'propose') this.offered = true
    if (effect.kind !== 'persist') return
    for (const record of effect.records) {
      if (record.kind === 'vote' && record.vote.statement.kind === 'accept') this.accepted.add(index)
      if (record.kind === 'chosen') this.learned.add(index)
    }
  }

  executed({ index }: ReplicaView): void {
    this.ran.add(index)
  }

  returned(): void {
    this.answers++
  }

  stopped({ index }: ReplicaView): void {
    if (index !== 0 || this.stop !== undefined) return
    const { offered, accepted, learned, ran, answers } = this
    this.stop = {
      ...{ offered, accepted: accepted.size, learned: learned.size, executed: ran.size, answered: answers },
    }
  }
}

const FIRST = { view: 0, slot: 1 }
/** The leader's own votes are among them, and it hears itself. */
const accepts = (to: number): Fault => ({ do: 'drop', messages: { kind: 'accept', view: 0, to } })
const prepares = (to: number): Fault => ({ do: 'drop', messages: { kind: 'prepare', view: 0, to } })
/** Decisions of the old view do not get around otherwise. */
const silence: Fault[] = [{ do: 'drop', messages: { kind: 'entries' }, until: { view: 1, of: 2 } }]
const crash = (when: Fault['when']): Fault => ({
  do: 'crash',
  replica: 0,
  ...(when && { when }),
  until: { afterMs: 900 },
})

interface State {
  readonly faults: readonly Fault[]
  readonly expected: Partial<AtTheStop>
  /** The request survives in what replicas promised each other, and not by being asked again. */
  readonly carried: boolean
}

const STATES: Readonly<Record<string, State>> = {
  'not accepted by anyone': {
    faults: [crash({ record: 'vote', of: 0 })],
    expected: { offered: false, accepted: 0, learned: 0, answered: 0 },
    carried: false,
  },
  'accepted by some': {
    faults: [...[0, 2, 3].map(prepares), ...silence, crash({ record: 'prepared', of: 1, durable: true })],
    expected: { offered: true, accepted: 1, learned: 0, answered: 0 },
    carried: true,
  },
  'chosen but not learned': {
    faults: [...[0, 1, 2, 3].map(accepts), ...silence, crash({ message: { kind: 'accept', ...FIRST }, nth: 12 })],
    expected: { offered: true, accepted: 4, learned: 0, answered: 0 },
    carried: true,
  },
  'chosen and learned but not answered': {
    faults: [...[1, 2, 3].map(accepts), ...silence, crash({ record: 'chosen', of: 0, durable: true })],
    expected: { offered: true, learned: 1, answered: 0 },
    carried: true,
  },
  'chosen and answered': {
    faults: [crash({ executed: 2, of: 0 })],
    expected: { offered: true, accepted: 4 },
    carried: false,
  },
}

describe.each(['sticky', 'every'])('where the leader fails (rotation %s)', (policy) => {
  const rotation = policy === 'every' ? { policy, slots: 16 } : { policy }
  it.each(Object.entries(STATES))(
    'with a request %s, its client gets the result once, and again when it asks again',
    (name, { faults, expected, carried }) => {
      const scenario = scenarioOf({
        ...{ seed: `${policy}: ${name}`, faults, parameters: { rotation, maxBatchRequests: 2 } },
        clients: [{ ...CALM.clients[0], operations: 8, outstanding: 2, fault: 'resumes' }],
      })
      const [watcher, witnesses] = [new Watcher(), new Witnesses()]
      const simulation = new Simulation(scenario, {
        observers: (running) => [...allChecks(running), watcher, witnesses],
      })
      const { failure } = simulation.run()
      expect(failure).toBeUndefined()
      expect(simulation.clients.flatMap((client) => client.pending)).toEqual([])
      expect(watcher.stop).toMatchObject(expected)
      expect(witnesses.counts.get('view changed') ?? 0).toBeGreaterThan(0)
      if (carried) expect(witnesses.counts.get('prepared value proposed again') ?? 0).toBeGreaterThan(0)
    },
  )

  it('with a gap in what it got accepted, a no-op fills it, and the request that it held for it runs once', () => {
    // Slot 1 reaches nobody; slot 2 is accepted by all; then the leader is gone, comes back, and offers what it still holds.
    const scenario = scenarioOf({
      seed: `${policy}: a gap`,
      faults: [
        { do: 'drop', messages: { kind: 'prepare', view: 0, slot: 1 } },
        { do: 'drop', messages: { kind: 'accept', view: 0 } },
        ...silence,
        crash({ record: 'prepared', of: 3, durable: true }),
      ],
      parameters: { rotation, maxBatchRequests: 1 },
      clients: [{ ...CALM.clients[0], operations: 8, outstanding: 4, bundle: 4, fault: 'resumes' }],
    })
    const witnesses = new Witnesses()
    const simulation = new Simulation(scenario, { observers: (running) => [...allChecks(running), witnesses] })
    expect(simulation.run().failure).toBeUndefined()
    expect(witnesses.counts.get('gap filled with a no-op') ?? 0).toBeGreaterThan(0)
  })
})
