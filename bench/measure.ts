// Measuring: what is compared is run in turns, so that a busy moment of a shared machine hits all of it, and a figure is
// the median of several runs with the least and the most.

export interface Case {
  readonly name: string
  /** `us`: microseconds an operation. `/s`: operations a second. */
  readonly unit: 'us' | '/s'
  /** Operations that one call does. */
  readonly operations: number
  /** A promise is waited for. */
  readonly call: () => unknown
  /** Milliseconds since some moment; wall-clock time, unless told. */
  readonly clock?: () => number
}

/** Cases to compare. */
export type Group = readonly Case[]

/** How many times as long an operation of `dividend` takes as one of `divisor`, in the same run; both of one group. */
export interface RatioOf {
  readonly name: string
  readonly dividend: string
  readonly divisor: string
}

export interface Figure {
  readonly name: string
  /** `x`: times; nothing for a plain number. */
  readonly unit: 'us' | 'ms' | '/s' | 'x' | 'MiB' | '%' | ''
  readonly median: number
  readonly min: number
  readonly max: number
  readonly runs: number
}

export interface MeasureOptions {
  readonly runs: number
  /** Least length of a run in milliseconds; calls are repeated to reach it. */
  readonly minimumMs: number
  /** Called after every run. */
  readonly onRun?: (name: string) => void
}

/** What a suite measures, prepared. */
export interface Plan {
  /** What the figures depend on beside the machine. */
  readonly settings: Readonly<Record<string, string | number>>
  readonly groups: readonly Group[]
  readonly ratios: readonly RatioOf[]
  close(): Promise<void>
}

/** `quick` is for tests of the benchmark itself: small inputs, figures without meaning. */
export type Suite = (options: { readonly quick: boolean }) => Promise<Plan>

/** Figures of every case and ratio of `plan`, in its order. */
export async function measure(plan: Plan, options: MeasureOptions): Promise<Figure[]> {
  const times = new Map<string, readonly number[]>()
  const figures: Figure[] = []
  for (const group of plan.groups) {
    for (const [{ name, unit }, microseconds] of await measureGroup(group, options)) {
      times.set(name, microseconds)
      figures.push(figure(name, unit, unit === 'us' ? microseconds : microseconds.map((each) => 1e6 / each)))
    }
  }
  for (const ratio of plan.ratios) figures.push(figure(ratio.name, 'x', quotients(times, ratio)))
  return figures
}

/** A figure for a check that failed would mean nothing. @throws {Error} where `held` is false. */
export function requireHeld(held: boolean): void {
  if (!held) throw new Error('a check failed while it was measured')
}

/** Microseconds an operation, per case and run. */
async function measureGroup(group: Group, options: MeasureOptions): Promise<[Case, number[]][]> {
  const prepared: { readonly each: Case; readonly calls: number; readonly times: number[] }[] = []
  for (const each of group) prepared.push({ each, calls: await callsFor(each, options.minimumMs), times: [] })
  for (let run = 0; run < options.runs; run++) {
    for (const { each, calls, times } of prepared) {
      times.push((1e3 * (await milliseconds(each.call, calls, each.clock))) / (calls * each.operations))
      options.onRun?.(each.name)
    }
  }
  return prepared.map(({ each, times }) => [each, times])
}

/** Doubles the calls until they fill a run, which warms the code up as well. */
async function callsFor(each: Case, minimumMs: number): Promise<number> {
  for (let calls = 1; ; calls *= 2) {
    const elapsed = await milliseconds(each.call, calls)
    if (elapsed >= minimumMs) return Math.max(1, Math.ceil((calls * minimumMs) / elapsed))
  }
}

/** Synchronous calls are not awaited: that would cost as much as a hash does. */
async function milliseconds(call: Case['call'], calls: number, clock = () => performance.now()): Promise<number> {
  const start = clock()
  for (let i = 0; i < calls; i++) {
    const result = call()
    if (result instanceof Promise) await result
  }
  return clock() - start
}

/** The median of `values`, and what they lie between. */
export function figure(name: string, unit: Figure['unit'], values: readonly number[]): Figure {
  const sorted = values.toSorted((a, b) => a - b)
  const at = (index: number) => sorted[index] ?? Number.NaN
  return {
    name,
    unit,
    median: (at((sorted.length - 1) >> 1) + at(sorted.length >> 1)) / 2,
    min: at(0),
    max: at(sorted.length - 1),
    runs: sorted.length,
  }
}

function quotients(times: ReadonlyMap<string, readonly number[]>, ratio: RatioOf): number[] {
  const [dividends, divisors] = [times.get(ratio.dividend), times.get(ratio.divisor)]
  if (dividends === undefined || divisors === undefined) throw new Error(`ratio ${ratio.name}: a case is missing`)
  return dividends.map((time, run) => time / (divisors[run] ?? Number.NaN))
}
