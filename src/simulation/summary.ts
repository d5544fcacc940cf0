// Many seeds: one row for each, small enough to cross threads by the million, and their sum.

import { drawScenario } from './draw.ts'
import { TraceHash } from './kernel/index.ts'
import type { DrawOptions } from './profiles.ts'
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
  /** Fingerprint over the runs up to {@link nextSeed}, and the hashes of later ones that came before their turn. */
  readonly hash: TraceHash
  nextSeed: number
  readonly early: Map<number, string>
}

export function runSeed(seed: number, draw: DrawOptions, options?: RunOptions): SeedResult {
  return { seed, report: runScenario(drawScenario(seed, draw), options) }
}

/** The sum of no runs; seeds count from `first`. */
export function emptySummary(first: number): Summary {
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
    hash: new TraceHash(),
    nextSeed: first,
    early: new Map(),
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
  summary.early.set(seed, report.hash)
  for (let next = summary.early.get(summary.nextSeed); next !== undefined; next = summary.early.get(summary.nextSeed)) {
    fold(summary, summary.nextSeed, next)
    summary.nextSeed++
  }
}

/** One fingerprint over all runs, in the order of their seeds. Takes what came before its turn last: nothing may be added after. */
export function hashOf(summary: Summary): string {
  for (const [seed, text] of [...summary.early].sort(([a], [b]) => a - b)) fold(summary, seed, text)
  return summary.hash.digest()
}

function fold({ hash, early }: Summary, seed: number, text: string): void {
  hash.number(seed)
  hash.text(text)
  early.delete(seed)
}

function addCounts(sum: Record<string, number>, counts: Readonly<Record<string, number>>): void {
  for (const [name, count] of Object.entries(counts)) sum[name] = (sum[name] ?? 0) + count
}
