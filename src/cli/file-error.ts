// What a command says when the system refuses a file that the user named.

import { UsageError } from './command.ts'

const REASONS: Readonly<Record<string, string>> = Object.freeze({
  ENOENT: 'there is no such file',
  EACCES: 'permission denied',
  EPERM: 'permission denied',
  EISDIR: 'it is a folder',
  ENOTDIR: 'a part of this path is a file, not a folder',
  ENOSPC: 'the disk is full',
})

/** The error for a file that could not be read or written; anything but the system's own error comes back as it is. */
export function fileFault(path: string, verb: 'read' | 'written', error: unknown): unknown {
  if (!(error instanceof Error && 'syscall' in error && 'code' in error)) return error
  return new UsageError(`${path} can't be ${verb}: ${REASONS[String(error.code)] ?? error.message}`)
}
