// npm run bench -- <suite>: runs one suite of benchmarks and prints its figures.

import { availableParallelism, cpus } from 'node:os'
import { Command, CommanderError, InvalidArgumentError } from 'commander'
import { cryptoSuite } from './crypto.ts'
import { machineSuite } from './machine.ts'
import { measure, type Suite } from './measure.ts'
import { heading, progressBar, type Report, table } from './report.ts'
import { storageSuite } from './storage.ts'
import { wireSuite } from './wire.ts'

/** Every suite by its name. */
const SUITES: Readonly<Record<string, Suite>> = {
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

const EXAMPLES = `
Examples:
  $ npm run bench -- crypto
  $ npm run --silent bench -- crypto --runs 15 --json > crypto.json
`

const command = new Command('npm run bench --')
  .exitOverride()
  .description('Measure one part of Quorate on this machine: the median of several runs, with the least and the most.')
  .argument('<suite>', `what to measure: ${Object.keys(SUITES).join(', ')}`, oneOfSuites)
  .option('--json', 'print one JSON object instead of a table')
  .option('--runs <n>', 'runs of each figure', positive, 9)
  .option('--time <ms>', 'least length of a run in milliseconds', positive, 100)
  .option('--quick', 'small inputs and two short runs: shows that the suite works, its figures mean nothing')
  .addHelpText('after', EXAMPLES)
  .action(run)

try {
  await command.parseAsync()
} catch (error) {
  if (!(error instanceof CommanderError)) throw error
  process.exitCode = error.exitCode === 0 ? 0 : 2
}

async function run(suite: { readonly name: string; readonly prepare: Suite }, options: Options): Promise<void> {
  const quick = options.quick === true
  const runs = quick ? 2 : options.runs
  const minimumMs = quick ? 1 : options.time
  const plan = await suite.prepare({ quick })
  const bar = progressBar(plan.groups.flat().length * runs, process.stderr)
  try {
    const figures = await measure(plan, { runs, minimumMs, onRun: (name) => bar.step(name) })
    bar.end()
    const settings = { runs, 'ms a run': minimumMs, ...plan.settings }
    const report: Report = { suite: suite.name, date: today(), machine: machine(), settings, figures }
    console.log(options.json === true ? JSON.stringify(report, null, 2) : `${heading(report)}\n\n${table(report)}`)
  } finally {
    bar.end()
    await plan.close()
  }
}

function machine(): Report['machine'] {
  const { node, openssl } = process.versions
  return { node, openssl, cpu: cpus()[0]?.model ?? 'unknown', cores: availableParallelism() }
}

function today(): string {
  return new Date().toISOString().slice(0, 10)
}

function oneOfSuites(name: string): { readonly name: string; readonly prepare: Suite } {
  const prepare = Object.hasOwn(SUITES, name) ? SUITES[name] : undefined
  if (prepare === undefined)
    throw new InvalidArgumentError(`There are these suites: ${Object.keys(SUITES).join(', ')}.`)
  return { name, prepare }
}

function positive(text: string): number {
  if (!/^[1-9][0-9]{0,6}$/.test(text)) throw new InvalidArgumentError('Expected a whole number from 1 up.')
  return Number(text)
}
