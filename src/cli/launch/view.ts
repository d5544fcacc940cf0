// What `quorate up` shows of its replicas: a table for people, plain values for programs.

import type { Paint } from '../command.ts'
import { table } from '../table.ts'
import type { ReplicaReport } from './messages.ts'

/** One replica as the launcher sees it. */
export interface Seen {
  readonly index: number
  /** The behaviour that it was launched with; empty for an honest one. */
  readonly liar: string
  /** Undefined until it reports. */
  readonly report: ReplicaReport | undefined
  /** How it ended; undefined while it runs. */
  readonly ended: string | undefined
  /** Requests that it executed in the last second. */
  readonly perSecond: number
}

export interface ClusterFacts {
  readonly label: string
  /** n = 4, b = 1... in words. */
  readonly tolerance: string
}

const HEAD = ['replica', 'leads', 'view', 'slot', 'checkpoint', 'requests/s', 'connected', 'lies caught', '']

/** The live table, its lines painted as a whole: liars and dead ones red, the leader bold. */
export function tableLines({ label, tolerance }: ClusterFacts, seen: readonly Seen[], paint: Paint): string[] {
  const [head = '', ...rows] = table([HEAD, ...seen.map((each) => cellsOf(each, seen.length))]).split('\n')
  const painted = rows.map((row, i) => {
    const each = seen[i]
    if (each === undefined) return row
    if (each.ended !== undefined || liarOf(each) !== '') return paint('red', row)
    return leads(each) ? paint('bold', row) : row
  })
  return [paint('bold', `Cluster ${label}`) + paint('dim', `  ${tolerance}`), '', paint('dim', head), ...painted]
}

/** One line on the whole cluster. */
export function summaryLine(seen: readonly Seen[]): string {
  const reports = seen.flatMap(({ report, ended }) => (report === undefined || ended !== undefined ? [] : [report]))
  const epoch = Math.max(0, ...reports.map((each) => each.epoch))
  // Views begin anew in each epoch.
  const present = reports.filter((each) => each.epoch === epoch)
  const view = Math.max(0, ...present.map((each) => each.view))
  const position = present.find((each) => each.view === view)?.leader
  const leader = seen.find(({ report }) => report?.epoch === epoch && report.replica === position)?.index ?? position
  const running = seen.filter(({ ended }) => ended === undefined).length
  const slot = Math.max(0, ...reports.map((each) => each.executed))
  const stable = Math.max(0, ...reports.map((each) => each.stable))
  const perSecond = Math.max(0, ...seen.map((each) => each.perSecond))
  const lies = liesText(liesOf(seen))
  return [
    `${running} of ${seen.length} run`,
    ...(epoch === 0 ? [] : [`epoch ${epoch}`]),
    `view ${view}${leader === undefined ? '' : ` led by ${leader}`}`,
    `slot ${slot}`,
    `checkpoint ${stable}`,
    `${perSecond} requests/s`,
    ...(lies === '' ? [] : [`lies caught: ${lies}`]),
  ].join(', ')
}

/** Who was proved to have lied, by honest replicas' accounts; of one count the highest. */
export function liesOf(seen: readonly Seen[]): ReplicaReport['lies'] {
  const highest = new Map<string, ReplicaReport['lies'][number]>()
  for (const each of seen) {
    if (each.report === undefined || liarOf(each) !== '') continue
    for (const lie of each.report.lies) {
      const name = `${lie.accused} ${lie.kind}`
      if ((highest.get(name)?.count ?? 0) < lie.count) highest.set(name, lie)
    }
  }
  return [...highest.values()].sort((a, b) => a.accused - b.accused)
}

/** For programs: everything known of each. */
export function seenValue(seen: readonly Seen[]): object {
  return {
    replicas: seen.map(({ index, liar, report, ended, perSecond }) => ({
      ...(report ?? {}),
      replica: index,
      liar: report?.liar ?? liar,
      state: ended === undefined ? (report === undefined ? 'starting' : 'running') : 'stopped',
      ended: ended ?? null,
      perSecond,
    })),
  }
}

function cellsOf(each: Seen, replicas: number): string[] {
  const { index, report, ended, perSecond } = each
  const liar = liarOf(each)
  const name = String(index)
  if (ended !== undefined)
    return [name, '', '', '', '', '', '', '', `stopped${ended === 'stopped' ? '' : ` (${ended})`}`]
  const notes = liar === '' ? [] : [`lies: ${liar}`]
  if (report === undefined) return [name, '', '', '', '', '', '', '', [...notes, 'starting'].join(', ')]
  const { view, active, executed, stable, connected, lies, transferring, alarms } = report
  if (!active) notes.push('changing view')
  if (transferring) notes.push('catching up')
  notes.push(...alarms)
  return [
    ...[name, leads(each) ? 'leader' : '', String(view), String(executed), String(stable), String(perSecond)],
    ...[`${connected.length} of ${replicas - 1}`, liesText(lies), notes.join(', ')],
  ]
}

function leads({ report, ended }: Seen): boolean {
  return ended === undefined && report !== undefined && report.active && report.leader === report.replica
}

function liarOf({ liar, report }: Seen): string {
  return report === undefined || report.liar === '' ? liar : report.liar
}

function liesText(lies: ReplicaReport['lies']): string {
  return lies.map(({ accused, kind, count }) => `${accused} ${kind}${count > 1 ? ` x${count}` : ''}`).join(', ')
}
