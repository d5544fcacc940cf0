import { describe, expect, it } from 'vitest'
import { drawFork, ForkCheck, Simulation } from '../../src/simulation/index.ts'

/** Runs of one liar too many, and how each ended. */
function ends(replicas: number, seeds: number): string[] {
  return Array.from({ length: seeds }, (_, seed) => {
    const scenario = drawFork(seed + 1, replicas)
    const simulation = new Simulation(scenario, {
      observers: ({ group }) => [
        new ForkCheck({ ...group.context, verifier: group.suite.verifier }, (i) => !scenario.twins.includes(i)),
      ],
    })
    const { failure } = simulation.run()
    return failure === undefined
      ? 'no fork'
      : failure.invariant === 'fork blamed'
        ? 'blamed'
        : `${seed + 1}: ${failure.message}`
  })
}

describe('with more than b liars', () => {
  it.each([
    [4, 60],
    [7, 16],
  ])('every fork convicts at least b + 1 of them and no honest replica (n=%d, b + 1 twins)', (replicas, seeds) => {
    const all = ends(replicas, seeds)
    expect(all.filter((end) => end !== 'no fork' && end !== 'blamed')).toEqual([])
    expect(all.filter((end) => end === 'blamed').length).toBeGreaterThan(seeds / 10)
  })
})
