// Reads beside the log in whole clusters: what q replicas say alike, and what a leader with a lease says alone, while leaders are cut
// off with readers of their own. The schedules are those in which a rule less would show.

import { describe, expect, it } from 'vitest'
import {
  allChecks,
  CALM,
  type Defect,
  type Fault,
  type Link,
  Simulation,
  scenarioOf,
  Witnesses,
} from '../../src/simulation/index.ts'

/** Clients' addresses begin at 1000; the reader comes first. */
const WRITER = 1001
const both = (a: number, b: number): Link[] => [
  [a, b],
  [b, a],
]

interface Run {
  readonly failure: string | undefined
  /** Reads that did not go through the log. */
  readonly aside: number
}

/** Replica 0 is cut off from the others and the writer; the reader reaches everybody. */
function run(seed: string, reads: 'lease' | 'quorum', change: object = {}): Run {
  const cut: Fault = {
    ...{ do: 'cut', links: [1, 2, WRITER].flatMap((other) => both(0, other)) },
    ...{ when: { atMs: 120 }, until: { atMs: 1800 } },
  }
  const client = { ...CALM.clients[0], operations: 60, outstanding: 1, thinkUs: 15_000 }
  const scenario = scenarioOf({
    ...{ seed, group: { replicas: 3, byzantine: 0, crash: 1 }, faults: [cut], safetyMs: 4000 },
    // The one seldom writes, since a leader that holds a write of its own reads nothing before it; the other often does.
    clients: [
      { ...client, reads },
      { ...client, operations: 400, outstanding: 4, thinkUs: 1000 },
    ],
    workload: { keys: 1, reads: 95, deletes: 0, swaps: 0 },
    ...change,
  })
  const witnesses = new Witnesses()
  const simulation = new Simulation(scenario, { observers: (running) => [...allChecks(running), witnesses] })
  const { failure } = simulation.run()
  return { failure: failure?.invariant, aside: witnesses.counts.get('read beside the log') ?? 0 }
}

const MANY = Array.from({ length: 40 }, (_, i) => `direct ${i}`)
const SEEDS = MANY.slice(0, 6)

describe('reads beside the log', () => {
  it.each(['lease', 'quorum'] as const)(
    'with %s are linearizable although the old leader still has a reader',
    (reads) => {
      const runs = SEEDS.map((seed) => run(seed, reads))
      expect(runs.map(({ failure }) => failure)).toEqual(SEEDS.map(() => undefined))
      expect(Math.min(...runs.map(({ aside }) => aside))).toBeGreaterThan(0)
    },
  )

  it('would not be with leases that never end', () => {
    const defects: Defect[] = ['lease-without-end']
    expect(MANY.some((seed) => run(seed, 'lease', { defects }).failure === 'I8 linearizable')).toBe(true)
  })

  it('hold with clocks that run at different rates, within what the genesis names', () => {
    const clocks = [-40_000, 40_000, 40_000].map((driftPpm) => ({ offsetMs: 0, driftPpm }))
    const runs = SEEDS.map((seed) => run(seed, 'lease', { clocks }))
    expect(runs.map(({ failure }) => failure)).toEqual(SEEDS.map(() => undefined))
  })

  it('hold when the leader stands still for a while, and when its wall clock is set back meanwhile', () => {
    const pause: Fault = { do: 'pause', replica: 0, when: { atMs: 120 }, until: { atMs: 1500 } }
    const back: Fault = { do: 'clock', replica: 0, byMs: -5000, when: { atMs: 800 }, until: { atMs: 1700 } }
    const runs = SEEDS.map((seed) => run(seed, 'lease', { faults: [pause, back] }))
    expect(runs.map(({ failure }) => failure)).toEqual(SEEDS.map(() => undefined))
    expect(Math.min(...runs.map(({ aside }) => aside))).toBeGreaterThan(0)
  })

  it('hold where a liar answers what was true once (n = 4)', () => {
    const group = { replicas: 4, byzantine: 1, crash: 0 }
    const runs = SEEDS.map((seed) => run(seed, 'quorum', { group, liars: [{ replica: 3, behaviour: 'reorder' }] }))
    expect(runs.map(({ failure }) => failure)).toEqual(SEEDS.map(() => undefined))
    expect(Math.max(...runs.map(({ aside }) => aside))).toBeGreaterThan(0)
  })
})
