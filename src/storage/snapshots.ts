// Snapshots, one file each:
//
//   magic "QSN1", slot (8 bytes), bytes of meta (4), checksum of all that and meta (4), meta
//   for each chunk: its bytes (4), checksum of that number, of the chunk and of where it stands (4), the chunk
//   2^32 - 1 (4), number of chunks (4), checksum of everything before (4)
//
// Numbers are big-endian, checksums CRC-32 begun with the store's secret. A file is written under a temporary name, synced and
// renamed; older ones go only then. Nothing but the caller's iterable says how large a snapshot is: a chunk at a time is in memory.

import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { readU32, readU64, writeU32, writeU64 } from '../../crypto/index.ts'
import { checkChunk } from './check.ts'
import type { Files, ReadableFile, WritableFile } from './files.ts'
import {
  KEPT_SNAPSHOTS,
  MAX_SNAPSHOT_CHUNK_BYTES,
  MAX_SNAPSHOT_META_BYTES,
  SNAPSHOT_SYNC_BYTES,
  SNAPSHOT_WRITE_BYTES,
} from './limits.ts'
import { type DamagedRecord, type StoredSnapshot, StoreError } from './store.ts'

const MAGIC = 0x51534e31
const HEAD_BYTES = 20
const CHUNK_HEAD_BYTES = 8
const END = 0xffff_ffff
const END_BYTES = 12

export interface SnapshotOptions {
  readonly files: Files
  readonly folder: string
  readonly salt: Uint8Array
  readonly syncs: boolean
}

interface KeptSnapshot {
  readonly slot: number
  readonly file: string
  readonly bytes: number
}

export class Snapshots {
  readonly #options: SnapshotOptions
  /** Newest first. */
  #kept: readonly KeptSnapshot[] = []
  /** The newest whole one when the store was opened. */
  newest: StoredSnapshot | undefined
  readonly damaged: DamagedRecord[] = []
  #writing = false
  bytesWritten = 0
  syncs = 0

  private constructor(options: SnapshotOptions) {
    this.#options = options
  }

  /** Reads every snapshot in the folder from end to end: one that is not whole does not count. */
  static async open(options: SnapshotOptions): Promise<Snapshots> {
    const snapshots = new Snapshots(options)
    const names = (await options.files.list(options.folder)) ?? []
    const slots = names.flatMap((name) => slotOf(name) ?? [])
    for (const slot of slots.sort((a, b) => b - a)) snapshots.#examine(slot)
    return snapshots
  }

  get bytesOnDisk(): number {
    return this.#kept.reduce((sum, { bytes }) => sum + bytes, 0)
  }

  /** See {@link Store.putSnapshot}. */
  async put(slot: number, meta: Uint8Array, chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>): Promise<void> {
    if (this.#writing) throw new Error('a snapshot is being written already')
    this.#writing = true
    try {
      await this.#put(slot, meta, chunks)
    } finally {
      this.#writing = false
    }
  }

  async #put(slot: number, meta: Uint8Array, chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>): Promise<void> {
    const { files, folder, syncs } = this.#options
    const name = snapshotFile(slot)
    const temporary = join(folder, `${name}.tmp`)
    const file = await files.openForWriting(temporary, 'empty')
    let bytes: number
    try {
      const writer = new SnapshotWriter(file, seedOf(this.#options.salt, slot), syncs)
      bytes = await writer.writeAll(slot, meta, chunks)
      this.bytesWritten += bytes
      this.syncs += writer.syncs
    } catch (error) {
      await file.close()
      await files.remove(temporary)
      throw error
    }
    await file.close()
    await files.rename(temporary, join(folder, name))
    if (syncs) await files.syncFolder(folder)
    const older = this.#kept.filter((each) => each.slot < slot).slice(0, KEPT_SNAPSHOTS - 1)
    const gone = this.#kept.filter((each) => each.slot !== slot && !older.includes(each))
    this.#kept = [{ slot, file: name, bytes }, ...older]
    const damaged = this.damaged.splice(0).flatMap((each) => (each.file === name ? [] : each.file))
    const names = [...gone.map(({ file: old }) => old), ...damaged]
    for (const each of names) await files.remove(join(folder, each))
    // One with a higher slot must not come back: the newest is the one that was put last.
    if (syncs && names.length > 0) await files.syncFolder(folder)
  }

  #examine(slot: number): void {
    const { files, folder } = this.#options
    const name = snapshotFile(slot)
    const file = files.openForReading(join(folder, name))
    try {
      const { meta, bodies } = readSnapshot(file, name, slot, seedOf(this.#options.salt, slot), new Room())
      for (const _ of bodies);
      this.#kept = [...this.#kept, { slot, file: name, bytes: file.size }]
      this.newest ??= { slot, meta, chunks: () => this.#chunks(slot) }
    } catch (error) {
      if (!(error instanceof DamagedAt)) throw error
      this.damaged.push({ file: name, offset: error.offset, kind: undefined, slot, needed: false })
    } finally {
      file.close()
    }
  }

  *#chunks(slot: number): Generator<Uint8Array> {
    const name = snapshotFile(slot)
    const file = this.#options.files.openForReading(join(this.#options.folder, name))
    try {
      yield* readSnapshot(file, name, slot, seedOf(this.#options.salt, slot)).bodies
    } finally {
      file.close()
    }
  }
}

/** `snapshot-` and the slot in 16 digits. */
function snapshotFile(slot: number): string {
  return `snapshot-${String(slot).padStart(16, '0')}`
}

export function isSnapshot(name: string): boolean {
  return slotOf(name) !== undefined
}

function slotOf(name: string): number | undefined {
  return /^snapshot-\d{16}$/.test(name) ? Number(name.slice(9)) : undefined
}

/** Collects small pieces, and keeps the checksum of all of them. */
class SnapshotWriter {
  readonly #file: WritableFile
  readonly #seed: number
  readonly #syncs: boolean
  #parts: Uint8Array[] = []
  #waiting = 0
  #position = 0
  #synced = 0
  #check: number
  syncs = 0

  constructor(file: WritableFile, seed: number, syncs: boolean) {
    this.#file = file
    this.#seed = seed
    this.#syncs = syncs
    this.#check = seed
  }

  async writeAll(
    slot: number,
    meta: Uint8Array,
    chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
  ): Promise<number> {
    await this.#add(encodeHead(slot, meta, this.#seed), meta)
    let count = 0
    for await (const chunk of chunks) {
      checkChunk(chunk)
      await this.#add(encodeChunkHead(chunk, this.#position + this.#waiting, this.#seed), chunk)
      count++
    }
    const end = new Uint8Array(END_BYTES)
    writeU32(end, 0, END)
    writeU32(end, 4, count)
    writeU32(end, 8, crc32(end.subarray(0, 8), this.#check))
    await this.#add(end)
    await this.#flush()
    if (this.#syncs) await this.#sync()
    return this.#position
  }

  async #add(...parts: readonly Uint8Array[]): Promise<void> {
    for (const part of parts) {
      this.#check = crc32(part, this.#check)
      // The caller may use the memory of a chunk again as soon as it is asked for the next one.
      this.#parts.push(part.slice())
      this.#waiting += part.length
    }
    if (this.#waiting >= SNAPSHOT_WRITE_BYTES) await this.#flush()
  }

  async #flush(): Promise<void> {
    await this.#file.write(this.#parts, this.#position)
    this.#position += this.#waiting
    this.#parts = []
    this.#waiting = 0
    if (this.#syncs && this.#position - this.#synced >= SNAPSHOT_SYNC_BYTES) await this.#sync()
  }

  async #sync(): Promise<void> {
    await this.#file.sync()
    this.#synced = this.#position
    this.syncs++
  }
}

/** Of a snapshot that is read when the store is opened it means only that an older one has to do. */
class DamagedAt extends StoreError {
  readonly offset: number

  constructor(file: string, offset: number) {
    super('damaged', `${file} is damaged at byte ${offset}; the snapshot can be fetched from the other replicas`)
    this.offset = offset
  }
}

/** Where chunks are read that nobody keeps. */
class Room {
  #bytes = new Uint8Array(0)

  for(length: number): Uint8Array {
    if (this.#bytes.length < length) this.#bytes = new Uint8Array(2 * length)
    return this.#bytes.subarray(0, length)
  }
}

/** The meta at once, the chunks one by one; each was checked when it comes, and the file as a whole when the last has come. */
function readSnapshot(
  file: ReadableFile,
  name: string,
  slot: number,
  seed: number,
  room?: Room,
): { readonly meta: Uint8Array; readonly bodies: Generator<Uint8Array> } {
  const head = file.readSync(0, HEAD_BYTES)
  if (head.length < HEAD_BYTES || readU32(head, 0) !== MAGIC || readU64(head, 4) !== slot) throw new DamagedAt(name, 0)
  const metaBytes = readU32(head, 12)
  if (metaBytes > MAX_SNAPSHOT_META_BYTES) throw new DamagedAt(name, 0)
  const meta = file.readSync(HEAD_BYTES, metaBytes)
  const expected = encodeHead(slot, meta, seed)
  if (meta.length < metaBytes || readU32(head, 16) !== readU32(expected, 16)) throw new DamagedAt(name, 0)
  return { meta, bodies: readBodies(file, name, HEAD_BYTES + metaBytes, crc32(meta, crc32(head, seed)), seed, room) }
}

function* readBodies(
  file: ReadableFile,
  name: string,
  from: number,
  checkSoFar: number,
  seed: number,
  room?: Room,
): Generator<Uint8Array> {
  let [position, check, count] = [from, checkSoFar, 0]
  for (;;) {
    const head = file.readSync(position, CHUNK_HEAD_BYTES)
    const length = head.length < CHUNK_HEAD_BYTES ? 0 : readU32(head, 0)
    if (head.length < CHUNK_HEAD_BYTES || (length > MAX_SNAPSHOT_CHUNK_BYTES && length !== END)) {
      throw new DamagedAt(name, position)
    }
    check = crc32(head, check)
    if (length === END) {
      const last = file.readSync(position + CHUNK_HEAD_BYTES, 5)
      if (readU32(head, 4) !== count || last.length !== 4 || readU32(last, 0) !== check)
        throw new DamagedAt(name, position)
      return
    }
    const chunk = file.readSync(position + CHUNK_HEAD_BYTES, length, room?.for(length))
    const expected = encodeChunkHead(chunk, position, seed)
    if (chunk.length < length || readU32(expected, 4) !== readU32(head, 4)) throw new DamagedAt(name, position)
    yield chunk
    check = crc32(chunk, check)
    position += CHUNK_HEAD_BYTES + length
    count++
  }
}

function encodeHead(slot: number, meta: Uint8Array, seed: number): Uint8Array {
  const head = new Uint8Array(HEAD_BYTES)
  writeU32(head, 0, MAGIC)
  writeU64(head, 4, slot)
  writeU32(head, 12, meta.length)
  writeU32(head, 16, crc32(meta, crc32(head.subarray(0, 16), seed)))
  return head
}

function encodeChunkHead(chunk: Uint8Array, position: number, seed: number): Uint8Array {
  const head = new Uint8Array(CHUNK_HEAD_BYTES)
  writeU32(head, 0, chunk.length)
  writeU32(head, 4, crc32(chunk, crc32(head.subarray(0, 4), (seed ^ position) >>> 0)))
  return head
}

function seedOf(salt: Uint8Array, slot: number): number {
  const text = new Uint8Array(12)
  writeU32(text, 0, MAGIC)
  writeU64(text, 4, slot)
  return crc32(text, crc32(salt))
}
