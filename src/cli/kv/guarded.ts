// Runs a command while something is held: its environment says by which token, and it is told to stop when that is lost.

import { type ChildProcess, spawn } from 'node:child_process'
import { constants } from 'node:os'
import { UsageError } from '../command.ts'

export interface Guard {
  readonly environment: Readonly<Record<string, string | undefined>>
  /** Aborted when what is held cannot be counted on any more. */
  readonly lost: AbortSignal
  /** Aborted when we are to end. */
  readonly stop: AbortSignal
}

/** Added by shells to the number of the signal that ended a command. */
const SIGNALLED = 128

/**
 * The exit code of the command, with this process's own input and output. It gets SIGTERM when either signal is aborted, and is waited for.
 * @throws {UsageError} where it cannot be run.
 */
export async function runGuarded(
  [program = '', ...args]: readonly string[],
  { environment, lost, stop }: Guard,
): Promise<number> {
  const env = Object.fromEntries(Object.entries(environment).filter(([, value]) => value !== undefined))
  const child = spawn(program, args, { stdio: 'inherit', env })
  const end = () => void child.kill('SIGTERM')
  for (const signal of [lost, stop]) signal.addEventListener('abort', end, { once: true })
  try {
    if (lost.aborted || stop.aborted) end()
    return await exitOf(child, program)
  } finally {
    for (const signal of [lost, stop]) signal.removeEventListener('abort', end)
  }
}

function exitOf(child: ChildProcess, program: string): Promise<number> {
  return new Promise((resolve, reject) => {
    child.once('error', (error: NodeJS.ErrnoException) => {
      const known = error.code === 'ENOENT' || error.code === 'EACCES'
      const reason = error.code === 'ENOENT' ? 'there is no such program' : error.message
      reject(known ? new UsageError(`${program} cannot be run: ${reason}`) : error)
    })
    child.once('close', (code, signal) => {
      resolve(code ?? SIGNALLED + (signal === null ? 0 : constants.signals[signal]))
    })
  })
}
