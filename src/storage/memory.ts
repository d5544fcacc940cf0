// A store that survives nothing: for tests, and for `durability: memory`. It does what the store on disk does, without a disk.

import { checkChunk, checkRecords, checkSlot, checkSnapshot } from './check.ts'
import { Keys } from './keys.ts'
import type { Recovered, Store, StoreCounters, StoredSnapshot, StoreOptions, StoreRecord } from './store.ts'

/** What is in a store in memory. Handed to the next store it is what a disk is to a restarted process; no two at once. */
export interface MemoryContents {
  records: StoreRecord[]
  snapshots: readonly StoredSnapshot[]
  cut: number
  firstSlot: number
}

export interface MemoryOptions {
  readonly retention?: StoreOptions['retention']
  /** Empty unless told. */
  readonly contents?: MemoryContents
}

/** Contents of a new store. */
export function emptyContents(): MemoryContents {
  return { records: [], snapshots: [], cut: 0, firstSlot: 1 }
}

export function memoryStore({ retention, contents = emptyContents() }: MemoryOptions = {}): Store {
  return new MemoryStore(retention, contents)
}

interface Pending {
  readonly records: readonly StoreRecord[]
  readonly done: () => void
}

class MemoryStore implements Store {
  readonly recovered: Recovered
  readonly #retention: NonNullable<StoreOptions['retention']>
  readonly #contents: MemoryContents
  readonly #keys = new Keys()
  #pending: Pending[] = []
  #snapshotUnderWay = false
  #closed = false
  #appends = 0
  #syncs = 0
  #bytesWritten = 0

  constructor(retention: StoreOptions['retention'], contents: MemoryContents) {
    this.#retention = retention ?? {}
    this.#contents = contents
    const records = newestOfEachKey(contents.records).filter(({ slot }) => slot === 0 || slot > contents.cut)
    this.#keys.add(records)
    this.recovered = { records, damaged: [], tornBytes: 0, snapshot: contents.snapshots[0] }
  }

  get firstSlot(): number {
    return this.#contents.firstSlot
  }

  /** There is nothing that says whose it is. */
  async adopt(): Promise<void> {
    this.#refuseClosed()
  }

  append(records: readonly StoreRecord[], done: () => void): void {
    this.#refuseClosed()
    checkRecords(records)
    this.#keys.add(records)
    // Not in a microtask: a caller that appends whenever it may would let nothing else happen.
    if (this.#pending.length === 0) setImmediate(() => this.#flush())
    this.#pending.push({ records: records.map((record) => ({ ...record, bytes: record.bytes.slice() })), done })
    this.#appends++
  }

  async putSnapshot(
    slot: number,
    meta: Uint8Array,
    chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
  ): Promise<void> {
    this.#refuseClosed()
    checkSnapshot(slot, meta)
    if (this.#snapshotUnderWay) throw new Error('a snapshot is being written already')
    this.#snapshotUnderWay = true
    try {
      const kept: Uint8Array[] = []
      for await (const chunk of chunks) {
        checkChunk(chunk)
        kept.push(chunk.slice())
        this.#bytesWritten += chunk.length
      }
      const older = this.#contents.snapshots.filter((snapshot) => snapshot.slot < slot).slice(0, 1)
      this.#contents.snapshots = [{ slot, meta: meta.slice(), chunks: () => kept }, ...older]
    } finally {
      this.#snapshotUnderWay = false
    }
  }

  cut(slot: number): void {
    this.#refuseClosed()
    checkSlot('cut', slot)
    const contents = this.#contents
    if (slot <= contents.cut) return
    contents.cut = slot
    const { slots = 0, bytes = 0 } = this.#retention
    const bound = slot - slots
    let history = contents.records.reduce((sum, each) => sum + (isHistory(each, slot) ? each.bytes.length : 0), 0)
    contents.records = contents.records.filter((record) => {
      if (!isHistory(record, bound) || history - record.bytes.length < bytes) return true
      history -= record.bytes.length
      contents.firstSlot = Math.max(contents.firstSlot, record.slot + 1)
      return false
    })
    contents.records = newestOfEachKey(contents.records)
  }

  async *read(from: number, to: number): AsyncGenerator<StoreRecord> {
    for (const record of [...this.#contents.records]) {
      if (record.slot > 0 && record.slot >= from && record.slot <= to) yield record
    }
  }

  counters(): StoreCounters {
    const bytesOnDisk = 0
    return { appends: this.#appends, syncs: this.#syncs, bytesWritten: this.#bytesWritten, bytesOnDisk }
  }

  async close(): Promise<void> {
    this.#closed = true
    while (this.#pending.length > 0) await new Promise((turnEnded) => setImmediate(turnEnded))
  }

  #flush(): void {
    const pending = this.#pending.splice(0)
    for (const { records } of pending) {
      this.#contents.records.push(...records)
      this.#bytesWritten += records.reduce((sum, { bytes }) => sum + bytes.length, 0)
    }
    this.#syncs++
    for (const { done } of pending) done()
  }

  #refuseClosed(): void {
    if (this.#closed) throw new Error('the store is closed')
  }
}

function isHistory({ slot }: StoreRecord, cut: number): boolean {
  return slot > 0 && slot <= cut
}

/** Without the records of which there is a newer one under the same key. */
function newestOfEachKey(records: readonly StoreRecord[]): StoreRecord[] {
  const newest = new Map<string, StoreRecord>()
  for (const record of records) if (record.key !== undefined) newest.set(record.key, record)
  return records.filter((record) => record.key === undefined || newest.get(record.key) === record)
}
