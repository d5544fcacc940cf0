// npm run bench -- load: whole clusters of real processes under load.

import type { Command } from 'commander'
import { heading, machine, progressBar, table, today } from '../report.ts'
import { positive } from '../suites.ts'
import { figuresOf } from './figures.ts'
import { type RunResult, run } from './run.ts'
import { type Setting, type SettingOptions, settingText, sweepOf } from './settings.ts'

interface Options extends SettingOptions {
  readonly runs: number
  readonly json?: true
}

/** Phases of a run: start, warm up, measure, read back. */
const PHASES = 4

const EXAMPLES = `
Examples:
  $ npm run bench -- load --clients 4 --outstanding 64
  $ npm run bench -- load --crash --replicas 3 --operation get --read lease
  $ npm run bench -- load --outstanding 1,16,64 --seconds 10 --runs 5
  $ npm run --silent bench -- load --parameter window=64 --json > load.json

The temporary files are made in the folder that TMPDIR names, and removed at the end. NODE_OPTIONS=--cpu-prof makes every process
write a profile.
`

export function addLoad(program: Command): void {
  program
    .command('load')
    .description('measure a new cluster of real replica processes, with the load from another process')
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
    .option('--kill <whom>', 'leader: killed with SIGKILL in the middle of the measured time')
    .option('--parameter <name=number...>', 'of the genesis, such as window=64')
    .option('--warm-up <s>', 'seconds before it is measured (default: 3)')
    .option('--seconds <s>', 'measured seconds of a run (default: 5)')
    .option('--runs <n>', 'runs, each with a new cluster', positive, 3)
    .option('--json', 'print one JSON object instead of tables')
    .addHelpText('after', EXAMPLES)
    .action(measureAll)
}

async function measureAll(options: Options): Promise<void> {
  const { settings } = sweepOf(options)
  const stop = new AbortController()
  const onSignal = () => stop.abort(new Error('stopped'))
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, onSignal)
  const bar = progressBar(settings.length * options.runs * PHASES, process.stderr)
  const points: { readonly setting: Setting; readonly runs: readonly RunResult[] }[] = []
  try {
    for (const [i, setting] of settings.entries()) {
      const runs: RunResult[] = []
      while (runs.length < options.runs) {
        const onPhase = (phase: string) => bar.step(`${i + 1} of ${settings.length}, run ${runs.length + 1}: ${phase}`)
        runs.push(await run(setting, { signal: stop.signal, onPhase }))
      }
      points.push({ setting, runs })
    }
  } finally {
    bar.end()
  }
  const reports = points.map(({ setting, runs }) => ({
    ...{ suite: 'load', date: today(), machine: machine(), settings: { runs: runs.length, ...settingText(setting) } },
    figures: figuresOf(runs),
    failures: runs.map(({ load }) => load.failures),
    checked: runs.map(({ checked }) => checked),
  }))
  if (options.json === true) console.log(JSON.stringify({ suite: 'load', points: reports }, null, 2))
  else for (const report of reports) console.log(`${heading(report)}\n\n${table(report)}\n`)
}
