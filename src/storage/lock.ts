// One process at a time. The lock is the operating system's own, on an empty file, and ends with the process however it ends, so
// that nothing stale can be left behind. Node offers no such lock of its own, but SQLite, which is part of Node, takes one on
// its database (fcntl on Unix, LockFileEx on Windows) and never writes a byte as long as nothing is put in. It refuses a second
// taker in the same process too. A pid file would have to guess whether a pid is still the same process, and a socket in
// the folder would have to be cleared away after a crash, which two starters could do to one another.

import { chmodSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { Lock } from './files.ts'
import { LOCK_PATIENCE_MS } from './limits.ts'
import { StoreError } from './store.ts'

export const LOCK_FILE = 'lock'
/** Whom to name to others who come; what it says is never relied on. */
export const PID_FILE = 'pid'

const SQLITE_BUSY = 5

/**
 * Takes the folder, or throws within {@link LOCK_PATIENCE_MS}. @throws {StoreError} `locked` where somebody has it, `io` where it cannot
 * be locked.
 */
export function lockFolder(folder: string): Lock {
  const path = join(folder, LOCK_FILE)
  let database: DatabaseSync | undefined
  try {
    // Nobody else in this process may open the file: closing any handle of it would give a Unix lock back.
    database = new DatabaseSync(path, { timeout: LOCK_PATIENCE_MS })
    database.exec('BEGIN EXCLUSIVE')
    chmodSync(path, 0o600)
  } catch (error) {
    database?.close()
    throw lockError(folder, error)
  }
  const held = database
  notePid(folder)
  return { release: () => held.close() }
}

/** A full disk is no reason not to open a store. */
function notePid(folder: string): void {
  try {
    writeFileSync(join(folder, PID_FILE), `${process.pid}\n`, { mode: 0o600 })
  } catch {}
}

function lockError(folder: string, error: unknown): StoreError {
  const busy = error instanceof Error && 'errcode' in error && error.errcode === SQLITE_BUSY
  if (busy) {
    const pid = pidIn(folder)
    const who = pid === undefined ? 'another process' : `process ${pid}`
    return new StoreError('locked', `${who} has ${folder} open; stop it first, or name another folder`)
  }
  const reason = error instanceof Error ? error.message : String(error)
  return new StoreError('io', `${join(folder, LOCK_FILE)} cannot be locked (${reason}); check who owns the folder`, {
    cause: error,
  })
}

function pidIn(folder: string): number | undefined {
  try {
    const text = readFileSync(join(folder, PID_FILE), 'utf8').trim()
    return /^[1-9][0-9]{0,9}$/.test(text) ? Number(text) : undefined
  } catch {
    return undefined
  }
}
