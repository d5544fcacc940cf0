// The measured time of a load: what was done in it, how long that took, and what failed. Latencies go into an HDR histogram, which
// keeps three digits of each whatever its size (node:perf_hooks has one).

import { createHistogram, type RecordableHistogram } from 'node:perf_hooks'
import type { Measured } from './messages.ts'

/** Microseconds: longer than any deadline of a call. */
const HIGHEST_US = 3_600_000_000
const FAILURES_NAMED = 20

export class Window {
  private readonly startMs: number
  private readonly cpu = process.cpuUsage()
  private readonly histogram: RecordableHistogram = createHistogram({ lowest: 1, highest: HIGHEST_US, figures: 3 })
  private readonly failures = new Map<string, number>()
  private operations = 0
  private lastMs: number
  private gapMs = 0
  private endMs = Number.POSITIVE_INFINITY
  private cpuUs = { user: 0, system: 0 }
  private counters: Readonly<Record<string, number>> = {}

  constructor(nowMs: number) {
    this.startMs = nowMs
    this.lastMs = nowMs
  }

  /** True where something that began then is to be measured, in an open loop. */
  holds(momentMs: number): boolean {
    return momentMs >= this.startMs && momentMs < this.endMs
  }

  /** The end of the measured time, and what the clients counted in it; what was begun before may still be noted. */
  close(nowMs: number, counters: Readonly<Record<string, number>> = {}): void {
    this.counters = counters
    this.endMs = nowMs
    this.gapMs = Math.max(this.gapMs, nowMs - this.lastMs)
    this.cpuUs = process.cpuUsage(this.cpu)
  }

  /** An answer that came within the measured time. */
  done(nowMs: number): void {
    if (!this.holds(nowMs)) return
    this.operations++
    this.gapMs = Math.max(this.gapMs, nowMs - this.lastMs)
    this.lastMs = nowMs
  }

  took(ms: number): void {
    this.histogram.record(Math.min(HIGHEST_US, Math.max(1, Math.round(ms * 1000))))
  }

  failed(name: string): void {
    const known = this.failures.has(name) || this.failures.size < FAILURES_NAMED
    const key = known ? name : 'others'
    this.failures.set(key, (this.failures.get(key) ?? 0) + 1)
  }

  /** Requires that it is closed. */
  result(): Measured {
    const { histogram } = this
    const empty = histogram.count === 0
    const at = (percent: number) => (empty ? 0 : histogram.percentile(percent) / 1000)
    return {
      kind: 'measured',
      seconds: (this.endMs - this.startMs) / 1000,
      operations: this.operations,
      latency: {
        ...{ p50: at(50), p90: at(90), p99: at(99), p999: at(99.9) },
        ...{ max: empty ? 0 : histogram.max / 1000, mean: empty ? 0 : histogram.mean / 1000 },
      },
      longestGapMs: this.gapMs,
      failures: Object.fromEntries(this.failures),
      counters: this.counters,
      cpuUs: this.cpuUs,
      residentBytes: process.memoryUsage.rss(),
    }
  }
}
