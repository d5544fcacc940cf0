// Scenarios whose outcome is a figure: throughput under a slow leader, latency and memory under a flood, many seeds of one group.

import { describe, expect, it } from 'vitest'
import {
  allChecks,
  BoundsCheck,
  CALM,
  type Fault,
  type Operation,
  runScenario,
  type Scenario,
  Simulation,
  scenarioOf,
  Witnesses,
} from '../../src/simulation/index.ts'

interface Measured {
  readonly operations: readonly Operation[]
  readonly sent: number
  readonly peak: number
  readonly witnesses: Witnesses
}

/** A run with all checks; the most that any collection of a core held comes with it. */
function measured(scenario: Scenario): Measured {
  const operations: Operation[] = []
  let sent = 0
  let bounds: BoundsCheck | undefined
  const witnesses = new Witnesses()
  const simulation = new Simulation(scenario, {
    observers: (running) => {
      const checks = allChecks(running)
      for (const check of checks) if (check instanceof BoundsCheck) bounds = check
      return [
        ...checks,
        witnesses,
        { invoked: (operation) => void operations.push(operation), sent: () => void sent++ },
      ]
    },
  })
  expect(simulation.run().failure).toBeUndefined()
  return { operations, sent, witnesses, peak: Math.max(0, ...(bounds?.peaks.values() ?? [])) }
}

/** Answers between two simulated times. */
function answers(operations: readonly Operation[], fromMs: number, toMs: number): number {
  return operations.filter(({ returnedUs = -1 }) => returnedUs >= 1000 * fromMs && returnedUs < 1000 * toMs).length
}

/** Simulated milliseconds within which 99 of 100 requests were answered. */
function p99(operations: readonly Operation[]): number {
  const waits = operations.flatMap(({ invokedUs, returnedUs }) =>
    returnedUs === undefined ? [] : returnedUs - invokedUs,
  )
  waits.sort((a, b) => a - b)
  return (waits[Math.floor(waits.length * 0.99)] ?? 0) / 1000
}

describe('S19', () => {
  it('a leader that delays all to 0.9 of the time-out is replaced, and leaves 70 % of the throughput or more', () => {
    const settings = {
      seed: 'S19',
      parameters: { viewTimeoutMs: 100, viewTimeoutCapMs: 800 },
      clients: [{ operations: 100_000, outstanding: 8, bundle: 8, thinkUs: 60_000, retryMs: 400 }],
      safetyMs: 120_000,
    }
    const calm = answers(measured(scenarioOf(settings)).operations, 60_000, 120_000)
    const liars = [{ replica: 0, behaviour: 'slow:0.9' }]
    const slowed = answers(measured(scenarioOf({ ...settings, liars })).operations, 60_000, 120_000)
    expect(calm).toBeGreaterThan(1000)
    expect(slowed / calm).toBeGreaterThanOrEqual(0.7)
  })
})

describe('a leader that sends what it has to say some ticks late', () => {
  it('is given up as hesitant, and the rate is that of honest leaders from then on', () => {
    const settings = {
      seed: 'reorder',
      shell: { tickMs: 25 },
      parameters: { viewTimeoutMs: 500, viewTimeoutCapMs: 4000 },
      clients: [{ operations: 100_000, outstanding: 8, bundle: 8, thinkUs: 5_000, retryMs: 2000 }],
      safetyMs: 12_000,
    }
    const calm = measured(scenarioOf(settings))
    const late = measured(scenarioOf({ ...settings, liars: [{ replica: 0, behaviour: 'reorder' }] }))
    expect(calm.witnesses.counts.get('leader given up as hesitant')).toBeUndefined()
    expect(late.witnesses.counts.get('leader given up as hesitant')).toBeGreaterThan(0)
    const [honest = 0, lied = 0] = [calm, late].map(({ operations }) => answers(operations, 6_000, 12_000))
    expect(honest).toBeGreaterThan(1000)
    expect(lied / honest).toBeGreaterThanOrEqual(0.75)
  })
})

describe('S22', () => {
  it.each(['future:40', 'flood:40'])(
    '%s for 30 s: latency stays under three times, and memory within its bounds',
    (behaviour) => {
      const settings = {
        seed: 'S22',
        shell: { tickMs: 10 },
        clients: [{ operations: 100_000, outstanding: 4, bundle: 4, thinkUs: 50_000, retryMs: 400 }],
        safetyMs: 30_000,
      }
      const calm = measured(scenarioOf(settings))
      const flooded = measured(scenarioOf({ ...settings, liars: [{ replica: 3, behaviour }] }))
      expect(flooded.sent - calm.sent).toBeGreaterThan(200_000)
      expect(p99(flooded.operations)).toBeLessThan(3 * p99(calm.operations))
      // Some 1,000 items at most in any one collection (I9 holds each to its own bound).
      expect(flooded.peak).toBeLessThan(2048)
    },
  )
})

describe('S11', () => {
  it('nine replicas, two that change fields of their messages, one that loses power again and again', () => {
    const crashes = (seed: number): Fault[] =>
      Array.from({ length: 8 }, (_, i) => ({
        do: 'crash',
        replica: 8,
        when: { atMs: 10 + 120 * i + (seed % 50) },
        until: { atMs: 60 + 120 * i + (seed % 70) },
      }))
    let caught = 0
    for (let seed = 1; seed <= 40; seed++) {
      const report = runScenario(
        scenarioOf({
          seed: `S11 ${seed}`,
          group: { replicas: 9, byzantine: 2, crash: 1 },
          parameters: { window: 4, checkpointInterval: 4, maxBatchRequests: 4 },
          liars: [
            { replica: seed % 7, behaviour: 'mutate:0.5' },
            { replica: 7, behaviour: 'mutate' },
          ],
          clients: [{ ...CALM.clients[0], operations: 80, thinkUs: 10_000 }],
          faults: crashes(seed),
        }),
      )
      expect(report.failure).toBeUndefined()
      expect(report.operations.answered).toBe(report.operations.asked)
      expect(report.faults.crash).toBeGreaterThan(0)
      caught += report.witnesses['bad message refused'] ?? 0
    }
    expect(caught).toBeGreaterThan(0)
  })
})
