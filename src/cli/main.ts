// The command line: parses it with commander, runs one command, prints its outcome, and chooses the exit code:
//
//    0  done
//    1  refused, or a fault found
//    2  usage: an unknown option, a value out of range, a file that is missing or unreadable
//   70  a bug: its stack is printed. Users' mistakes are UsageError and KeysError, and print one sentence.
//  130  interrupted
//
// Results go to standard output and errors to standard error. With --json each is one JSON value on its stream: the
// result, or {"error":{"code","message","faults"?}}; so a program that reads a result never takes an error for one.

import { createRequire } from 'node:module'
import { Argument, CommanderError, Command as Program } from 'commander'
import { KeysError, type KeysErrorCode } from '../../keys/index.ts'
import { type Command, type Context, inputOf, type Outcome, UsageError } from './command.ts'
import { commands } from './commands/index.ts'

/** Where a command line takes from and prints to; {@link runProcess} gives the real ones. */
export interface Terminal extends Context {
  readonly out: (text: string) => void
  readonly error: (text: string) => void
}

const EXIT = Object.freeze({ done: 0, refused: 1, usage: 2, bug: 70, interrupted: 130 })

const EXIT_OF_KEYS_ERROR: Readonly<Record<KeysErrorCode, number>> = Object.freeze({
  'not-found': EXIT.usage,
  unreadable: EXIT.usage,
  exists: EXIT.refused,
  'too-open': EXIT.refused,
  'not-a-key': EXIT.refused,
  'needs-passphrase': EXIT.usage,
  'wrong-passphrase': EXIT.refused,
  'bad-passphrase': EXIT.usage,
  'wrong-key': EXIT.refused,
  'bad-addresses': EXIT.usage,
  'invalid-genesis': EXIT.refused,
})

/** Runs the command line of this process. */
export async function runProcess(): Promise<void> {
  const interrupt = new AbortController()
  process.once('SIGINT', () => interrupt.abort())
  // Whoever reads our output may stop early (`| head`); that is not an error.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error
  })
  let shown = ''
  process.exitCode = await main(process.argv.slice(2), {
    environment: process.env,
    signal: interrupt.signal,
    out: (text) => process.stdout.write(text),
    error: (text) => process.stderr.write(text),
    progress: (text) => {
      if (process.stderr.isTTY && text !== shown) process.stderr.write(`\r\x1b[K${text}`)
      shown = text
    },
  })
}

/** Runs `quorate` with these arguments and returns the exit code. Never throws. */
export async function main(args: readonly string[], terminal: Terminal): Promise<number> {
  const json = args.includes('--json')
  let outcome: Outcome | undefined
  const program = programOf(terminal, async (command, commandArguments, options) => {
    outcome = await command.run(inputOf(commandArguments, options), terminal)
  })
  try {
    await program.parseAsync(args, { from: 'user' })
  } catch (error) {
    terminal.progress('')
    return report(error, terminal, json)
  }
  terminal.progress('')
  if (outcome === undefined) return EXIT.done
  terminal.out(json ? `${JSON.stringify(outcome.value, undefined, 2)}\n` : `${outcome.text}\n`)
  return EXIT[outcome.status]
}

type Run = (command: Command, args: Record<string, string>, options: Record<string, unknown>) => Promise<void>

function programOf(terminal: Terminal, run: Run): Program {
  const program = new Program('quorate')
    .description('Consensus for groups in which some of the machines may lie')
    .version(versionText(), '-V, --version', 'print the version')
  configure(program, terminal)
  const groups = new Map<string, Program>()
  for (const command of commands) {
    const words = command.name.split(' ')
    const group = words[0] ?? ''
    if (words.length > 1 && !groups.has(group)) {
      const names = commands.filter(({ name }) => name.startsWith(`${group} `)).map(({ name }) => name.split(' ')[1])
      const parent = program.command(group).description(`commands on a ${group}: ${names.join(', ')}`)
      configure(parent, terminal)
      groups.set(group, parent)
    }
    const parent = words.length > 1 ? (groups.get(group) ?? program) : program
    addCommand(parent.command(words.at(-1) ?? ''), command, terminal, run)
  }
  return program
}

function addCommand(target: Program, command: Command, terminal: Terminal, run: Run): void {
  configure(target, terminal)
  target.description(`${command.describe}.`).summary(command.describe)
  for (const argument of command.arguments) {
    const shown = argument.default === undefined ? `<${argument.name}>` : `[${argument.name}]`
    const added = new Argument(shown, argument.describe)
    target.addArgument(argument.default === undefined ? added : added.default(argument.default))
  }
  for (const { flags, describe, required, repeatable } of command.options) {
    if (required) target.requiredOption(flags, describe)
    else if (repeatable) target.option(flags, describe, (value: string, all: string[] = []) => [...all, value])
    else target.option(flags, describe)
  }
  target.option('--json', 'print one JSON value')
  const examples = command.examples.map(([line, describe]) => `  # ${describe}\n  ${line}`)
  target.addHelpText('after', `\nExamples:\n${examples.join('\n\n')}`)
  target.action(async () => {
    const args = Object.fromEntries(command.arguments.map(({ name }, i) => [name, String(target.processedArgs[i])]))
    await run(command, args, target.opts())
  })
}

function configure(program: Program, terminal: Terminal): void {
  program
    .exitOverride()
    .helpOption('-h, --help', 'show this help')
    .helpCommand(false)
    .configureOutput({ writeOut: terminal.out, writeErr: terminal.error, outputError: () => {} })
}

function report(error: unknown, terminal: Terminal, json: boolean): number {
  const say = (code: string, message: string, more: object = {}) =>
    terminal.error(json ? `${JSON.stringify({ error: { code, message, ...more } })}\n` : `quorate: ${message}\n`)
  if (error instanceof CommanderError) {
    if (error.exitCode === 0) return EXIT.done
    // Help for want of a command was printed already, to standard error.
    if (error.code !== 'commander.help') say('usage', error.message.replace(/^error: /, ''))
    return EXIT.usage
  }
  if (error instanceof UsageError) {
    say('usage', error.message)
    return EXIT.usage
  }
  if (error instanceof KeysError) {
    say(error.code, error.message, error.faults.length > 0 ? { faults: error.faults } : {})
    return EXIT_OF_KEYS_ERROR[error.code]
  }
  if (terminal.signal.aborted && error === terminal.signal.reason) {
    say('interrupted', 'interrupted; nothing was written')
    return EXIT.interrupted
  }
  const stack = error instanceof Error ? (error.stack ?? error.message) : String(error)
  say('bug', `this is a bug in quorate, please report it:\n${stack}`)
  return EXIT.bug
}

function versionText(): string {
  const manifest: unknown = createRequire(import.meta.url)('quorate/package.json')
  const known = typeof manifest === 'object' && manifest !== null && 'version' in manifest
  return known ? String(manifest.version) : 'unknown'
}
