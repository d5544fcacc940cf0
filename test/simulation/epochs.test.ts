// Whole simulated clusters through changes of their membership: what is asked for is answered once, in one order, all invariants hold.

import { describe, expect, it } from 'vitest'
import {
  allChecks,
  type Condition,
  type Link,
  type MembershipChange,
  type Scenario,
  Simulation,
  scenarioOf,
} from '../../src/simulation/index.ts'

function scenario(changes: readonly MembershipChange[], rest: Partial<Scenario> = {}): Scenario {
  return scenarioOf({
    about: 'a cluster whose membership changes',
    seed: 'epochs',
    clients: [
      { operations: 150, outstanding: 4, bundle: 4, thinkUs: 20_000, retryMs: 200 },
      { operations: 150, outstanding: 4, bundle: 4, thinkUs: 20_000, retryMs: 200 },
    ],
    changes,
    safetyMs: 10_000,
    ...rest,
  })
}

function run(of: Scenario): Simulation {
  const simulation = new Simulation(of, { observers: allChecks })
  const { failure, ledger } = simulation.run()
  expect(failure).toBeUndefined()
  expect((ledger.get('crash') ?? 0) + (ledger.get('cut') ?? 0)).toBe(of.faults.length)
  return simulation
}

const GROW_AND_SHRINK: readonly MembershipChange[] = [
  { afterMs: 100, add: 1, remove: [] },
  { afterMs: 200, add: 0, remove: [0] },
]

describe('a simulated cluster', () => {
  it('grows from four members to five and shrinks to four again, under load, losing its first leader on the way', () => {
    const simulation = run(scenario(GROW_AND_SHRINK))
    const { epochs, replicas, clients } = simulation
    expect(epochs.newest).toBe(2)
    expect([0, 1, 2].map((epoch) => epochs.members(epoch).map((index) => epochs.addressesOf(epoch, index)))).toEqual([
      [[0], [1], [2], [3]],
      [[0], [1], [2], [3], [4]],
      [[1], [2], [3], [4]],
    ])
    expect(clients.every((client) => client.done)).toBe(true)
    const { start } = epochs.context(2)
    const executed = replicas.slice(1).map((replica) => replica.status()?.executed)
    expect(executed.every((slot) => slot !== undefined && slot > start.slot)).toBe(true)
    expect(new Set(executed).size).toBe(1)
  })

  it('does so the same way each time', () => {
    const of = scenario(GROW_AND_SHRINK)
    expect(new Simulation(of).run().hash).toBe(new Simulation(of).run().hash)
  })

  it('takes a member along that was cut off for two epochs: it is shown what came, and leaves for the newest', () => {
    const links = [0, 1, 3, 4].flatMap((other): Link[] => [
      [2, other],
      [other, 2],
    ])
    const simulation = run(
      scenario(GROW_AND_SHRINK, {
        faults: [{ do: 'cut', links, when: { atMs: 105 }, until: { atMs: 1200 } }],
        clients: [{ operations: 250, outstanding: 2, bundle: 2, thinkUs: 20_000, retryMs: 200 }],
      }),
    )
    expect(simulation.epochs.newest).toBe(2)
    expect(simulation.replicas[2]?.epoch).toBe(2)
  })

  /** The change comes about slot 10 to 20, and the epoch ends with slot 48. */
  const POINTS: readonly (readonly [string, Condition])[] = [
    ['having executed slot 20', { executed: 20, of: 0 }],
    ['having executed slot 40', { executed: 40, of: 0 }],
    ['having executed the last slot', { executed: 48, of: 0 }],
    ['with its note of the last slot on the way to the disk', { record: 'checkpoint', of: 0, nth: 3 }],
    ['with that on disk', { record: 'checkpoint', of: 0, nth: 3, durable: true }],
    ['with the hand-over on the way to the disk', { record: 'hand-over', of: 0 }],
    ['with that on disk', { record: 'hand-over', of: 0, durable: true }],
    ['with its first votes of the next epoch on disk', { executed: 50, of: 0 }],
  ]

  it.each(POINTS)('grows though its leader loses power %s', (_point, when) => {
    const simulation = run(
      scenario([{ afterMs: 100, add: 1, remove: [] }], {
        faults: [{ do: 'crash', replica: 0, when, until: { afterMs: 150 } }],
      }),
    )
    expect(simulation.epochs.newest).toBe(1)
    expect(simulation.epochs.context(1).start.slot).toBe(48)
    expect(simulation.replicas.map((replica) => replica.status()?.executed)).toHaveLength(5)
    expect(new Set(simulation.replicas.map((replica) => replica.status()?.executed)).size).toBe(1)
  })
})
