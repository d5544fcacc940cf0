// What `quorate sim` says about many seeds, and about one that failed.

import type { Fault, RunReport, Scenario, Shrunk, Summary } from '../../simulation/index.ts'
import { WITNESSES } from '../../simulation/index.ts'
import { table } from '../table.ts'

/** A failing seed or file, made small. */
export interface FailureReport {
  /** `seed 7 of profile swarm`, or the file. */
  readonly what: string
  readonly report: RunReport
  /** The command line that repeats it. */
  readonly repeat: string
  readonly commit: string
  readonly shrunk: Shrunk | undefined
}

export function failureText({ what, report, repeat, commit, shrunk }: FailureReport): string {
  const { failure } = report
  if (failure === undefined) return ''
  const lines = [`${what} breaks ${failure.invariant} at ${failure.atMs} ms:`, `  ${failure.message}`]
  lines.push(`repeat it: ${repeat}`, `commit:    ${commit}`)
  if (shrunk === undefined) return lines.join('\n')
  const { scenario, runs } = shrunk
  const requests = scenario.clients.reduce((sum, { operations }) => sum + operations, 0)
  lines.push(
    '',
    `Shrunk in ${runs} runs to ${count(scenario.faults.length, 'fault')}, ${count(requests, 'request')}:`,
    ...scheduleLines(scenario).map((line) => `  ${line}`),
    `  then ${shrunk.failure.invariant} at ${shrunk.failure.atMs} ms: ${firstLine(shrunk.failure.message)}`,
    'As a file for --scenario:',
    JSON.stringify(scenario),
  )
  return lines.join('\n')
}

function scheduleLines({ group, liars, twins, changes, faults, clients }: Scenario): string[] {
  const { replicas, byzantine, crash } = group
  return [
    `n = ${replicas}, b = ${byzantine}, c = ${crash}; clients ask ${clients.map(({ operations }) => operations).join(', ')}`,
    ...liars.map(({ replica, behaviour }) => `replica ${replica} lies: ${behaviour}`),
    ...twins.map((replica) => `replica ${replica} runs twice`),
    ...changes.map((change, i) => `change ${i + 1} of the members: ${JSON.stringify(change)}`),
    ...faults.map(faultLine),
  ]
}

function faultLine(fault: Fault): string {
  const { do: action, when, until, ...what } = fault
  const details = Object.entries(what).map(([name, value]) => `${name} ${JSON.stringify(value)}`)
  const from = when === undefined ? 'from the start' : `when ${JSON.stringify(when)}`
  return `${from}: ${action} ${details.join(', ')}${until === undefined ? '' : `, until ${JSON.stringify(until)}`}`
}

/** Counts that show what the runs reached; a witness at zero is shown as well. */
export function summaryText(summary: Summary, seconds: number, hash: string): string {
  const { seeds, failed, events, operations, simulatedMs, quiet } = summary
  const perMinute = Math.round((60 * seeds) / Math.max(seconds, 0.001))
  const rows = [
    ['seeds', `${seeds}, of which ${failed} failed; ${perMinute} a minute; ${quiet} without any fault`],
    [
      'requests',
      `${operations} answered, in ${events} events and ${(simulatedMs / 1000).toFixed(0)} simulated seconds`,
    ],
    ['slowest recovery', `${Math.round(summary.slowestRecoveryMs)} ms after the healing`],
    ['excuses', countsText(summary.excuses)],
    ['faults', countsText(summary.faults)],
    ['hash', hash],
  ]
  const reached = WITNESSES.map((name) => [name, String(summary.witnesses[name] ?? 0)])
  return [table(rows), 'Reached', table(reached, '  ')].join('\n')
}

function countsText(counts: Readonly<Record<string, number>>): string {
  const shown = Object.entries(counts).map(([name, number]) => `${name} ${number}`)
  return shown.length === 0 ? 'none' : shown.join(', ')
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`
}

function firstLine(text: string): string {
  return text.split('\n', 1)[0] ?? ''
}
