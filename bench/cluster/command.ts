// npm run bench -- load: whole clusters of real processes under load.

import { constants } from 'node:fs'
import { access, writeFile } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import type { Command } from 'commander'
import { UsageError } from '../../src/cli/command.ts'
import { interruptible } from '../interrupt.ts'
import { heading, machine, progressBar, type Report, table, today } from '../report.ts'
import { positive } from '../suites.ts'
import { figuresOf } from './figures.ts'
import { plotOf } from './plot.ts'
import { type RunResult, run } from './run.ts'
import { type Setting, type SettingOptions, type Sweep, settingText, sweepOf } from './settings.ts'
import { PIECE_HEAD, PIECE_S, pieceText, steady } from './steady.ts'

interface Options extends SettingOptions {
  readonly runs: number
  readonly steady?: true
  readonly plot?: string
  readonly json?: true
}

/** Phases of a run: start, warm up, measure, read back. */
const PHASES = 4

const EXAMPLES = `
Examples:
  $ npm run bench -- load --clients 4 --outstanding 64
  $ npm run bench -- load --crash --operation get --read lease
  $ npm run bench -- load --outstanding 1,16,64,256 --plot load.svg
  $ npm run bench -- load --rate 500 --kill leader --seconds 20
  $ npm run bench -- load --liar 0=equivocate --parameter window=64
  $ npm run bench -- load --steady --seconds 600
  $ npm run --silent bench -- load --replicas 4,7,10 --json > replicas.json

One of --replicas, --durability, --clients, --outstanding, --rate, --size, --operation and --read may be a comma list: each of its
values is measured. Files are made in a new folder under TMPDIR, and removed at the end. bench/README.md says what is measured and how.
`

export function addLoad(program: Command): void {
  program
    .command('load')
    .description('measure new clusters of real replica processes, with the load from another process')
    .option('--replicas <n>', 'how many (default: 4, or 3 with --crash)')
    .option('--crash', 'nobody lies: b = 0')
    .option('--durability <level>', 'fsync, os or memory (default: fsync)')
    .option('--clients <c>', 'SDK instances, each with its own key (default: 4)')
    .option('--outstanding <k>', 'closed loop: requests that each client keeps under way (default: 16)')
    .option('--rate <r>', 'open loop: requests a second of all clients, due whatever became of the others')
    .option('--size <bytes>', 'of a value (default: 100)')
    .option('--operation <name>', 'put or get (default: put)')
    .option('--read <mode>', 'of a get: ordered, quorum, stale or lease (default: ordered)')
    .option('--keys <n>', 'different keys (default: 1000)')
    .option('--liar <i=behaviour...>', 'this replica lies')
    .option('--kill <whom>', 'with SIGKILL: leader, in the middle of the measured time, or follower, before the load')
    .option('--parameter <name=value...>', 'of the genesis, such as window=64')
    .option('--warm-up <s>', 'seconds before it is measured (default: 3)')
    .option('--seconds <s>', `measured seconds of a run (default: 5; with --steady 300)`)
    .option('--runs <n>', 'runs, each with a new cluster', positive, 3)
    .option('--steady', `one run, told in pieces of ${PIECE_S} s: does memory, disk or latency creep up?`)
    .option('--plot <file>', 'an SVG picture of throughput and latency over the values of the comma list')
    .option('--json', 'print one JSON object instead of tables')
    .addHelpText('after', EXAMPLES)
    .action(load)
}

async function load(options: Options): Promise<void> {
  const sweep = sweepOf({ ...(options.steady === true && { seconds: '300' }), ...options })
  await checkPlot(options, sweep)
  await interruptible((signal) =>
    options.steady === true ? loadSteadily(sweep, options, signal) : loadAll(sweep, options, signal),
  )
}

/** Said before minutes of measuring, not after. @throws {UsageError} */
async function checkPlot({ plot, steady }: Options, { over }: Sweep): Promise<void> {
  if (steady === true && over !== undefined)
    throw new UsageError(`--steady measures one setting: --${over} has several`)
  if (plot === undefined) return
  if (over === undefined)
    throw new UsageError('--plot needs an option with a comma list, such as --outstanding 1,16,64')
  await access(dirname(resolve(plot)), constants.W_OK).catch(() => {
    throw new UsageError(`--plot ${plot}: its folder cannot be written`)
  })
}

async function loadAll({ over, settings }: Sweep, options: Options, signal: AbortSignal): Promise<void> {
  const bar = progressBar(settings.length * options.runs * PHASES, process.stderr)
  const points: { readonly setting: Setting; readonly report: Report; readonly runs: readonly RunResult[] }[] = []
  try {
    for (const [i, setting] of settings.entries()) {
      const runs: RunResult[] = []
      while (runs.length < options.runs) {
        const onPhase = (phase: string) => bar.step(`${i + 1} of ${settings.length}, run ${runs.length + 1}: ${phase}`)
        runs.push(await run(setting, { signal, onPhase }))
      }
      points.push({ setting, runs, report: reportOf(setting, runs) })
    }
  } finally {
    bar.end()
  }
  if (over !== undefined && options.plot !== undefined) {
    const plotted = points.map(({ setting, report }) => ({ value: String(setting[over]), report }))
    await writeFile(options.plot, plotOf(`--${over}`, plotted))
  }
  if (options.json === true) {
    const values = points.map(({ report, runs }) => ({ ...report, runs: runs.map(resultOf) }))
    console.log(JSON.stringify({ suite: 'load', over: over ?? null, points: values }, null, 2))
  } else for (const { report } of points) console.log(`${heading(report)}\n\n${table(report)}\n`)
}

async function loadSteadily({ settings }: Sweep, { json }: Options, signal: AbortSignal): Promise<void> {
  const [setting] = settings
  if (setting === undefined) return
  const { figures: _, ...head } = { ...reportOf(setting, []) }
  if (json !== true) console.log(`${heading({ ...head, figures: [] })}\n\n${PIECE_HEAD}`)
  const onPiece =
    json === true ? {} : { onPiece: (piece: Parameters<typeof pieceText>[0]) => console.log(pieceText(piece)) }
  const { pieces, checked } = await steady(setting, { signal, ...onPiece })
  if (json === true) console.log(JSON.stringify({ ...head, pieces, checked }, null, 2))
}

function reportOf(setting: Setting, runs: readonly RunResult[]): Report {
  const settings = { ...(runs.length > 0 && { runs: runs.length }), ...settingText(setting) }
  const figures = runs.length > 0 ? figuresOf(runs) : []
  return { suite: 'load', date: today(), machine: machine(), settings, figures }
}

function resultOf({ load, checked }: RunResult): object {
  const { operations, seconds, latency, failures, counters } = load
  return { operations, seconds, latency, failures, counters, checked }
}
