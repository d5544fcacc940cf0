// Which states go to disk, and when. Not every checkpoint's: the journal holds every entry since the last snapshot, and a restart
// replays it. A new one is written when the journal has grown longer than that is worth, and then the log below it may go.

import { setTimeout as rest } from 'node:timers/promises'
import type { StableCheckpoint } from '../consensus/index.ts'
import type { Store } from '../storage/index.ts'
import { encodeRecord } from '../wire/index.ts'
import { type ShellLimits, SNAPSHOT_JOURNAL_SHARE, SNAPSHOT_SHARE } from './limits.ts'
import type { KeptSnapshot } from './machine-host.ts'

export interface SnapshotWriterOptions {
  readonly store: Store
  readonly limits: ShellLimits
  /** Slot of the snapshot on disk, 0 where there is none, and its bytes. */
  readonly stored: { readonly slot: number; readonly bytes: number }
  /** Bytes appended to the journal so far, those that a restart has read included. */
  readonly journalBytes: () => number
  /** A snapshot is on disk; called with every one that was given to the writer, also where it was not written. */
  readonly released: (kept: KeptSnapshot) => void
  readonly onFailure: (error: unknown) => void
}

interface Job {
  readonly checkpoint: StableCheckpoint
  readonly kept: KeptSnapshot
}

export class SnapshotWriter {
  /** Snapshots written so far. */
  written = 0
  private readonly options: SnapshotWriterOptions
  private stored: { readonly slot: number; readonly bytes: number }
  /** Length of the journal when the last snapshot was begun. */
  private begunAt = 0
  private writing: Job | undefined
  private next: Job | undefined
  private stopped = false
  private idle: Promise<void> = Promise.resolve()

  constructor(options: SnapshotWriterOptions) {
    this.options = options
    this.stored = options.stored
  }

  /** Slots whose snapshots it reads, or will. */
  get pinned(): readonly number[] {
    return [this.writing, this.next].flatMap((job) => (job === undefined ? [] : [job.kept.slot]))
  }

  /** Slot of the newest snapshot on disk. */
  get storedSlot(): number {
    return this.stored.slot
  }

  /** The checkpoint of this state is stable: writes it where one is due. */
  offer(checkpoint: StableCheckpoint, kept: KeptSnapshot): void {
    if (this.isDue(checkpoint.slot)) this.put(checkpoint, kept)
  }

  /** Writes this state whether one is due or not, for the journal does not lead to it. */
  put(checkpoint: StableCheckpoint, kept: KeptSnapshot): void {
    const newest = Math.max(this.stored.slot, this.writing?.kept.slot ?? 0)
    if (this.stopped || kept.slot <= newest) return
    if (this.writing === undefined) this.begin({ checkpoint, kept })
    else {
      const before = this.next
      this.next = { checkpoint, kept }
      if (before !== undefined) this.options.released(before.kept)
    }
  }

  /** Begins no more; resolves when what is being written has ended. */
  async stop(): Promise<void> {
    this.stopped = true
    this.next = undefined
    await this.idle
  }

  private isDue(slot: number): boolean {
    const { limits, journalBytes } = this.options
    const since = Math.max(this.stored.slot, this.writing?.kept.slot ?? 0)
    const bytes = journalBytes() - this.begunAt
    const enough = Math.max(limits.snapshotBytes, this.stored.bytes * SNAPSHOT_JOURNAL_SHARE)
    return slot - since >= limits.snapshotSlots || bytes >= enough
  }

  private begin(job: Job): void {
    this.writing = job
    this.begunAt = this.options.journalBytes()
    this.idle = this.write(job)
  }

  private async write(job: Job): Promise<void> {
    const { store, released, onFailure } = this.options
    const { checkpoint, kept } = job
    const size = { bytes: 0 }
    try {
      const meta = encodeRecord({ kind: 'stable', checkpoint, frontier: kept.frontier })
      await store.putSnapshot(kept.slot, meta, this.chunksOf(kept, size))
      this.stored = { slot: kept.slot, bytes: size.bytes }
      this.written++
      store.cut(kept.slot)
    } catch (error) {
      // On the way out an unfinished snapshot is of no loss: the journal is still whole.
      if (!this.stopped) onFailure(error)
    }
    const { next } = this
    this.writing = undefined
    this.next = undefined
    released(kept)
    if (next !== undefined && !this.stopped) this.begin(next)
  }

  /** One chunk at a time, and most of the time none: every replica writes a large state at the same checkpoint, and votes must not wait for it. */
  private async *chunksOf(kept: KeptSnapshot, size: { bytes: number }): AsyncGenerator<Uint8Array> {
    let beganMs = performance.now()
    for (const chunk of kept.state.sealedChunks()) {
      if (this.stopped) throw new Error('snapshot: given up, since the replica stops')
      size.bytes += chunk.length
      yield chunk
      await rest((performance.now() - beganMs) * (1 / SNAPSHOT_SHARE - 1))
      beganMs = performance.now()
    }
  }
}
