import { describe, expect, it } from 'vitest'
import { runFloor } from '../../bench/floor/floor.ts'

/** A client of the floor ends its run where an answer is not to its own bundle, or comes from one replica too many. */
describe('a run of the floor', () => {
  it.for([
    ...[{ replicas: 4, crash: false, clients: 1, outstanding: 3 }],
    ...[{ replicas: 4, crash: false, clients: 5, outstanding: 3 }],
    ...[{ replicas: 3, crash: true, clients: 5, outstanding: 3 }],
    ...[{ replicas: 1, crash: false, clients: 2, outstanding: 3 }],
    ...[{ replicas: 1, crash: true, clients: 2, outstanding: 3 }],
  ])('answers whole bundles of every client: %j', async (setting, { signal }) => {
    const brief = { sync: false, size: 100, warmUpSeconds: 0, seconds: 0.2 }
    const { operations, p50Ms, p99Ms, replicaCpuUs } = await runFloor({ ...setting, ...brief }, signal)
    expect(operations).toBeGreaterThan(0)
    expect(operations % setting.outstanding).toBe(0)
    expect(p99Ms).toBeGreaterThanOrEqual(p50Ms)
    expect(replicaCpuUs).toBeGreaterThan(0)
  })
})
