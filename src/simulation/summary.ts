// Many seeds: one row for each, small enough to cross threads by the million, and their sum.

import { TraceHash } from './kernel/index.ts'
import type { DrawOptions } from './profiles.ts'
import { drawScenario } from './profiles.ts'
import { type RunOptions, type RunReport, runScenario } from './run.ts'

export interface SeedResult {
  readonly seed: number
  readonly report: RunReport
}

export interface Summary {
  seeds: number
  failed: number
  /** Runs in which nothing went wrong on purpose and nobody lied: they show little. */
  quiet: number
  events: number
  operations: number
  simulatedMs: number
  slowestRecoveryMs: number
  readonly faults: Record<string, number>
  readonly witnesses: Record<string, number>
  readonly excuses: Record<string, number>
  /** Hashes by seed, until all are there. */
  readonly hashes: Map<number, string>
}

export function runSeed(seed: number, draw: DrawOptions, options?: RunOptions): SeedResult {
  return { seed, report: runScenario(drawScenario(seed, draw), options) }
}

export function emptySummary(): Summary {
  return {
    seeds: 0,
    failed: 0,
    quiet: 0,
    events: 0,
    operations: 0,
    simulatedMs: 0,
    slowestRecoveryMs: 0,
    faults: {},
    witnesses: {},
    excuses: {},
    hashes: new Map(),
  }
}

export function addResult(summary: Summary, { seed, report }: SeedResult): void {
  summary.seeds++
  if (report.failure !== undefined) summary.failed++
  if (Object.keys(report.faults).length === 0 && report.liars === 0) summary.quiet++
  summary.events += report.events
  summary.operations += report.operations.answered
  summary.simulatedMs += report.simulatedMs
  summary.slowestRecoveryMs = Math.max(summary.slowestRecoveryMs, report.recoveryMs)
  addCounts(summary.faults, report.faults)
  addCounts(summary.witnesses, report.witnesses)
  for (const excuse of report.excuses) addCounts(summary.excuses, { [excuse]: 1 })
  summary.hashes.set(seed, report.hash)
}

/** One fingerprint over all runs, in the order of their seeds. */
export function hashOf(summary: Summary): string {
  const hash = new TraceHash()
  for (const [seed, text] of [...summary.hashes].sort(([a], [b]) => a - b)) {
    hash.number(seed)
    hash.text(text)
  }
  return hash.digest()
}

function addCounts(sum: Record<string, number>, counts: Readonly<Record<string, number>>): void {
  for (const [name, count] of Object.entries(counts)) sum[name] = (sum[name] ?? 0) + count
}
