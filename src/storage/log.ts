// The log: appends in order, in segments. One write is under way at a time; what comes meanwhile shares the next one.

import { join } from 'node:path'
import type { Files, WritableFile } from './files.ts'
import { encodeBatch, type Framed, framedBytes, segmentSeed } from './frame.ts'
import { MAX_GROUP_BYTES, MAX_PENDING_BYTES, SECTOR_BYTES, ZERO_AHEAD_BYTES } from './limits.ts'
import { nameOf, type RecoveredLog } from './recovery.ts'
import { type CutState, cutAt, cutRecord, Segment, segmentFile } from './segments.ts'
import { StoreError, type StoreOptions, type StoreRecord } from './store.ts'

export interface LogOptions {
  readonly files: Files
  readonly folder: string
  readonly salt: Uint8Array
  /** Whether a write counts only when it is synced. */
  readonly syncs: boolean
  readonly retention: NonNullable<StoreOptions['retention']>
  readonly onFailure: (error: Error) => void
  /** {@link SEGMENT_BYTES}, or less in tests. */
  readonly segmentBytes: number
}

interface Pending {
  readonly records: readonly StoreRecord[]
  readonly bytes: number
  readonly done: () => void
}

/** Bytes for the file, from one position to before another; `end` is that of the zeros behind them. */
interface Batch {
  readonly parts: readonly Uint8Array[]
  readonly from: number
  readonly to: number
  readonly end: number
}

const ZEROS = new Uint8Array(ZERO_AHEAD_BYTES)

export class Log {
  readonly #options: LogOptions
  /** Oldest first; the last one is being written. */
  readonly segments: Segment[]
  readonly #newest: Map<string, Framed>
  #nextSequence: number
  #cut: CutState
  #file: WritableFile
  /** The sector at which the next batch begins. */
  #end: number
  #closeLast: boolean
  #pending: Pending[] = []
  #pendingBytes = 0
  /** The writing of all that waits; undefined while nothing does. */
  #running: Promise<void> | undefined
  /** Writing at once. */
  #writing = false
  #deleting: Promise<void> = Promise.resolve()
  #failed = false
  appends = 0
  syncs = 0
  bytesWritten = 0

  constructor(options: LogOptions, recovered: RecoveredLog, file: WritableFile) {
    this.#options = options
    this.segments = recovered.segments
    this.#newest = recovered.newest
    this.#nextSequence = recovered.nextSequence
    this.#cut = recovered.cut
    this.#file = file
    this.#end = recovered.end
    this.#closeLast = recovered.closeLast
  }

  get firstSlot(): number {
    return this.#cut.firstSlot
  }

  get bytesOnDisk(): number {
    return this.segments.reduce((sum, { size }) => sum + size, 0)
  }

  /** See {@link Store.append}. After a failure nothing is appended, and `done` never called. */
  append(records: readonly StoreRecord[], done: () => void): void {
    if (this.#failed) return
    const bytes = records.reduce((sum, record) => sum + framedBytes(record), 0)
    this.#pending.push({ records, bytes, done })
    this.#pendingBytes += bytes
    this.appends++
    if (this.#pendingBytes > MAX_PENDING_BYTES) {
      const mib = Math.floor(MAX_PENDING_BYTES / 1024 / 1024)
      this.#fail(new StoreError('io', `the disk does not keep up: more than ${mib} MiB wait for it; check it`))
      return
    }
    if (this.#isQuick()) this.#writeNow()
    else this.#start()
  }

  /** See {@link Store.cut}. */
  cut(slot: number): void {
    if (slot <= this.#cut.slot || this.#failed) return
    const before = this.#cut
    const after = cutAt(slot, this.segments, before, this.#options.retention)
    this.#cut = after
    this.append([cutRecord(after)], () => {
      this.#deleting = this.#deleting.then(() => this.#delete(after.oldest)).catch((error: Error) => this.#fail(error))
    })
  }

  /** Waits for what was appended and for the files of a cut. */
  async close(): Promise<void> {
    while (this.#running !== undefined) await this.#running
    await this.#deleting
    // After a failure, which was told, there is nothing left to say.
    await this.#file.close().catch((error) => {
      if (!this.#failed) throw error
    })
  }

  #start(): void {
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined
      if (this.#pending.length > 0) this.#start()
    })
  }

  async #run(): Promise<void> {
    // Everything that this turn of the event loop still appends belongs to the same write.
    await endOfTurn()
    while (this.#pending.length > 0) {
      const group = this.#takeGroup()
      try {
        await this.#write(group.flatMap(({ records }) => records))
      } catch (error) {
        this.#fail(error)
      }
      if (this.#failed) return
      for (const { done } of group) done()
      // Without a sync nothing here waits, and a caller that appends whenever it may would let nothing else happen.
      if (!this.#options.syncs) await endOfTurn()
    }
  }

  #takeGroup(): Pending[] {
    let [count, bytes] = [0, 0]
    for (const pending of this.#pending) {
      if (count > 0 && bytes + pending.bytes > MAX_GROUP_BYTES) break
      count++
      bytes += pending.bytes
    }
    this.#pendingBytes -= bytes
    return this.#pending.splice(0, count)
  }

  /** Where nothing is under way, the file is open, and the disk is quicker than the way to a thread and back. */
  #isQuick(): boolean {
    if (this.#running !== undefined || this.#writing || !this.#options.syncs) return false
    return this.#end > 0 && !this.#closeLast && this.#file.isQuick(this.#pendingBytes) && !this.#isFull()
  }

  #writeNow(): void {
    const group = this.#takeGroup()
    this.#writing = true
    try {
      const records = this.#numbered(group.flatMap((each) => each.records))
      if (records.length > 0) {
        const batch = this.#place(records)
        this.#file.writeNow(batch.parts, batch.from)
        this.#placed(batch, records)
        this.#noteNewest(records)
      }
    } catch (error) {
      this.#fail(error)
    }
    if (!this.#failed) for (const { done } of group) done()
    this.#writing = false
    // Whoever appends whenever it may lets other things happen in between.
    if (this.#pending.length > 0) this.#start()
  }

  async #write(records: readonly StoreRecord[]): Promise<void> {
    if (records.length === 0) return
    if (this.#closeLast || this.#isFull()) await this.#nextSegment()
    if (this.#end === 0) await this.#beginSegment()
    const numbered = this.#numbered(records)
    await this.#writeBatch(numbered)
    this.#noteNewest(numbered)
  }

  #numbered(records: readonly StoreRecord[]): Framed[] {
    return records.map((record) => ({ record, sequence: this.#nextSequence++, carried: false }))
  }

  #noteNewest(records: readonly Framed[]): void {
    for (const framed of records) {
      if (framed.record.key !== undefined) this.#newest.set(nameOf(framed.record), { ...framed, carried: true })
    }
  }

  async #writeBatch(records: readonly Framed[]): Promise<void> {
    const batch = this.#place(records)
    await this.#file.write(batch.parts, batch.from)
    if (this.#options.syncs) await this.#file.sync()
    this.#placed(batch, records)
  }

  /** Where the records go, and what is written there. */
  #place(records: readonly Framed[]): Batch {
    const { syncs, salt } = this.#options
    const segment = this.#active()
    const from = this.#end * SECTOR_BYTES
    const bytes = encodeBatch(records, this.#end, segmentSeed(salt, segment.number))
    const to = from + bytes.length
    const ahead = syncs && to > segment.size ? this.#zerosAfter(to) : 0
    return { parts: [bytes, ZEROS.subarray(0, ahead)], from, to, end: to + ahead }
  }

  /** The batch is where it goes. */
  #placed({ from, to, end }: Batch, records: readonly Framed[]): void {
    const segment = this.#active()
    this.bytesWritten += end - from
    if (this.#options.syncs) this.syncs++
    segment.size = Math.max(segment.size, end)
    const fromSector = this.#end
    this.#end = to / SECTOR_BYTES
    for (const { record } of records) segment.add({ fromSector, toSector: this.#end, slot: record.slot })
  }

  #zerosAfter(position: number): number {
    const step = Math.min(ZERO_AHEAD_BYTES, this.#options.segmentBytes)
    return step - (position % step)
  }

  async #nextSegment(): Promise<void> {
    const { files, folder } = this.#options
    // A disk on which files are deleted more slowly than they are filled would grow without bound.
    await this.#deleting
    const full = this.#active()
    full.size = this.#end * SECTOR_BYTES
    await this.#file.truncate(full.size)
    const segment = new Segment(full.number + 1)
    const file = await files.openForWriting(join(folder, segment.file), 'new')
    await this.#file.close()
    this.#file = file
    this.segments.push(segment)
    this.#end = 0
    this.#closeLast = false
  }

  /**
   * A segment begins with the cut, under a number of its own by which a loss of anything before it is seen, and with the newest
   * record of each key under its old number, so that older segments may go.
   */
  async #beginSegment(): Promise<void> {
    const { files, folder, syncs } = this.#options
    const carried = [...this.#newest.values()].sort((a, b) => a.sequence - b.sequence)
    const own = { record: cutRecord(this.#cut), sequence: this.#nextSequence++, carried: false }
    await this.#writeBatch([own, ...carried])
    if (syncs) await files.syncFolder(folder)
  }

  /** What will be carried over counts too, so that carrying never costs more than what is appended. */
  #isFull(): boolean {
    const bytes = this.#end * SECTOR_BYTES
    if (bytes < this.#options.segmentBytes) return false
    const carried = [...this.#newest.values()].reduce((sum, { record }) => sum + framedBytes(record), 0)
    return bytes >= 2 * carried
  }

  async #delete(oldest: number): Promise<void> {
    const { files, folder } = this.#options
    while (this.segments.length > 1 && (this.segments[0]?.number ?? oldest) < oldest) {
      const segment = this.segments.shift()
      if (segment !== undefined) await files.remove(join(folder, segmentFile(segment.number)))
    }
  }

  /** Nothing may be acknowledged any more: of a sync that failed nobody knows what it left, now or at a second try. */
  #fail(error: unknown): void {
    if (this.#failed) return
    this.#failed = true
    this.#pending = []
    this.#options.onFailure(error instanceof Error ? error : new Error(String(error)))
  }

  #active(): Segment {
    const segment = this.segments.at(-1)
    if (segment === undefined) throw new Error('unreachable: a log has a segment')
    return segment
  }
}

function endOfTurn(): Promise<void> {
  return new Promise((turnEnded) => setImmediate(turnEnded))
}
