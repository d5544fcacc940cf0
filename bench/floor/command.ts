// npm run bench -- floor: whole clusters and the floor of this machine in turns, so that one is measured by the other.

import type { Command } from 'commander'
import { UsageError } from '../../src/cli/command.ts'
import { perSecond, replicaCpu } from '../cluster/figures.ts'
import { type RunResult, run } from '../cluster/run.ts'
import { type Setting, settingText, sweepOf } from '../cluster/settings.ts'
import { interruptible } from '../interrupt.ts'
import { type Figure, figure } from '../measure.ts'
import { heading, machine, progressBar, type Report, table, today } from '../report.ts'
import { positive } from '../suites.ts'
import { type FloorResult, runFloor } from './floor.ts'

interface Options {
  readonly replicas?: string
  readonly crash?: true
  readonly durability?: string
  readonly clients?: string
  readonly outstanding?: string
  readonly size?: string
  readonly warmUp?: string
  readonly seconds?: string
  readonly runs: number
  readonly json?: true
}

const EXAMPLES = `
Examples:
  $ npm run bench -- floor --outstanding 1,64,256
  $ npm run bench -- floor --crash --outstanding 256 --runs 5
  $ npm run bench -- floor --clients 16 --outstanding 64 --warm-up 10
  $ npm run bench -- floor --clients 256 --outstanding 1 --warm-up 20
  $ npm run --silent bench -- floor --outstanding 1 --json > floor.json

The floor is what one slot costs at the least here: as many Node processes, the same messages over sealed TCP links, the same signatures,
checks, syncs and hashes, and no protocol around them. bench/README.md says more.
`

export function addFloor(program: Command): void {
  program
    .command('floor')
    .description('measure a cluster against what this machine can do at the best, in turns')
    .option('--replicas <n>', 'how many (default: 4, or 3 with --crash)')
    .option('--crash', 'nobody lies: b = 0')
    .option('--durability <level>', 'fsync or os (default: fsync)')
    .option('--clients <c>', 'each with its own key and connections, all in one process (default: 1)')
    .option('--outstanding <k>', 'requests that each client keeps under way; may be a comma list (default: 1)')
    .option('--size <bytes>', 'of a value (default: 100)')
    .option('--warm-up <s>', 'seconds before it is measured (default: 3)')
    .option('--seconds <s>', 'measured seconds of a run (default: 5)')
    .option('--runs <n>', 'runs of each, in turns', positive, 3)
    .option('--json', 'print one JSON object instead of tables')
    .addHelpText('after', EXAMPLES)
    .action(floor)
}

async function floor(options: Options): Promise<void> {
  const { settings } = sweepOf({ ...options, clients: options.clients ?? '1', outstanding: options.outstanding ?? '1' })
  // What keeps nothing has no syncs to compare.
  if (settings.some(({ durability }) => durability === 'memory')) {
    throw new UsageError('--durability memory: the floor writes what it agrees on; take fsync or os')
  }
  const reports = await interruptible((signal) => measureAll(settings, options.runs, signal))
  if (options.json === true) console.log(JSON.stringify(reports, null, 2))
  else console.log(reports.map((report) => `${heading(report)}\n\n${table(report)}`).join('\n\n'))
}

async function measureAll(settings: readonly Setting[], runs: number, signal: AbortSignal): Promise<Report[]> {
  const bar = progressBar(settings.length * runs * 2, process.stderr)
  const reports: Report[] = []
  try {
    for (const setting of settings) {
      const [floors, clusters]: [FloorResult[], RunResult[]] = [[], []]
      for (let i = 0; i < runs; i++) {
        floors.push(await runFloor(floorOf(setting), signal))
        bar.step('floor')
        clusters.push(await run(setting, { signal }))
        bar.step('cluster')
      }
      const described = { runs, ...settingText(setting) }
      const head = { suite: 'floor', date: today(), machine: machine(), settings: described }
      reports.push({ ...head, figures: figuresOf(floors, clusters) })
    }
  } finally {
    bar.end()
  }
  return reports
}

function floorOf({ replicas, crash, durability, clients, outstanding, size, warmUp, seconds }: Setting) {
  return { replicas, crash, sync: durability === 'fsync', clients, outstanding, size, warmUpSeconds: warmUp, seconds }
}

/** Ratios are of runs that followed one another. */
export function figuresOf(floors: readonly FloorResult[], clusters: readonly RunResult[]): Figure[] {
  const rows = [
    {
      ...({ name: 'operations', unit: '/s' } as const),
      floor: ({ operations, seconds }: FloorResult) => operations / seconds,
      cluster: perSecond,
    },
    {
      ...({ name: 'latency, p50', unit: 'ms' } as const),
      floor: ({ p50Ms }: FloorResult) => p50Ms,
      cluster: ({ load }: RunResult) => load.latency.p50,
    },
    {
      ...({ name: 'latency, p99', unit: 'ms' } as const),
      floor: ({ p99Ms }: FloorResult) => p99Ms,
      cluster: ({ load }: RunResult) => load.latency.p99,
    },
    {
      ...({ name: 'cpu an operation, all replicas', unit: 'us' } as const),
      floor: ({ replicaCpuUs, operations }: FloorResult) => replicaCpuUs / operations,
      cluster: replicaCpu,
    },
    {
      ...({ name: 'cpu an operation, all clients', unit: 'us' } as const),
      floor: ({ cpuUs, operations }: FloorResult) => cpuUs / operations,
      cluster: ({ load }: RunResult) => (load.cpuUs.user + load.cpuUs.system) / load.operations,
    },
  ]
  return rows.flatMap(({ name, unit, floor: ofFloor, cluster }) => {
    const [low, high] = [floors.map(ofFloor), clusters.map(cluster)]
    const ratios = high.map((value, i) => value / (low[i] ?? Number.NaN))
    return [
      figure(`${name}, floor`, unit, low),
      figure(`${name}, Quorate`, unit, high),
      figure(`${name}: Quorate / floor`, 'x', ratios),
    ]
  })
}
