// Figures of the runs of one setting: of each the median with the least and the most.

import { type Figure, figure } from '../measure.ts'
import type { RunResult } from './run.ts'

const MIB = 1024 * 1024

/** Counters of the replicas, as their metrics name them; summed over all of them and given per operation. */
const COUNTERS: readonly (readonly [name: string, metric: string])[] = [
  ['messages heard', 'messages_total'],
  ['network writes', 'network_writes_total'],
  ['network bytes', 'network_written_bytes_total'],
  ['signatures made', 'signatures_total'],
  ['signatures checked', 'signature_checks_total'],
  ['signatures known', 'signature_checks_spared_total'],
  ['log appends', 'store_appends_total'],
  ['syncs', 'store_syncs_total'],
  ['bytes to disk', 'store_written_bytes_total'],
]

const REASON = 'views_total{reason="'

/** Requires at least one run. */
export function figuresOf(runs: readonly RunResult[]): Figure[] {
  const of = (name: string, unit: Figure['unit'], value: (run: RunResult) => number) =>
    figure(name, unit, runs.map(value))
  const latency = (name: string, of_: keyof RunResult['load']['latency']) =>
    of(`latency, ${name}`, 'ms', ({ load }) => load.latency[of_])
  const indexes = [...new Set(runs.flatMap(({ replicas }) => replicas.map(({ replica }) => replica)))].sort(
    (a, b) => a - b,
  )
  const ofReplica = (run: RunResult, index: number) => run.replicas.find(({ replica }) => replica === index)
  return [
    of('operations', '/s', perSecond),
    ...[latency('p50', 'p50'), latency('p90', 'p90'), latency('p99', 'p99'), latency('p99.9', 'p999')],
    ...[latency('most', 'max'), latency('mean', 'mean')],
    of('longest time without an answer', 'ms', ({ load }) => load.longestGapMs),
    of('failed operations', '', ({ load }) => Object.values(load.failures).reduce((sum, each) => sum + each, 0)),
    of('requests sent again', '', ({ load }) => load.counters.retries ?? 0),
    of('reads that the log answered instead', '', ({ load }) => load.counters['read-fallbacks'] ?? 0),
    of('views begun or given up, all replicas', '', (run) => countOf(run, 'views_total')),
    ...reasonsOf(runs).map((name) => of(`... for ${name.slice(REASON.length, -2)}`, '', (run) => countOf(run, name))),
    of('operations a slot', '', (run) => {
      return perSecond(run) / Math.max(...run.replicas.map(({ rates }) => rates.get('slot_executed') ?? 0))
    }),
    of('cpu an operation, all replicas', 'us', replicaCpu),
    ...indexes.map((index) =>
      of(`cpu an operation, replica ${index}`, 'us', (run) => {
        return (ofReplica(run, index)?.rates.get('cpu_microseconds_total') ?? Number.NaN) / perSecond(run)
      }),
    ),
    of('cpu an operation, loader', 'us', ({ load }) => (load.cpuUs.user + load.cpuUs.system) / load.operations),
    of('of all processor time in the system', '%', systemShare),
    ...COUNTERS.map(([name, metric]) => of(`${name} an operation`, '', (run) => total(run, metric))),
    ...indexes.map((index) =>
      of(`memory, replica ${index}`, 'MiB', (run) => (ofReplica(run, index)?.residentBytes ?? Number.NaN) / MIB),
    ),
    of('memory, loader', 'MiB', ({ load }) => load.residentBytes / MIB),
  ]
}

export function perSecond({ load }: RunResult): number {
  return load.operations / load.seconds
}

/** In the measured time, by all replicas. */
function countOf({ replicas }: RunResult, metric: string): number {
  return replicas.reduce((sum, { seconds, rates }) => sum + seconds * (rates.get(metric) ?? 0), 0)
}

/** Why views were given up, where any were. */
function reasonsOf(runs: readonly RunResult[]): string[] {
  const names = new Set(runs.flatMap(({ replicas }) => replicas.flatMap(({ rates }) => [...rates.keys()])))
  return [...names].filter((name) => name.startsWith(REASON) && runs.some((run) => countOf(run, name) > 0)).sort()
}

/** Microseconds of processor time of all replicas, per operation. */
export function replicaCpu(run: RunResult): number {
  return total(run, 'cpu_microseconds_total')
}

/** Of all replicas, per operation. */
function total(run: RunResult, metric: string): number {
  return run.replicas.reduce((sum, { rates }) => sum + (rates.get(metric) ?? 0), 0) / perSecond(run)
}

function systemShare(run: RunResult): number {
  const system = total(run, 'cpu_microseconds_total{mode="system"}')
  return (100 * system) / total(run, 'cpu_microseconds_total')
}
