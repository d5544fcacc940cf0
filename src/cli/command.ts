// What a command is: data, and a function from its input to an outcome. Nothing in a command prints or exits, but those that
// run until they are stopped speak through their stage meanwhile.

export interface ArgumentSpec {
  readonly name: string
  readonly describe: string
  /** Makes the argument optional. */
  readonly default?: string
  /** Optional as well, where what stands for it depends on more than a constant. */
  readonly optional?: true
  /** All that is left of the command line, one or more; behind `--` also what looks like an option. */
  readonly variadic?: true
}

export interface OptionSpec {
  /** As commander reads them: `--host <host>`. */
  readonly flags: string
  readonly describe: string
  readonly required?: true
  /** May be given several times. */
  readonly repeatable?: true
}

export interface Command {
  /** One word or several: `genesis show`. */
  readonly name: string
  /** One sentence without its full stop. */
  readonly describe: string
  readonly arguments: readonly ArgumentSpec[]
  readonly options: readonly OptionSpec[]
  /** At least one whole command line, with what it does. */
  readonly examples: readonly (readonly [commandLine: string, describe: string])[]
  run(input: Input, context: Context): Promise<Outcome>
}

/** The surroundings, which commands take nowhere else. */
export interface Context {
  readonly environment: Readonly<Record<string, string | undefined>>
  /** Aborted by SIGINT (Ctrl-C) and SIGTERM. */
  readonly signal: AbortSignal
  /** Shows how far a long computation is, in place of what it showed before; only people at a terminal see it. */
  readonly progress: (text: string) => void
  readonly stage: Stage
  /** The process that launched this one as its own, where there is one. */
  readonly parent: Parent | undefined
}

/** Where commands that run for long speak before their outcome; the others leave it alone. */
export interface Stage {
  /** With --json every line is one JSON value. */
  readonly json: boolean
  /** A line on standard output. */
  readonly print: (line: string) => void
  /** A line on standard error. */
  readonly warn: (line: string) => void
  /** Shows lines in place of those that it showed before; undefined unless standard output is a terminal. */
  readonly redraw: ((lines: readonly string[]) => void) | undefined
  readonly paint: Paint
  readonly paintError: Paint
}

export type Colour = 'red' | 'green' | 'yellow' | 'cyan' | 'dim' | 'bold'

/** Colours a text for a stream, or leaves it as it is: no terminal, or NO_COLOR. */
export type Paint = (colour: Colour, text: string) => string

/** A launching process at the other end of an IPC channel. */
export interface Parent {
  readonly send: (message: object) => void
  /** Aborted when the parent is gone, however it went. */
  readonly gone: AbortSignal
}

export interface Outcome {
  /** `refused`: the command worked, and its answer is no, or that there is a fault. `unknown`: that nobody can tell. */
  readonly status: 'done' | 'refused' | 'unknown'
  /** For programs: printed with --json. */
  readonly value: object
  /** For people. */
  readonly text: string
  /** Everything was printed as it happened, and nothing is left to print. */
  readonly printed?: true
  /** In place of the exit code of the status: that of a command that was run. Then nothing is printed for people. */
  readonly exit?: number
}

/** A command line that asks for something impossible; the message is one sentence for the user. Exit code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

/** Arguments and options as the user wrote them, read with checks. */
export interface Input {
  /** @throws {Error} where `name` is no argument of the command. */
  argument(name: string): string
  optionalArgument(name: string): string | undefined
  /** Of a variadic argument. */
  rest(name: string): readonly string[]
  /** True where an option without a value was given. */
  flag(option: string): boolean
  text(option: string): string | undefined
  /** In the order given. */
  texts(option: string): readonly string[]
  /** @throws {UsageError} unless it is a plain whole number in the range. */
  integer(option: string, least: number, most: number): number | undefined
}

/** The input of a command. `options` has the names without dashes in front, in camel case, as commander gives them. */
export function inputOf(
  args: Readonly<Record<string, string | readonly string[]>>,
  options: Readonly<Record<string, unknown>>,
): Input {
  const raw = (option: string): unknown => options[option.replace(/-([a-z])/g, (_, c: string) => c.toUpperCase())]
  const text = (option: string): string | undefined => {
    const value = raw(option)
    return typeof value === 'string' ? value : undefined
  }
  return {
    argument(name) {
      const value = args[name]
      if (typeof value !== 'string') throw new Error(`the command has no argument ${name}`)
      return value
    },
    optionalArgument(name) {
      const value = args[name]
      return typeof value === 'string' ? value : undefined
    },
    rest(name) {
      const value = args[name]
      return typeof value === 'string' ? [value] : (value ?? [])
    },
    flag: (option) => raw(option) === true,
    text,
    texts(option) {
      const value = raw(option)
      return Array.isArray(value) ? value.map(String) : []
    },
    integer(option, least, most) {
      const value = text(option)
      return value === undefined ? undefined : wholeNumber(`--${option}`, value, least, most)
    },
  }
}

/** The number that `text` writes. @throws {UsageError} unless it is a plain whole number in the range. */
export function wholeNumber(subject: string, text: string, least: number, most: number): number {
  const value = Number(text)
  if (!/^(?:0|[1-9][0-9]{0,15})$/.test(text) || value < least || value > most) {
    throw new UsageError(`${subject} must be a whole number from ${least} to ${most}, not ${JSON.stringify(text)}`)
  }
  return value
}
