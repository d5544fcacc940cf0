// npm run bench -- <suite>: runs one suite of benchmarks and prints its figures.

import { Command, CommanderError } from 'commander'
import { KeysError } from '../keys/index.ts'
import { UsageError } from '../src/cli/command.ts'
import { LaunchError } from '../src/cli/launch/child.ts'
import { addLoad } from './cluster/command.ts'
import { addRestart } from './cluster/restart-command.ts'
import { BenchError } from './errors.ts'
import { addFloor } from './floor/command.ts'
import { addSmoke } from './smoke.ts'
import { addSuites } from './suites.ts'

const EXAMPLES = `
Examples:
  $ npm run bench -- crypto
  $ npm run --silent bench -- crypto --runs 15 --json > crypto.json
  $ npm run bench -- load --replicas 4 --clients 4 --outstanding 16
  $ npm run bench -- load --help
  $ npm run bench -- floor --outstanding 1,64,256
  $ npm run bench -- restart --keys 100000
  $ npm run bench -- smoke
`

const program = new Command('npm run bench --')
  .exitOverride()
  .description('Measure Quorate on this machine: the median of several runs, with the least and the most.')
  .usage('<suite> [options]')
  .argument('[suite]')
  .addHelpText('after', EXAMPLES)
program.action((suite?: string) => {
  const names = program.commands.map((command) => command.name()).join(', ')
  const found = suite === undefined ? 'name one' : `${JSON.stringify(suite)} is none of them`
  program.error(`error: there are the suites ${names}; ${found}`)
})
addSuites(program)
addLoad(program)
addRestart(program)
addFloor(program)
addSmoke(program)

try {
  await program.parseAsync()
} catch (error) {
  process.exitCode = exitCodeOf(error)
}

/** 2 for a user's mistake, 1 for a measurement that failed; both with one sentence. @throws whatever is a bug. */
function exitCodeOf(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2
  const mistake = error instanceof UsageError || error instanceof KeysError
  if (!mistake && !(error instanceof BenchError) && !(error instanceof LaunchError)) throw error
  // A genesis with faults lists them line by line.
  console.error(`error: ${error.message.replace(/\s*\n\s*/g, ' ')}`)
  return mistake ? 2 : 1
}
