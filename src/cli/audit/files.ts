// What the audit commands read and write: bundles as files, and data folders of stopped replicas.

import { createReadStream } from 'node:fs'
import { open, rename, rm, stat } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import type { Genesis } from '../../../keys/index.ts'
import { createVerifierPool } from '../../../keys/native/index.ts'
import type { BatchVerifier, ByteSource } from '../../audit/verify/index.ts'
import type { Archive } from '../../wire/index.ts'
import type { Context } from '../command.ts'
import { fileFault } from '../file-error.ts'

/** Bytes from which on other threads help; starting them takes as long as some hundred signatures. */
const LARGE_FILE_BYTES = 1024 * 1024

/** @throws {UsageError} where it does not exist or cannot be looked at. */
export async function statOf(path: string): Promise<{ readonly folder: boolean; readonly bytes: number }> {
  try {
    const found = await stat(path)
    return { folder: found.isDirectory(), bytes: found.size }
  } catch (error) {
    throw fileFault(path, 'read', error)
  }
}

/** The bytes of a file as they are read; tells how many were. */
export async function* bytesOf(path: string, onRead: (bytes: number) => void = () => {}): AsyncGenerator<Uint8Array> {
  let read = 0
  try {
    for await (const chunk of createReadStream(path)) {
      read += chunk.length
      onRead(read)
      yield chunk
    }
  } catch (error) {
    throw fileFault(path, 'read', error)
  }
}

/** Lends a batch verifier that uses all cores, where there is enough to do. */
export async function withThreads<Value>(
  bytes: number,
  work: (batch: { readonly batch?: BatchVerifier }) => Promise<Value>,
): Promise<Value> {
  if (bytes < LARGE_FILE_BYTES) return await work({})
  const pool = createVerifierPool({ threads: availableParallelism() })
  try {
    return await work({ batch: (jobs) => pool.verifyBatch(jobs) })
  } finally {
    await pool.close()
  }
}

/** A bundle's bytes with a bar that moves as they are read, until the signal is aborted. */
export function shownBytes(path: string, total: number, what: string, { progress, signal }: Context): ByteSource {
  return bytesOf(path, (read) => {
    signal.throwIfAborted()
    progress(`${what} ${bar(total === 0 ? 1 : read / total)} ${Math.floor((100 * read) / Math.max(1, total))} %`)
  })
}

export function bar(share: number): string {
  const filled = Math.min(20, Math.round(20 * share))
  return `[${'#'.repeat(filled)}${'.'.repeat(20 - filled)}]`
}

/**
 * The archive in a data folder, whichever replica's it is. Close it.
 * @throws {StoreError} where it is none of this cluster, or in use.
 */
export async function archiveIn(folder: string, genesis: Genesis): Promise<Archive> {
  // libp2p comes along and takes a third of a second to load, which other commands should not wait for.
  const { openArchive } = await import('../../replica/index.ts')
  return await openArchive(folder, genesis)
}

/** A file that appears whole or not at all. */
export interface WholeFile {
  write(text: string): Promise<void>
  /** Puts it in its place. */
  done(): Promise<void>
  /** Takes it away again, unless it is in its place. */
  close(): Promise<void>
}

/** @throws {UsageError} where it cannot be made. */
export async function wholeFile(path: string): Promise<WholeFile> {
  const temporary = `${path}.part-${process.pid}`
  const file = await open(temporary, 'w').catch((error: unknown) => {
    throw fileFault(path, 'written', error)
  })
  let state: 'open' | 'placed' | 'closed' = 'open'
  return {
    async write(text) {
      await file.write(text)
    },
    async done() {
      await file.sync()
      await rename(temporary, path)
      state = 'placed'
    },
    async close() {
      if (state === 'closed') return
      await file.close()
      if (state === 'open') await rm(temporary, { force: true })
      state = 'closed'
    },
  }
}
