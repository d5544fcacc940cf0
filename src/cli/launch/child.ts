// One replica as a process of its own, launched and watched from here. It reports over an IPC channel, and stops when that breaks:
// so none outlives whoever launched it, even where that was killed.

import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { engineEnvironment, engineOptions } from '../engine.ts'
import { type ReplicaReport, replicaMessageOf } from './messages.ts'

/** Of standard error, enough for the sentence that says why it ended. */
const KEPT_ERROR_CHARACTERS = 8192

export interface LaunchOptions {
  /** The keyset's folder. */
  readonly cluster: string
  readonly index: number
  /** More of `quorate replica`'s options. */
  readonly options?: readonly string[]
  readonly environment?: NodeJS.ProcessEnv
  /** A command to run it under, such as one that enters a network namespace; it must hand over its open files. */
  readonly within?: readonly string[]
  /** Each line that it writes to standard error. */
  readonly onError?: (line: string) => void
}

/** How a process ended. */
export interface Ending {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  /** For people: `exit 1: port 7400 is in use`, `killed by SIGKILL`. */
  readonly text: string
}

export interface ReplicaProcess {
  readonly index: number
  readonly pid: number | undefined
  /** The newest report, and when it came (`performance.now()`); undefined until there is one. */
  readonly latest: { readonly report: ReplicaReport; readonly atMs: number } | undefined
  readonly ending: Ending | undefined
  /** Once it listens, where it was told to serve metrics. */
  readonly metricsPort: number | undefined
  /** Resolves once it listens. @throws {LaunchError} where it ended before. */
  listening(): Promise<readonly string[]>
  /** Resolves once it ended. */
  ended(): Promise<Ending>
  /** Any signal, SIGSTOP and SIGKILL too; nothing where it ended. */
  signal(name: NodeJS.Signals): void
  /** SIGTERM, once however often it is called, since a second one would cut its stop short; then its end. */
  stop(): Promise<Ending>
  kill(): Promise<Ending>
  onReport(listener: (report: ReplicaReport) => void): void
}

/** A replica that ended before it listened; the message says why. */
export class LaunchError extends Error {
  override readonly name = 'LaunchError'
}

/** Starts `quorate replica` and returns at once. */
export function launchReplica(launch: LaunchOptions): ReplicaProcess {
  const { cluster, index, options = [], environment, within = [], onError } = launch
  const env = environment ?? process.env
  const replica = [programFile(), 'replica', cluster, '--index', String(index), ...options]
  const node = [process.execPath, ...engineOptions(env), ...replica]
  const [program = process.execPath, ...args] = [...within, ...node]
  const child = spawn(program, args, {
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    env: engineEnvironment(env),
    // Ctrl-C goes to a terminal's whole process group; the launcher alone should hear it, and stop the replicas in turn.
    detached: true,
  })
  return new Launched(child, index, onError)
}

/** The command's own file, from the sources as from what was built of them. */
export function programFile(): string {
  const source = fileURLToPath(new URL('../quorate.js', import.meta.url))
  return existsSync(source) ? source : fileURLToPath(new URL('../../../../src/cli/quorate.js', import.meta.url))
}

class Launched implements ReplicaProcess {
  readonly index: number
  latest: { readonly report: ReplicaReport; readonly atMs: number } | undefined
  ending: Ending | undefined
  metricsPort: number | undefined
  private readonly child: ChildProcess
  private readonly end: Promise<Ending>
  private readonly start: Promise<readonly string[]>
  private readonly listeners: ((report: ReplicaReport) => void)[] = []
  private errors = ''
  private stopping = false

  constructor(child: ChildProcess, index: number, onError: ((line: string) => void) | undefined) {
    this.child = child
    this.index = index
    this.watchErrors(onError)
    const listens = new Promise<readonly string[]>((resolve) => {
      child.on('message', (value) => {
        const message = replicaMessageOf(value)
        if (message?.kind === 'listening') {
          this.metricsPort = message.metricsPort ?? undefined
          resolve(message.addresses)
        }
        if (message?.kind === 'status') this.keep(message.report)
      })
    })
    this.end = new Promise((ended) => {
      // `close` comes after the last of standard error; a failed spawn has `error` alone.
      child.once('close', (code, signal) => ended(this.endingOf(code, signal)))
      child.once('error', (error) => ended({ code: null, signal: null, text: `not started: ${error.message}` }))
    })
    void this.end.then((ending) => {
      this.ending = ending
    })
    this.start = Promise.race([
      listens,
      this.end.then(({ text }): never => {
        throw new LaunchError(`replica ${index} did not start (${text})`)
      }),
    ])
    // Whoever never asks whether it listens does not want to hear that it does not.
    this.start.catch(() => {})
  }

  get pid(): number | undefined {
    return this.child.pid
  }

  listening(): Promise<readonly string[]> {
    return this.start
  }

  ended(): Promise<Ending> {
    return this.end
  }

  signal(name: NodeJS.Signals): void {
    if (this.ending === undefined) this.child.kill(name)
  }

  stop(): Promise<Ending> {
    if (!this.stopping) this.signal('SIGTERM')
    this.stopping = true
    return this.end
  }

  kill(): Promise<Ending> {
    this.signal('SIGKILL')
    return this.end
  }

  onReport(listener: (report: ReplicaReport) => void): void {
    this.listeners.push(listener)
  }

  private keep(report: ReplicaReport): void {
    this.latest = { report, atMs: performance.now() }
    for (const listener of this.listeners) listener(report)
  }

  private watchErrors(onError: ((line: string) => void) | undefined): void {
    let rest = ''
    this.child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.errors = (this.errors + text).slice(-KEPT_ERROR_CHARACTERS)
      const lines = (rest + text).split('\n')
      rest = lines.pop()?.slice(-KEPT_ERROR_CHARACTERS) ?? ''
      if (onError !== undefined) for (const line of lines) onError(line)
    })
  }

  private endingOf(code: number | null, signal: NodeJS.Signals | null): Ending {
    if (signal !== null) return { code, signal, text: `killed by ${signal}` }
    if (code === 0) return { code, signal, text: 'stopped' }
    const lines = this.errors.split('\n').filter((line) => line !== '' && !line.startsWith('{'))
    // A bug prints its sentence first and its stack after; a crash of Node itself has no sentence.
    const reason = lines.findLast((line) => line.startsWith('quorate: ')) ?? lines.find((line) => /Error/.test(line))
    return { code, signal, text: `exit ${code}${reason === undefined ? '' : `: ${reason.replace('quorate: ', '')}`}` }
  }
}
