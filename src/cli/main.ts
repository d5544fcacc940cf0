// The command line: parses it with commander, runs one command, prints its outcome, and chooses the exit code:
//
//    0  done
//    1  refused, or a fault found
//    2  usage: an unknown option, a value out of range, a file that is missing or unreadable
//    3  unknown: a request may or may not have been executed, since its deadline ran out; a log may or may not be the cluster's
//   70  a bug: its stack is printed. What is the user's to repair has an error class of its own, and prints one sentence.
//  130  interrupted
//
// Results go to standard output and errors to standard error. With --json each is one JSON value on its stream: the
// result, or {"error":{"code","message","faults"?}}; so a program that reads a result never takes an error for one.

import { createRequire } from 'node:module'
import { Argument, CommanderError, Command as Program } from 'commander'
import { KeysError, type KeysErrorCode } from '../../keys/index.ts'
import { useNative } from '../../keys/native/index.ts'
import { type Command, type Context, inputOf, type Outcome, type Parent, UsageError } from './command.ts'
import { commandsFor } from './commands/index.ts'
import { processTerminal } from './terminal.ts'

/** Where a command line takes from and prints to; terminal.ts has the real one. */
export interface Terminal {
  readonly environment: Context['environment']
  readonly signal: AbortSignal
  readonly progress: Context['progress']
  readonly out: (text: string) => void
  readonly error: (text: string) => void
  /** What people at a terminal see besides; plain lines unless told. */
  readonly live?: Partial<Pick<Context['stage'], 'redraw' | 'paint' | 'paintError'>>
  readonly parent?: Parent | undefined
}

const EXIT = Object.freeze({ done: 0, refused: 1, usage: 2, unknown: 3, bug: 70, interrupted: 130 })

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

/**
 * Errors that are no bugs, by their names: their modules load libp2p and more, which a command that does not need them would
 * wait for. Their messages are for people.
 */
const EXIT_OF_ERROR: Readonly<Record<string, number>> = Object.freeze({
  StoreError: EXIT.refused,
  NetError: EXIT.refused,
  ReplicaError: EXIT.refused,
  ClientError: EXIT.refused,
  Refused: EXIT.refused,
  ResultForgotten: EXIT.refused,
  AuditError: EXIT.refused,
  ExportError: EXIT.refused,
  LaunchError: EXIT.refused,
  OutcomeUnknown: EXIT.unknown,
  WatchEnded: EXIT.refused,
})

/** Runs the command line of this process. */
export async function runProcess(): Promise<void> {
  useNative()
  const terminal = processTerminal()
  process.exitCode = await main(process.argv.slice(2), terminal)
  terminal.close()
}

/** Runs `quorate` with these arguments and returns the exit code. Never throws. */
export async function main(args: readonly string[], terminal: Terminal): Promise<number> {
  // What stands behind `--` is another command's.
  const own = args.includes('--') ? args.slice(0, args.indexOf('--')) : args
  const json = own.includes('--json')
  const context = contextOf(terminal, json)
  let outcome: Outcome | undefined
  const program = programOf(await commandsFor(args), terminal, async (command, commandArguments, options) => {
    outcome = await command.run(inputOf(commandArguments, options), context)
  })
  try {
    await program.parseAsync(args, { from: 'user' })
  } catch (error) {
    terminal.progress('')
    return report(error, terminal, json)
  }
  terminal.progress('')
  if (outcome === undefined) return EXIT.done
  if (!outcome.printed && (json || outcome.exit === undefined)) {
    terminal.out(json ? `${JSON.stringify(outcome.value, undefined, 2)}\n` : `${outcome.text}\n`)
  }
  return outcome.exit ?? EXIT[outcome.status]
}

function contextOf({ environment, signal, progress, out, error, live = {}, parent }: Terminal, json: boolean): Context {
  const plain = (_: string, text: string) => text
  const stage = {
    json,
    print: (line: string) => out(`${line}\n`),
    warn: (line: string) => error(`${line}\n`),
    redraw: json ? undefined : live.redraw,
    paint: (json ? undefined : live.paint) ?? plain,
    paintError: (json ? undefined : live.paintError) ?? plain,
  }
  return { environment, signal, progress, stage, parent }
}

type Run = (
  command: Command,
  args: Record<string, string | readonly string[]>,
  options: Record<string, unknown>,
) => Promise<void>

function programOf(commands: readonly Command[], terminal: Terminal, run: Run): Program {
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
      const parent = program.command(group).description(`commands of ${group}: ${names.join(', ')}`)
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
    const needed = argument.default === undefined && argument.optional === undefined
    const name = argument.variadic ? `${argument.name}...` : argument.name
    const shown = needed ? `<${name}>` : `[${name}]`
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
    const given = command.arguments.map(({ name }, i) => [name, target.processedArgs[i]] as const)
    const args = given.flatMap(([name, value]) =>
      value === undefined ? [] : [[name, Array.isArray(value) ? value.map(String) : String(value)] as const],
    )
    await run(command, Object.fromEntries(args), target.opts())
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
  const exit = error instanceof Error ? EXIT_OF_ERROR[error.name] : undefined
  if (error instanceof Error && exit !== undefined) {
    say('code' in error ? String(error.code) : 'unknown', error.message, factsOf(error))
    return exit
  }
  const stack = error instanceof Error ? (error.stack ?? error.message) : String(error)
  say('bug', `this is a bug in quorate, please report it:\n${stack}`)
  return EXIT.bug
}

function factsOf(error: Error): object {
  return 'detail' in error && error.detail !== '' ? { detail: error.detail } : {}
}

function versionText(): string {
  const manifest: unknown = createRequire(import.meta.url)('quorate/package.json')
  const known = typeof manifest === 'object' && manifest !== null && 'version' in manifest
  return known ? String(manifest.version) : 'unknown'
}
