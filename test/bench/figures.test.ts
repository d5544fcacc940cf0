import { describe, expect, it } from 'vitest'
import { figuresOf } from '../../bench/cluster/figures.ts'
import type { Measured } from '../../bench/cluster/messages.ts'
import { metricsOf, workOf } from '../../bench/cluster/metrics.ts'
import { plotOf } from '../../bench/cluster/plot.ts'
import type { RunResult } from '../../bench/cluster/run.ts'
import { Window } from '../../bench/cluster/window.ts'
import { loadFault } from '../../bench/smoke.ts'
import { axisOf } from '../../bench/svg.ts'

const pageAt = (uptime: number, syncs: number, user: number) => `
# HELP quorate_uptime_seconds seconds since the start
quorate_uptime_seconds ${uptime}
quorate_store_syncs_total ${syncs}
quorate_cpu_microseconds_total{mode="user"} ${user}
quorate_cpu_microseconds_total{mode="system"} 100
quorate_resident_bytes 1048576
other_uptime_seconds 7
`

function runOf(operations: number, failures: Measured['failures'] = {}): RunResult {
  const work = (replica: number) => workOf(replica, metricsOf(pageAt(10, 5, 0)), metricsOf(pageAt(12, 25, 4000)))
  const latency = { p50: 1, p90: 2, p99: 3, p999: 4, max: 5, mean: 1.5 }
  const load: Measured = {
    ...{ kind: 'measured', seconds: 2, operations, latency, longestGapMs: 6, failures, counters: { retries: 9 } },
    ...{ cpuUs: { user: 60, system: 40 }, residentBytes: 0 },
  }
  return { load, replicas: [work(0), work(1)], checked: 4 }
}

describe('what a replica did', () => {
  it('is the rise of its counters by its own clock, with labels added up and apart', () => {
    const { seconds, rates, residentBytes } = workOf(0, metricsOf(pageAt(10, 5, 0)), metricsOf(pageAt(12, 25, 4000)))
    expect({ seconds, residentBytes }).toEqual({ seconds: 2, residentBytes: 1048576 })
    expect(rates.get('store_syncs_total')).toBe(10)
    expect(rates.get('cpu_microseconds_total')).toBe(2000)
    expect(rates.get('cpu_microseconds_total{mode="system"}')).toBe(0)
  })

  it('is given per operation, of all replicas together, with the median of the runs', () => {
    const figures = figuresOf([runOf(20), runOf(10), runOf(40)])
    const of = (name: string) => figures.find((each) => each.name === name)
    expect(of('operations')).toMatchObject({ median: 10, min: 5, max: 20 })
    expect(of('syncs an operation')).toMatchObject({ median: 2, min: 1, max: 4 })
    expect(of('cpu an operation, replica 1')).toMatchObject({ median: 200 })
    expect(of('cpu an operation, all replicas')).toMatchObject({ median: 400 })
    expect(of('cpu an operation, loader')).toMatchObject({ median: 5 })
    expect(of('requests sent again')).toMatchObject({ median: 9 })
  })

  it('names why views were given up, where any were', () => {
    const page = (slow: number) => `quorate_uptime_seconds ${slow}\nquorate_views_total{reason="slow-leader"} ${slow}\n`
    const work = workOf(0, metricsOf(page(2)), metricsOf(page(5)))
    const busy = figuresOf([{ ...runOf(20), replicas: [work] }])
    expect(busy.find(({ name }) => name === '... for slow-leader')).toMatchObject({ median: 3 })
    expect(figuresOf([runOf(20)]).filter(({ name }) => name.startsWith('... for'))).toEqual([])
  })
})

describe('the measured time', () => {
  it('counts answers that came within it, and the longest time without one up to its end', () => {
    const window = new Window(1000)
    window.done(999)
    for (const at of [1100, 1150, 1400]) window.done(at)
    window.close(2000, { bundles: 3 })
    window.done(2000)
    const { seconds, operations, longestGapMs, counters } = window.result()
    expect({ seconds, operations, longestGapMs, counters }).toEqual({
      ...{ seconds: 1, operations: 3, longestGapMs: 600, counters: { bundles: 3 } },
    })
  })

  it('keeps three digits of each latency, whether a request took microseconds or minutes', () => {
    const window = new Window(0)
    for (let i = 0; i < 98; i++) window.took(0.25)
    window.took(1234.5)
    window.took(120_000)
    window.close(1)
    const { p50, p99, max } = window.result().latency
    expect(p50).toBeCloseTo(0.25, 3)
    expect(Math.abs(p99 / 1234.5 - 1)).toBeLessThan(0.001)
    expect(Math.abs(max / 120_000 - 1)).toBeLessThan(0.001)
  })

  it('names what failed, and of endlessly many names only the first', () => {
    const window = new Window(0)
    for (let i = 0; i < 30; i++) window.failed(`code ${i}`)
    window.failed('code 0')
    window.close(1)
    const { failures } = window.result()
    expect(failures['code 0']).toBe(2)
    expect(Object.keys(failures)).toHaveLength(21)
    expect(failures.others).toBe(10)
  })
})

describe('the picture', () => {
  it('has an axis from 0 by round steps, or by powers of ten', () => {
    const linear = axisOf('linear', [943, 12])
    expect(linear.ticks).toEqual([0, 200, 400, 600, 800, 1000])
    expect(linear.place(500)).toBe(0.5)
    expect(axisOf('linear', [0.3]).ticks).toEqual([0, 0.1, 0.2, 0.3])
    const log = axisOf('log', [0.9, 57, 280])
    expect(log.ticks).toEqual([0.1, 1, 10, 100, 1000])
    expect(log.place(10)).toBeCloseTo(0.5)
    expect(axisOf('linear', []).place(0)).toBe(0)
    expect(axisOf('log', []).ticks).toEqual([1, 10])
  })

  it('shows every value, says what did not vary, and escapes what it says', () => {
    const report = (size: number) => ({
      ...{ suite: 'load', date: '2026-11-25', settings: { size, mode: 'a<b' }, figures: figuresOf([runOf(size)]) },
      machine: { node: '24', openssl: '3', cpu: 'x', cores: 2 },
    })
    const points = [10, 20].map((value) => ({ value: String(value), report: report(value) }))
    const svg = plotOf('--size', points)
    expect(svg.match(/<circle /g)).toHaveLength(6)
    expect(svg).toContain('>10</text>')
    expect(svg).toContain('mode a&lt;b')
    expect(svg).not.toContain('size 10')
    expect(svg).not.toMatch(/NaN|Infinity|undefined/)
  })
})

describe('the smoke run', () => {
  const output = (run: Partial<Record<'operations' | 'checked', number>>, failures = {}) =>
    JSON.stringify({
      points: [
        {
          figures: [{ name: 'operations', median: null }],
          runs: [{ operations: 5, checked: 3, counters: {}, failures, ...run }],
        },
      ],
    })

  it.each([
    ['', 'printed no report of a load'],
    [output({ operations: 0 }), 'nothing was answered'],
    [output({ checked: 0 }), 'nothing was read back'],
    [output({}, { OutcomeUnknown: 2 }), 'operations failed: OutcomeUnknown'],
    [output({}), undefined],
  ])('finds what is wrong with %j', (text, fault) => {
    expect(loadFault(text)).toBe(fault)
  })
})
