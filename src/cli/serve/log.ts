// A replica's log: JSON lines by pino, warnings and worse to standard error unless the config says otherwise.

import { openSync } from 'node:fs'
import { destination, type Logger, pino } from 'pino'
import { UsageError } from '../command.ts'
import type { ReplicaConfig } from './config.ts'

const DEFAULT_LEVEL = 'warn'
const STANDARD_ERROR = 2

/** Facts that every line carries. */
export interface LogBase {
  readonly cluster: string
  readonly replica: number
  readonly liar?: string
}

/**
 * Writes at once, so that the last line before a crash is there. A file is appended to, and a rotated one is followed only after a
 * restart. @throws {UsageError} where the file cannot be opened.
 */
export function logOf(config: NonNullable<ReplicaConfig['log']>, base: LogBase): Logger {
  const level = config.level ?? DEFAULT_LEVEL
  return pino({ level, base }, destination({ dest: descriptorOf(config.file), sync: true }))
}

function descriptorOf(file: string | undefined): number {
  if (file === undefined) return STANDARD_ERROR
  try {
    return openSync(file, 'a', 0o640)
  } catch (error) {
    throw new UsageError(`log.file ${file} can't be opened: ${error instanceof Error ? error.message : String(error)}`)
  }
}
