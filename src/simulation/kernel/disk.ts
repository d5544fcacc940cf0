// A disk as a consensus protocol must fear it. Appends reach the platter in order and some time after they were made, those
// made during one sync together with the next. A power
// cut loses what was not synced yet, though it may keep any number of the first of those appends, the last of them torn. A
// torn append is seen by its checksum and dropped as a whole, never read as less than was written.
//
// Snapshots and truncation go through the same queue, so that what is durable is always a prefix of what was asked for.

import type { Random } from './random.ts'

export interface DiskSettings {
  readonly meanSyncUs: number
  /** Chance that a sync takes 20 times as long. */
  readonly slowProbability: number
  /** Chance that a power cut leaves appends that were never confirmed. */
  readonly keepUnsyncedProbability: number
}

export interface DiskContents<Record, Snapshot> {
  readonly records: readonly Record[]
  readonly snapshot: Snapshot | undefined
}

type Write<Record, Snapshot> =
  | { readonly kind: 'append'; readonly records: readonly Record[] }
  | { readonly kind: 'snapshot'; readonly snapshot: Snapshot }
  | { readonly kind: 'truncate'; readonly keep: (record: Record, index: number, all: readonly Record[]) => boolean }

/** What a power cut did. */
export interface PowerCut {
  /** Writes that are gone though they had been asked for. */
  readonly lost: number
  /** Unconfirmed writes that nevertheless are there. */
  readonly kept: number
  readonly torn: boolean
}

export class Disk<Record, Snapshot> {
  private readonly settings: DiskSettings
  private readonly random: Random
  private durable: Record[] = []
  private snapshot: Snapshot | undefined
  private pending: Write<Record, Snapshot>[] = []
  /** End of the sync under way, and of the one after it where anything waits for that. */
  private syncEndUs = 0
  private nextEndUs: number | undefined
  private slowdown = 1

  constructor(settings: DiskSettings, random: Random) {
    this.settings = settings
    this.random = random
  }

  /** Queues records; returns when they will be durable. The caller then calls {@link confirm}, once for each write, in order. */
  append(records: readonly Record[], nowUs: number): number {
    return this.enqueue({ kind: 'append', records }, nowUs)
  }

  putSnapshot(snapshot: Snapshot, nowUs: number): number {
    return this.enqueue({ kind: 'snapshot', snapshot }, nowUs)
  }

  truncate(keep: (record: Record, index: number, all: readonly Record[]) => boolean, nowUs: number): number {
    return this.enqueue({ kind: 'truncate', keep }, nowUs)
  }

  /** The oldest write that waits is durable now. */
  confirm(): void {
    const write = this.pending.shift()
    if (write === undefined) throw new Error('disk: nothing to confirm')
    this.carryOut(write)
  }

  /** Loses what was not synced, in the way of real disks. */
  powerCut(nowUs: number): PowerCut {
    const waiting = this.pending
    this.pending = []
    this.syncEndUs = nowUs
    this.nextEndUs = undefined
    const lucky = this.random.chance(this.settings.keepUnsyncedProbability)
    const kept = lucky ? this.random.below(waiting.length + 1) : 0
    for (const write of waiting.slice(0, kept)) this.carryOut(write)
    return { lost: waiting.length - kept, kept, torn: waiting.length > kept && this.random.chance(0.5) }
  }

  read(): DiskContents<Record, Snapshot> {
    return { records: [...this.durable], snapshot: this.snapshot }
  }

  /** Bits flip in the newest record that `holds`; true where there was one. Its checksum tells, so it reads as gone. */
  damageRecord(holds: (record: Record) => boolean): boolean {
    const at = this.durable.findLastIndex(holds)
    if (at >= 0) this.durable.splice(at, 1)
    return at >= 0
  }

  /** Bits flip in the snapshot; true where there was one. */
  damageSnapshot(): boolean {
    const there = this.snapshot !== undefined
    this.snapshot = undefined
    return there
  }

  /** A new, empty disk is put in. */
  wipe(): void {
    this.durable = []
    this.snapshot = undefined
    this.pending = []
  }

  slowDown(factor: number): void {
    this.slowdown = factor
  }

  /** What comes during one sync goes into the next as one: group commit. */
  private enqueue(write: Write<Record, Snapshot>, nowUs: number): number {
    this.pending.push(write)
    if (this.nextEndUs !== undefined && nowUs >= this.syncEndUs) {
      this.syncEndUs = this.nextEndUs
      this.nextEndUs = undefined
    }
    if (nowUs >= this.syncEndUs) {
      this.syncEndUs = nowUs + this.latency()
      return this.syncEndUs
    }
    this.nextEndUs ??= this.syncEndUs + this.latency()
    return this.nextEndUs
  }

  private latency(): number {
    const { meanSyncUs, slowProbability } = this.settings
    const stretch = (this.random.chance(slowProbability) ? 20 : 1) * this.slowdown
    return 1 + Math.round(this.random.exponential(meanSyncUs) * stretch)
  }

  private carryOut(write: Write<Record, Snapshot>): void {
    if (write.kind === 'append') this.durable.push(...write.records)
    else if (write.kind === 'snapshot') this.snapshot = write.snapshot
    else this.durable = this.durable.filter(write.keep)
  }
}
