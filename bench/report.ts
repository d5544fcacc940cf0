// What a benchmark prints: a table for people, one JSON object for programs, and a bar on stderr while it runs.

import { availableParallelism, cpus } from 'node:os'
import type { Figure } from './measure.ts'

export interface Report {
  readonly suite: string
  readonly date: string
  readonly machine: { readonly node: string; readonly openssl: string; readonly cpu: string; readonly cores: number }
  readonly settings: Readonly<Record<string, string | number>>
  readonly figures: readonly Figure[]
}

const BAR_WIDTH = 24

const UNITS: Readonly<Record<Figure['unit'], string>> = {
  us: 'µs',
  ms: 'ms',
  '/s': '/s',
  x: 'times',
  MiB: 'MiB',
  '%': '%',
  '': '',
}

/** A Markdown table, aligned, so that it can be pasted into docs/performance.md as it is. */
export function table({ figures }: Report): string {
  const rows = figures.map(({ name, unit, median, min, max }) => [
    name,
    `${rounded(median)} ${UNITS[unit]}`.trimEnd(),
    rounded(min),
    rounded(max),
  ])
  const all = [['', 'median', 'min', 'max'], ...rows]
  const widths = [0, 1, 2, 3].map((column) => Math.max(...all.map((row) => row[column]?.length ?? 0)))
  const line = (row: readonly string[]) =>
    `| ${row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0))).join(' | ')} |`
  const rule = `|${widths.map((width, i) => (i === 0 ? '-'.repeat(width + 2) : `${'-'.repeat(width + 1)}:`)).join('|')}|`
  const [head = [], ...body] = all.map(line)
  return [head, rule, ...body].join('\n')
}

/** One line that says on what and how it was measured. */
export function heading({ suite, date, machine, settings }: Report): string {
  const with_ = Object.entries(settings).map(([name, value]) => `${name} ${value}`)
  const { node, openssl, cpu, cores } = machine
  return `${suite}, ${date}: Node ${node}, OpenSSL ${openssl}, ${cores} cores (${cpu}); ${with_.join(', ')}`
}

/** Advances by one at each call; draws only where `stream` is a terminal. */
export function progressBar(total: number, stream: NodeJS.WriteStream): { step(label: string): void; end(): void } {
  let done = 0
  return {
    step(label) {
      done++
      if (!stream.isTTY) return
      stream.write(barText(done / total, `${done}/${total} ${label}`))
    },
    end() {
      if (stream.isTTY) stream.write('\r\x1b[K')
    },
  }
}

/** Shows which share is done, from 0 to 1; draws only where `stream` is a terminal, and only what differs. */
export function percentBar(stream: NodeJS.WriteStream): { show(label: string, share: number): void; end(): void } {
  let shown = ''
  return {
    show(label, share) {
      const text = barText(share, `${Math.round(100 * share)} % ${label}`)
      if (!stream.isTTY || text === shown) return
      shown = text
      stream.write(text)
    },
    end() {
      if (stream.isTTY) stream.write('\r\x1b[K')
    },
  }
}

function barText(share: number, label: string): string {
  const filled = Math.round(BAR_WIDTH * share)
  return `\r\x1b[K[${'#'.repeat(filled)}${'.'.repeat(BAR_WIDTH - filled)}] ${label}`
}

/** Three digits that count, with thousands set apart. */
function rounded(value: number): string {
  if (!Number.isFinite(value)) return '-'
  const digits = value === 0 ? 0 : Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value))))
  return value.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits })
}

export function machine(): Report['machine'] {
  const { node, openssl } = process.versions
  return { node, openssl, cpu: cpus()[0]?.model ?? 'unknown', cores: availableParallelism() }
}

export function today(): string {
  return new Date().toISOString().slice(0, 10)
}
