// A store on disk: a folder with the log in segments, the snapshots, two small files that say whose it is, and a lock.

import { join } from 'node:path'
import { checkRecords, checkSlot, checkSnapshot } from './check.ts'
import type { Files, Lock, WritableFile } from './files.ts'
import { encodeBatch, type Framed, segmentSeed } from './frame.ts'
import { IDENTITY_FILES, newSalt, readIdentity, writeIdentity } from './identity.ts'
import { Keys } from './keys.ts'
import { SECTOR_BYTES, SEGMENT_BYTES } from './limits.ts'
import { Log } from './log.ts'
import { readSlots } from './reader.ts'
import { type RecoveredLog, recoverLog } from './recovery.ts'
import { cutRecord, NO_CUT, segmentFile, segmentNumber } from './segments.ts'
import { isSnapshot, Snapshots } from './snapshots.ts'
import {
  type Recovered,
  type Store,
  type StoreCounters,
  StoreError,
  type StoreOptions,
  type StoreRecord,
} from './store.ts'

export interface DiskSettings extends StoreOptions {
  /** {@link SEGMENT_BYTES} unless told; tests want more segments of fewer bytes. */
  readonly segmentBytes?: number
}

/** See {@link openStore}; `files` are the system's own, or a test's. */
export async function openDiskStore(options: DiskSettings, files: Files): Promise<Store> {
  const { path: folder, create } = options
  if (!create && !(await isStore(files, folder))) throw missing(options)
  if (create) await files.makeFolder(folder)
  const lock = files.lock(folder)
  try {
    return await openLocked(options, files, lock)
  } catch (error) {
    lock.release()
    throw error
  }
}

async function openLocked(options: DiskSettings, files: Files, lock: Lock): Promise<Store> {
  const { path: folder, identity, otherKey, durability } = options
  const salt = (await readIdentity(files, folder, identity, otherKey)) ?? (await createStore(options, files))
  const recovered = await recoverLog(files, folder, salt)
  const syncs = durability === 'fsync'
  const snapshots = await Snapshots.open({ files, folder, salt, syncs })
  await clean(files, folder, recovered)
  const file = await openLast(files, folder, recovered)
  return new DiskStore({ ...options, files, folder, salt, syncs }, recovered, snapshots, file, lock)
}

/** Whether there is anything that only a store has. */
async function isStore(files: Files, folder: string): Promise<boolean> {
  const names = (await files.list(folder)) ?? []
  return names.some((name) => IDENTITY_FILES.some((file) => file === name)) || (await hasHistory(files, folder, names))
}

/** Whether there is more than the first sector of the first segment, which a creation that was interrupted leaves. */
async function hasHistory(files: Files, folder: string, names: readonly string[]): Promise<boolean> {
  if (names.some((name) => (segmentNumber(name) ?? 0) > 1 || isSnapshot(name))) return true
  const first = await files.readWhole(join(folder, segmentFile(1)))
  return first !== undefined && first.length > SECTOR_BYTES
}

/** A store begins with a durable first segment; it is one once the file that says whose it is is there. */
async function createStore(options: StoreOptions, files: Files): Promise<Uint8Array> {
  const { path: folder, identity, create } = options
  if (await hasHistory(files, folder, (await files.list(folder)) ?? [])) {
    const what = `${join(folder, IDENTITY_FILES[0])} and its copy are gone, and nothing in the store can be read without`
    throw new StoreError('damaged', `${what}; replace this replica by one with a new key`)
  }
  if (!create) throw missing(options)
  const salt = newSalt()
  const file = await files.openForWriting(join(folder, segmentFile(1)), 'empty')
  try {
    const first: Framed = { record: cutRecord(NO_CUT), sequence: 1, carried: false }
    await file.write([encodeBatch([first], 0, segmentSeed(salt, 1))], 0)
    await file.sync()
  } finally {
    await file.close()
  }
  await files.syncFolder(folder)
  await writeIdentity(files, folder, identity, salt)
  return salt
}

function missing({ path, identity }: StoreOptions): StoreError {
  const what = `${path} holds no store, and replica ${identity.replica} may have voted before: without its memory it could lie`
  return new StoreError(
    'missing',
    `${what}; put a replica with a new key in its place: quorate member join --replace ${identity.replica}`,
  )
}

/** Removes what interrupted work left. */
async function clean(files: Files, folder: string, { leftovers }: RecoveredLog): Promise<void> {
  const names = (await files.list(folder)) ?? []
  const temporary = names.filter((name) => /^(identity|snapshot-).*\.tmp$/.test(name))
  for (const name of [...temporary, ...leftovers]) await files.remove(join(folder, name))
}

/** The last segment, without what was torn: what is written next must not leave a piece of it behind. */
async function openLast(
  files: Files,
  folder: string,
  { segments, end, tornBytes }: RecoveredLog,
): Promise<WritableFile> {
  const last = segments.at(-1)
  if (last === undefined) throw new Error('unreachable: a log has a segment')
  const file = await files.openForWriting(join(folder, last.file), 'old')
  const size = end * SECTOR_BYTES
  if (tornBytes > 0 || last.size < size) {
    await file.truncate(size)
    last.size = size
  }
  // What was read here may be in the memory of the system only, when a killed process had no time to sync it.
  await file.sync()
  await files.syncFolder(folder)
  return file
}

interface DiskOptions extends DiskSettings {
  readonly files: Files
  readonly folder: string
  readonly salt: Uint8Array
  readonly syncs: boolean
}

class DiskStore implements Store {
  readonly recovered: Recovered
  readonly #options: DiskOptions
  readonly #log: Log
  readonly #snapshots: Snapshots
  readonly #lock: Lock
  readonly #keys = new Keys()
  #putting: Promise<void> = Promise.resolve()
  #adopting: Promise<void> = Promise.resolve()
  #closing: Promise<void> | undefined

  constructor(options: DiskOptions, recovered: RecoveredLog, snapshots: Snapshots, file: WritableFile, lock: Lock) {
    const { retention = {}, segmentBytes = SEGMENT_BYTES } = options
    this.#options = options
    this.#log = new Log({ ...options, retention, segmentBytes }, recovered, file)
    this.#snapshots = snapshots
    this.#lock = lock
    this.#keys.add(recovered.records)
    this.recovered = {
      records: recovered.records,
      damaged: [...recovered.damaged, ...snapshots.damaged],
      tornBytes: recovered.tornBytes,
      snapshot: snapshots.newest,
    }
  }

  get firstSlot(): number {
    return this.#log.firstSlot
  }

  async adopt(consensusKey: Uint8Array): Promise<void> {
    this.#refuseClosed()
    const { files, folder, identity, salt } = this.#options
    const adopting = writeIdentity(files, folder, { ...identity, consensusKey }, salt)
    this.#adopting = adopting.catch(() => {})
    await adopting
  }

  append(records: readonly StoreRecord[], done: () => void): void {
    this.#refuseClosed()
    checkRecords(records)
    this.#keys.add(records)
    this.#log.append(records, done)
  }

  async putSnapshot(
    slot: number,
    meta: Uint8Array,
    chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
  ): Promise<void> {
    this.#refuseClosed()
    checkSnapshot(slot, meta)
    const put = this.#snapshots.put(slot, meta, chunks)
    this.#putting = put.catch(() => {})
    await put
  }

  cut(slot: number): void {
    this.#refuseClosed()
    checkSlot('cut', slot)
    this.#log.cut(slot)
  }

  read(from: number, to: number): AsyncIterable<StoreRecord> {
    return readSlots(this.#options, this.#log.segments, from, to)
  }

  counters(): StoreCounters {
    const [log, snapshots] = [this.#log, this.#snapshots]
    return {
      appends: log.appends,
      syncs: log.syncs + snapshots.syncs,
      bytesWritten: log.bytesWritten + snapshots.bytesWritten,
      bytesOnDisk: log.bytesOnDisk + snapshots.bytesOnDisk,
    }
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    try {
      await this.#putting
      await this.#adopting
      await this.#log.close()
    } finally {
      this.#lock.release()
    }
  }

  #refuseClosed(): void {
    if (this.#closing !== undefined) throw new Error('the store is closed')
  }
}
