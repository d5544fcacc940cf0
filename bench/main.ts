// npm run bench -- <suite>: runs one suite of benchmarks and prints its figures.

import { Command, CommanderError } from 'commander'
import { UsageError } from '../src/cli/command.ts'
import { addLoad } from './cluster/command.ts'
import { addSuites } from './suites.ts'

const EXAMPLES = `
Examples:
  $ npm run bench -- crypto
  $ npm run --silent bench -- crypto --runs 15 --json > crypto.json
  $ npm run bench -- load --replicas 4 --clients 4 --outstanding 16
  $ npm run bench -- load --help
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

try {
  await program.parseAsync()
} catch (error) {
  if (error instanceof UsageError) console.error(`error: ${error.message}`)
  else if (!(error instanceof CommanderError)) throw error
  process.exitCode = error instanceof CommanderError && error.exitCode === 0 ? 0 : 2
}
