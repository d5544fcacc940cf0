// The suites that measure one part of Quorate in this process.

import { type Command, InvalidArgumentError } from 'commander'
import { cryptoSuite } from './crypto.ts'
import { machineSuite } from './machine.ts'
import { measure, type Suite } from './measure.ts'
import { heading, machine, progressBar, type Report, table, today } from './report.ts'
import { storageSuite } from './storage.ts'
import { wireSuite } from './wire.ts'

/** Every suite by its name. */
export const SUITES: Readonly<Record<string, Suite>> = {
  crypto: cryptoSuite,
  machine: machineSuite,
  storage: storageSuite,
  wire: wireSuite,
}

interface Options {
  readonly json?: true
  readonly runs: number
  readonly time: number
  readonly quick?: true
}

/** Adds a command for each suite. */
export function addSuites(program: Command): void {
  for (const [name, prepare] of Object.entries(SUITES)) {
    program
      .command(name)
      .description(`measure ${name}: the median of several runs, with the least and the most`)
      .option('--json', 'print one JSON object instead of a table')
      .option('--runs <n>', 'runs of each figure', positive, 9)
      .option('--time <ms>', 'least length of a run in milliseconds', positive, 100)
      .option('--quick', 'small inputs and two short runs: shows that the suite works, its figures mean nothing')
      .action((options: Options) => run(name, prepare, options))
  }
}

async function run(suite: string, prepare: Suite, options: Options): Promise<void> {
  const quick = options.quick === true
  const runs = quick ? 2 : options.runs
  const minimumMs = quick ? 1 : options.time
  const plan = await prepare({ quick })
  const bar = progressBar(plan.groups.flat().length * runs, process.stderr)
  try {
    const figures = await measure(plan, { runs, minimumMs, onRun: (name) => bar.step(name) })
    bar.end()
    const settings = { runs, 'ms a run': minimumMs, ...plan.settings }
    const report: Report = { suite, date: today(), machine: machine(), settings, figures }
    console.log(options.json === true ? JSON.stringify(report, null, 2) : `${heading(report)}\n\n${table(report)}`)
  } finally {
    bar.end()
    await plan.close()
  }
}

export function positive(text: string): number {
  if (!/^[1-9][0-9]{0,6}$/.test(text)) throw new InvalidArgumentError('Expected a whole number from 1 up.')
  return Number(text)
}
