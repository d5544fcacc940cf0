// The file that remembers the highest reserved sequence number, and the lock beside it. A number is on disk before anyone uses it: the
// new file is written, synced and renamed over the old one, and the folder is synced.
//
// The lock is a file made by `open(wx)` that names its holder: host, process, and when that began, so that a number of a process that
// the system gave away again is not taken for the holder. One left behind by a process that died is moved aside and looked at
// again before it goes. If it turned out to be a newer one it is put back; whoever holds it checks that it is still there before
// the rename that counts.

import { link, mkdir, open, readFile, rename, rm } from 'node:fs/promises'
import { hostname } from 'node:os'
import { dirname } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { ClientError, closedError } from './errors.ts'
import {
  STATE_LOCK_POLL_MS,
  STATE_LOCK_WAIT_MS,
  STATE_SEAT_POLL_MS,
  STATE_SEAT_WAIT_MS,
  STATE_SEATS,
} from './limits.ts'

export interface StateFile {
  /** Reserves `count` numbers, durably. `from` is told the highest reserved so far, undefined where there is no file yet. */
  reserve(count: number, from: (highest: number | undefined) => number): Promise<{ readonly from: number }>
  /** A reservation that waits for the lock fails. */
  stopWaiting(): void
  /** Requires that no reservation is under way. */
  close(): Promise<void>
}

/** `hold` keeps the lock until the file is closed; `share` takes it for each reservation, and a seat until it is closed. */
export type LockMode = 'hold' | 'share'

const FORMAT = 'quorate-client-state-v1'

/**
 * Opens the file at `path`, made where absent with its folder. @throws {ClientError} where it is in use or cannot be used; the
 * signal's reason.
 */
export async function lockFile(path: string, mode: LockMode, signal?: AbortSignal): Promise<StateFile> {
  await system(path, () => mkdir(dirname(path), { recursive: true, mode: 0o700 }))
  const lock = new Lock(`${path}.lock`)
  const seat = mode === 'share' ? await takeSeat(path, signal) : undefined
  if (mode === 'hold') {
    await take([lock], path, { waitMs: 0 })
    // A file that holds something else is better known now than at the first request.
    await readHighest(path).catch(async (error) => {
      await lock.release()
      throw error
    })
  }
  const closing = new AbortController()
  return {
    async reserve(count, choose) {
      const { signal } = closing
      if (mode === 'share') await take([lock], path, { waitMs: STATE_LOCK_WAIT_MS, signal })
      try {
        const from = choose(await readHighest(path))
        if (!(await lock.held())) throw inUse(path, 'somebody who removed its lock')
        await writeHighest(path, from + count - 1)
        return { from }
      } finally {
        if (mode === 'share') await lock.release()
      }
    },
    stopWaiting: () => closing.abort(closedError()),
    async close() {
      await lock.release()
      await seat?.release()
    },
  }
}

/** Waits for one of the places of those that share the file. */
async function takeSeat(path: string, signal: AbortSignal | undefined): Promise<Lock> {
  const first = Math.floor(Math.random() * STATE_SEATS)
  const seats = Array.from({ length: STATE_SEATS }, (_, i) => new Lock(`${path}.seat-${(first + i) % STATE_SEATS}`))
  return take(seats, path, { waitMs: STATE_SEAT_WAIT_MS, pollMs: STATE_SEAT_POLL_MS, signal })
}

interface Patience {
  readonly waitMs: number
  readonly pollMs?: readonly [least: number, most: number]
  readonly signal?: AbortSignal | undefined
}

/** Takes the first of `locks` that is free. */
async function take(locks: readonly Lock[], path: string, patience: Patience): Promise<Lock> {
  const { waitMs, pollMs: [least, most] = STATE_LOCK_POLL_MS, signal } = patience
  const until = performance.now() + waitMs
  for (let pauseMs = least; ; pauseMs = Math.min(2 * pauseMs, most)) {
    let holder = ''
    for (const lock of locks) {
      const other = await system(path, () => lock.take())
      if (other === undefined) return lock
      holder = other
    }
    if (performance.now() >= until) throw inUse(path, holder)
    await pause(pauseMs * (1 + Math.random()), undefined, signal === undefined ? {} : { signal }).catch(() => {})
    signal?.throwIfAborted()
  }
}

async function readHighest(path: string): Promise<number | undefined> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    if (isSystemError(error) && error.code === 'ENOENT') return undefined
    throw unusable(path, error)
  }
  const highest = Number(new RegExp(`^${FORMAT} ([1-9][0-9]{0,15})\\n$`).exec(text)?.[1])
  if (Number.isSafeInteger(highest)) return highest
  throw new ClientError(
    'state-file',
    `${path} is not a client's state file, or was damaged; remove it, and numbers go on from the clock`,
  )
}

async function writeHighest(path: string, highest: number): Promise<void> {
  await system(path, async () => {
    const temporary = `${path}.new`
    const file = await open(temporary, 'w', 0o600)
    try {
      await file.writeFile(`${FORMAT} ${highest}\n`)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(temporary, path)
    await syncFolder(dirname(path))
  })
}

/** Windows neither needs nor permits it. */
export async function syncFolder(path: string): Promise<void> {
  if (process.platform === 'win32') return
  const folder = await open(path, 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}

class Lock {
  private readonly path: string
  private own: string | undefined

  constructor(path: string) {
    this.path = path
  }

  /** Takes the lock, or tells who has it. */
  async take(): Promise<string | undefined> {
    for (;;) {
      const text = await this.read()
      if (text === undefined) {
        if (await this.create()) return undefined
        continue
      }
      const holder = await holderOf(text)
      if (holder !== undefined) return holder
      await this.clear(text)
    }
  }

  async held(): Promise<boolean> {
    return this.own !== undefined && (await this.read()) === this.own
  }

  async release(): Promise<void> {
    if (await this.held()) await rm(this.path, { force: true })
    this.own = undefined
  }

  /** Written whole beside its place and then linked there: nobody ever reads half of it. */
  private async create(): Promise<boolean> {
    const own = `${hostname()} ${process.pid} ${(await beginOf(process.pid)) ?? '-'} ${crypto.randomUUID()}\n`
    const draft = `${this.path}.${process.pid}.${crypto.randomUUID()}`
    const file = await open(draft, 'wx', 0o600)
    try {
      await file.writeFile(own)
    } finally {
      await file.close()
    }
    try {
      await link(draft, this.path)
      this.own = own
      return true
    } catch (error) {
      if (isSystemError(error) && error.code === 'EEXIST') return false
      throw error
    } finally {
      await rm(draft, { force: true })
    }
  }

  private async read(): Promise<string | undefined> {
    try {
      return await readFile(this.path, 'utf8')
    } catch (error) {
      if (isSystemError(error) && error.code === 'ENOENT') return undefined
      throw error
    }
  }

  /** Removes the lock of a dead process. Two may try at once, and the second must not remove what the first has put there. */
  private async clear(dead: string): Promise<void> {
    const aside = `${this.path}.${process.pid}.${crypto.randomUUID()}`
    try {
      await rename(this.path, aside)
      if ((await readFile(aside, 'utf8')) !== dead) await link(aside, this.path)
    } catch (error) {
      if (!isSystemError(error) || (error.code !== 'ENOENT' && error.code !== 'EEXIST')) throw error
    } finally {
      await rm(aside, { force: true })
    }
  }
}

/** The living holder that a lock names, for people; undefined where it is dead. */
async function holderOf(text: string): Promise<string | undefined> {
  const [host = '', id = '', begin = ''] = text.trim().split(' ')
  const holder = `process ${id} on ${host}`
  if (host !== hostname()) return holder
  try {
    process.kill(Number(id), 0)
  } catch (error) {
    if (isSystemError(error) && error.code === 'ESRCH') return undefined
  }
  const now = await beginOf(Number(id))
  return now === undefined || begin === '-' || now === begin ? holder : undefined
}

/** When a process began, in the system's own ticks; undefined where the system does not say. */
async function beginOf(id: number): Promise<string | undefined> {
  try {
    const text = await readFile(`/proc/${id}/stat`, 'utf8')
    // The second field is a name in parentheses, which may hold blanks and parentheses itself. Ref: proc_pid_stat(5), starttime.
    return text.slice(text.lastIndexOf(')') + 2).split(' ')[19]
  } catch {
    return undefined
  }
}

function inUse(path: string, holder: string): ClientError {
  return new ClientError(
    'state-file-in-use',
    `${path} is in use by ${holder}: one process at a time numbers its requests from it; if that one is gone, remove ${path}.lock`,
  )
}

async function system<Value>(path: string, act: () => Promise<Value>): Promise<Value> {
  try {
    return await act()
  } catch (error) {
    throw unusable(path, error)
  }
}

function unusable(path: string, error: unknown): unknown {
  if (!isSystemError(error)) return error
  return new ClientError('state-file', `${path} cannot be used: the system answered ${error.code}`, { cause: error })
}

export function isSystemError(error: unknown): error is NodeJS.ErrnoException & { readonly code: string } {
  return error instanceof Error && 'syscall' in error && 'code' in error
}
