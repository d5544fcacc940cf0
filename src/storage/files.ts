// The few things that the store asks of a file system. Tests put a faulty one in its place: everything that a power cut or a
// full disk can do to the store, it does through these calls.

import {
  closeSync,
  constants,
  fdatasync,
  fdatasyncSync,
  fstatSync,
  ftruncate,
  open as openCallback,
  openSync,
  read as readCallback,
  readSync,
  writev,
  writevSync,
} from 'node:fs'
import { mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { dirname, resolve } from 'node:path'
import { performance } from 'node:perf_hooks'
import { promisify } from 'node:util'
import { lockFolder } from './lock.ts'
import { StoreError } from './store.ts'
import { SyncPace } from './sync-pace.ts'

export interface Files {
  /** Names in a folder; undefined where there is no such folder. */
  list(folder: string): Promise<readonly string[] | undefined>
  /** Also the folders above it; durable on return. */
  makeFolder(folder: string): Promise<void>
  /** Undefined where there is no such file. */
  readWhole(path: string): Promise<Uint8Array | undefined>
  /** @throws {StoreError} `io`, also where there is no such file. */
  openForReading(path: string): ReadableFile
  /** `new`: fails where something is there. `empty`: whatever was there is gone. `old`: as it was. */
  openForWriting(path: string, mode: 'new' | 'empty' | 'old'): Promise<WritableFile>
  rename(from: string, to: string): Promise<void>
  /** What is not there need not be removed. */
  remove(path: string): Promise<void>
  /** Waits until creations, renames and removals in a folder are durable. */
  syncFolder(folder: string): Promise<void>
  /** Keeps every other process, and this one, from taking the folder too. @throws {StoreError} `locked`. */
  lock(folder: string): Lock
}

export interface Lock {
  release(): void
}

export interface ReadableFile {
  readonly size: number
  /** Fewer bytes only at the end of the file. They may be put into `room`, which has as many. */
  readSync(position: number, length: number, room?: Uint8Array): Uint8Array
  read(position: number, length: number): Promise<Uint8Array>
  close(): void
}

export interface WritableFile {
  /** All parts, one after another. Where it fails, any part of them may have been written. */
  write(parts: readonly Uint8Array[], position: number): Promise<void>
  /** What was written is durable on return, and so is the size. */
  sync(): Promise<void>
  /** Whether so many bytes are sooner written and synced at once, by {@link writeNow}, than by waiting for it. */
  isQuick(bytes: number): boolean
  /** {@link write} and {@link sync} before it returns. @throws {StoreError} `io`. */
  writeNow(parts: readonly Uint8Array[], position: number): void
  truncate(size: number): Promise<void>
  close(): Promise<void>
}

const FILE_MODE = 0o600
const FOLDER_MODE = 0o700
/**
 * Bytes up to which a write into the page cache is done at once: some tens of microseconds, less than it takes to ask a thread
 * to do it. Only the sync goes to a thread.
 */
const WRITE_AT_ONCE_BYTES = 512 * 1024

const FLAGS = {
  new: constants.O_RDWR | constants.O_CREAT | constants.O_EXCL,
  empty: constants.O_RDWR | constants.O_CREAT | constants.O_TRUNC,
  old: constants.O_RDWR,
} as const

const openAsync = promisify(openCallback)
const fdatasyncAsync = promisify(fdatasync)
const ftruncateAsync = promisify(ftruncate)

/** The system's own files. Every failure is a {@link StoreError} with code `io`. */
export const nodeFiles: Files = systemFiles(new SyncPace(availableParallelism()))

/** Files whose syncs go by `pace`. */
export function systemFiles(pace: SyncPace): Files {
  const files: Files = {
    async list(folder) {
      return await unlessMissing(folder, () => readdir(folder))
    },
    async makeFolder(folder) {
      const path = resolve(folder)
      const first = await asStoreError(path, () => mkdir(path, { recursive: true, mode: FOLDER_MODE }))
      if (first === undefined) return
      // Each new folder is an entry of the one above it.
      for (let at = path; at.length >= first.length; at = dirname(at)) await files.syncFolder(dirname(at))
    },
    async readWhole(path) {
      return await unlessMissing(path, () => readFile(path))
    },
    openForReading(path) {
      return new NodeReadableFile(path)
    },
    async openForWriting(path, mode) {
      return await asStoreError(
        path,
        async () => new NodeWritableFile(path, pace, await openAsync(path, FLAGS[mode], FILE_MODE)),
      )
    },
    async rename(from, to) {
      await asStoreError(to, () => rename(from, to))
    },
    async remove(path) {
      await asStoreError(path, () => rm(path, { force: true }))
    },
    async syncFolder(folder) {
      // Windows neither needs nor permits it.
      if (process.platform === 'win32') return
      await asStoreError(folder, async () => {
        const handle = await open(folder, 'r')
        try {
          await handle.sync()
        } finally {
          await handle.close()
        }
      })
    },
    lock: lockFolder,
  }
  return files
}

class NodeReadableFile implements ReadableFile {
  readonly size: number
  readonly #path: string
  readonly #fd: number

  constructor(path: string) {
    this.#path = path
    try {
      this.#fd = openSync(path, 'r')
      this.size = fstatSync(this.#fd).size
    } catch (error) {
      throw ioError(path, error)
    }
  }

  readSync(position: number, length: number, room?: Uint8Array): Uint8Array {
    const bytes = room ?? new Uint8Array(length)
    let at = 0
    try {
      while (at < length) {
        const count = readSync(this.#fd, bytes, at, length - at, position + at)
        if (count === 0) break
        at += count
      }
    } catch (error) {
      throw ioError(this.#path, error)
    }
    return bytes.subarray(0, at)
  }

  read(position: number, length: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(length)
    return new Promise((succeed, fail) => {
      const step = (at: number) => {
        readCallback(this.#fd, bytes, at, length - at, position + at, (error, count) => {
          if (error !== null) fail(ioError(this.#path, error))
          else if (count === 0 || at + count === length) succeed(bytes.subarray(0, at + count))
          else step(at + count)
        })
      }
      step(0)
    })
  }

  close(): void {
    closeSync(this.#fd)
  }
}

class NodeWritableFile implements WritableFile {
  readonly #path: string
  readonly #pace: SyncPace
  readonly #fd: number

  constructor(path: string, pace: SyncPace, fd: number) {
    this.#path = path
    this.#pace = pace
    this.#fd = fd
  }

  async write(parts: readonly Uint8Array[], position: number): Promise<void> {
    let rest = parts.filter((part) => part.length > 0)
    let at = position
    const atOnce = rest.reduce((sum, part) => sum + part.length, 0) <= WRITE_AT_ONCE_BYTES
    while (rest.length > 0) {
      const count = await asStoreError(this.#path, () =>
        atOnce ? writevSync(this.#fd, rest, at) : writevAsync(this.#fd, rest, at),
      )
      at += count
      rest = withoutFirst(rest, count)
    }
  }

  async sync(): Promise<void> {
    this.#pace.handedOver()
    await asStoreError(this.#path, () => fdatasyncAsync(this.#fd))
  }

  isQuick(bytes: number): boolean {
    return this.#pace.quick && bytes <= WRITE_AT_ONCE_BYTES
  }

  writeNow(parts: readonly Uint8Array[], position: number): void {
    const beginMs = performance.now()
    try {
      let rest = parts.filter((part) => part.length > 0)
      for (let at = position; rest.length > 0; ) {
        const count = writevSync(this.#fd, rest, at)
        at += count
        rest = withoutFirst(rest, count)
      }
      fdatasyncSync(this.#fd)
    } catch (error) {
      throw ioError(this.#path, error)
    }
    this.#pace.took(performance.now() - beginMs)
  }

  async truncate(size: number): Promise<void> {
    await asStoreError(this.#path, () => ftruncateAsync(this.#fd, size))
  }

  async close(): Promise<void> {
    await asStoreError(this.#path, () => closeSync(this.#fd))
  }
}

/** The error for what the system answered about `path`; a mistake of ours is thrown as it is. */
export function ioError(path: string, error: unknown): StoreError {
  if (error instanceof StoreError) return error
  if (!(error instanceof Error && 'code' in error && typeof error.code === 'string')) throw error
  return new StoreError('io', `${path}: ${sentence(error.code)}`, { cause: error })
}

function sentence(code: string): string {
  switch (code) {
    case 'ENOSPC':
    case 'EDQUOT':
      return 'the disk is full; make room and start again'
    case 'EACCES':
    case 'EPERM':
      return 'permission denied; run as the user who owns it'
    case 'EROFS':
      return 'the disk is mounted read-only; mount it for writing'
    case 'ENOENT':
      return 'it does not exist; check the path'
    case 'ENOTDIR':
      return 'a part of this path is a file, not a folder'
    case 'EIO':
      return 'the disk failed (EIO); check it before you start again'
    default:
      return `the system answered ${code}`
  }
}

async function asStoreError<Value>(path: string, use: () => Value | Promise<Value>): Promise<Value> {
  try {
    return await use()
  } catch (error) {
    throw ioError(path, error)
  }
}

async function unlessMissing<Value>(path: string, use: () => Promise<Value>): Promise<Value | undefined> {
  try {
    return await use()
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw ioError(path, error)
  }
}

function writevAsync(fd: number, parts: readonly Uint8Array[], position: number): Promise<number> {
  return new Promise((succeed, fail) => {
    writev(fd, parts, position, (error, count) => (error === null ? succeed(count) : fail(error)))
  })
}

/** What is left of `parts` after `count` bytes were written. */
function withoutFirst(parts: readonly Uint8Array[], count: number): Uint8Array[] {
  let skip = count
  return parts.flatMap((part) => {
    const skipped = Math.min(skip, part.length)
    skip -= skipped
    return skipped === part.length ? [] : [part.subarray(skipped)]
  })
}
