// npm run bench -- restart: replicas with large states, started with and without them.

import type { Command } from 'commander'
import { DEFAULT_PARAMETERS } from '../../keys/index.ts'
import { UsageError } from '../../src/cli/command.ts'
import { interruptible } from '../interrupt.ts'
import { heading, machine, percentBar, type Report, table, today } from '../report.ts'
import { positive } from '../suites.ts'
import { type RestartSetting, restart } from './restart.ts'

/** One fits into a request beside its key. */
const LARGEST_VALUE = DEFAULT_PARAMETERS.maxRequestBytes / 2

interface Options extends RestartSetting {
  readonly json?: true
}

const EXAMPLES = `
Examples:
  $ npm run bench -- restart --keys 100000
  $ npm run --silent bench -- restart --runs 3 --json > restart.json

A replica is killed before the keys are written, and started without a state afterwards: it fetches all of it. Then followers are killed and
started again. Each is timed from the start of its process until it has executed all that the others have. bench/README.md says more.
`

export function addRestart(program: Command): void {
  program
    .command('restart')
    .description('measure how long replicas with a large state are away')
    .option('--replicas <n>', 'how many, at least 4', positive, 4)
    .option('--keys <n>', 'keys of the state', positive, 1_000_000)
    .option('--size <bytes>', `of a value, at most ${LARGEST_VALUE}`, positive, 64)
    .option('--runs <n>', 'restarts of each of two followers', positive, 3)
    .option('--json', 'print one JSON object instead of a table')
    .addHelpText('after', EXAMPLES)
    .action(measure)
}

async function measure({ json, ...setting }: Options): Promise<void> {
  if (setting.replicas < 4 || setting.replicas > 31)
    throw new UsageError('--replicas must be from 4 to 31: one is away')
  if (setting.size > LARGEST_VALUE) throw new UsageError(`--size must be at most ${LARGEST_VALUE}`)
  const bar = percentBar(process.stderr)
  const figures = await interruptible((signal) => restart(setting, { signal, onProgress: bar.show })).finally(bar.end)
  const { replicas, keys, size, runs } = setting
  const settings = { replicas, keys, 'value bytes': size, runs, durability: 'fsync' }
  const report: Report = { suite: 'restart', date: today(), machine: machine(), settings, figures }
  console.log(json === true ? JSON.stringify(report, null, 2) : `${heading(report)}\n\n${table(report)}`)
}
