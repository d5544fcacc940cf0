import { describe, expect, it } from 'vitest'
import {
  CALM,
  drawScenario,
  type Failure,
  type Fault,
  runScenario,
  type Scenario,
  scenarioOf,
  shrink,
} from '../../src/simulation/index.ts'

const failure: Failure = { invariant: 'I1 agreement', message: 'as if', atMs: 1 }
const crash = (replica: number): Fault => ({ do: 'crash', replica, when: { atMs: 1 } })

describe('the shrinker', () => {
  it('finds the faults and requests that matter, and drops all others', () => {
    const big: Scenario = {
      ...CALM,
      faults: [0, 1, 2, 3, 0, 1, 2, 3].map(crash),
      clients: [...CALM.clients, ...CALM.clients].map((client) => ({ ...client, operations: 64 })),
      network: { ...CALM.network, lossProbability: 0.1 },
    }
    // Fails with two power cuts of replica 2 and any request at all.
    const fails = ({ faults, clients }: Scenario) =>
      faults.filter((fault) => fault.do === 'crash' && fault.replica === 2).length >= 2 && clients.length > 0
    const { scenario, runs } = shrink(big, failure, (each) => (fails(each) ? failure : undefined))
    expect(scenario.faults).toEqual([crash(2), crash(2)])
    expect(scenario.clients.map(({ operations }) => operations)).toEqual([1])
    expect(scenario.network.lossProbability).toBe(0)
    expect(runs).toBeLessThan(100)
  })

  it('drops the last changes of the members that do not matter, and whoever joins with them', () => {
    const grow = { afterMs: 0, add: 1, remove: [] }
    const big: Scenario = {
      ...CALM,
      changes: [grow, grow, grow],
      core: [0, 1, 2, 3, 4, 6],
      liars: [{ replica: 5, behaviour: 'mute' }],
    }
    const { scenario } = shrink(big, failure, ({ changes }) => (changes.length > 0 ? failure : undefined))
    expect(scenario.changes).toEqual([grow])
    expect(scenario.core).toEqual([0, 1, 2, 3, 4])
    expect(scenario.liars).toEqual([])
    expect(scenarioOf(JSON.parse(JSON.stringify(scenario))).changes).toEqual([grow])
  })

  it('does not take another failure for the one it was given', () => {
    const big: Scenario = { ...CALM, faults: [crash(0), crash(1)] }
    const attempt = ({ faults }: Scenario): Failure =>
      faults.length < 2 ? { ...failure, invariant: 'exception' } : failure
    expect(shrink(big, failure, attempt).scenario.faults).toHaveLength(2)
  })

  it('stops when its runs are spent', () => {
    let runs = 0
    const attempt = () => {
      runs++
      return undefined
    }
    const big: Scenario = { ...CALM, faults: Array.from({ length: 64 }, () => crash(0)) }
    expect(shrink(big, failure, attempt, 20)).toMatchObject({ runs: 20, scenario: { faults: big.faults } })
    expect(runs).toBe(20)
  })

  it('makes a real failure small, and what it gives still fails when run from its JSON', () => {
    const big = drawScenario(4, { profile: 'swarm', replicas: 4, defects: ['forget-prepared'] })
    const first = runScenario(big).failure
    if (first === undefined) throw new Error('expected the mutant to be caught')
    const { scenario } = shrink(big, first, (each) => runScenario(each).failure, 60)
    const size = ({ faults, clients }: Scenario) =>
      faults.length + clients.reduce((sum, { operations }) => sum + operations, 0)
    expect(size(scenario)).toBeLessThan(size(big) / 2)
    expect(runScenario(JSON.parse(JSON.stringify(scenario))).failure?.invariant).toBe(first.invariant)
  })
})
