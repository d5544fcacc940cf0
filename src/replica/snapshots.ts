// The states of checkpoints: given to peers, fetched from them, and kept as long as somebody reads them.

import { type ReplicaIndex, replicaIndex, type Verified } from '../../crypto/index.ts'
import type { ChunkLie } from '../byzantine/index.ts'
import type { StableCheckpoint } from '../consensus/index.ts'
import { decodeTransferFrame, type TransferFrame } from '../wire/index.ts'
import type { Counters } from './counters.ts'
import { type Drained, FairQueue } from './fair-queue.ts'
import type { LentStates } from './lent-states.ts'
import {
  BAD_FRAME_FACTOR,
  BYTES_PER_CHECK,
  CHUNK_COST,
  KEPT_SNAPSHOTS,
  PEER_CHECKS_BURST,
  PEER_CHECKS_PER_SECOND,
  SERVE_TIMEOUTS,
  SERVED_SNAPSHOTS,
  TRANSFER_QUEUE_BYTES,
} from './limits.ts'
import type { KeptSnapshot, MachineHost } from './machine-host.ts'
import type { SnapshotWriter } from './snapshot-writer.ts'
import { type Chunk, Transfer, type TransferStep } from './transfer.ts'

type Ask = TransferFrame & { readonly kind: 'ask' }

export interface SnapshotsOptions {
  readonly self: ReplicaIndex
  readonly replicas: number
  readonly host: MachineHost
  readonly viewTimeoutMs: number
  readonly counters: Counters
  readonly lie: ChunkLie | undefined
  /** Those that clients fetch. */
  readonly lent: LentStates
  /** False where the core no longer wants this state. */
  readonly awaits: (checkpoint: StableCheckpoint) => boolean
  /** The machine is now in this state. */
  readonly installed: (checkpoint: Verified<StableCheckpoint>, kept: KeptSnapshot) => void
  readonly send: (to: ReplicaIndex, frame: TransferFrame) => void
}

export class Snapshots {
  private readonly options: SnapshotsOptions
  private readonly queue = new FairQueue<ReplicaIndex, Uint8Array>({
    sourceBytes: TRANSFER_QUEUE_BYTES,
    costPerSecond: PEER_CHECKS_PER_SECOND,
    costBurst: PEER_CHECKS_BURST,
  })
  /** Slots that were asked for lately, and when. */
  private readonly served = new Map<number, number>()
  private writer: SnapshotWriter | undefined
  private transfer: Transfer | undefined
  private stable = 0

  constructor(options: SnapshotsOptions) {
    this.options = options
  }

  /** To be called once, before anything else; `stable` is the newest stable checkpoint. */
  attach(writer: SnapshotWriter, stable: StableCheckpoint | undefined): void {
    this.writer = writer
    this.stable = stable?.slot ?? 0
    if (stable !== undefined) this.options.lent.note(stable)
  }

  /** Frames that found no room. */
  get dropped(): number {
    return this.queue.dropped
  }

  get transferring(): boolean {
    return this.transfer !== undefined
  }

  /** Fetches the state of `checkpoint`, from `sources` first and then from anybody. One that makes progress is not begun anew. */
  begin(checkpoint: Verified<StableCheckpoint>, sources: readonly ReplicaIndex[], nowMs: number): void {
    const { self, replicas, viewTimeoutMs, counters } = this.options
    if (this.transfer !== undefined && nowMs - this.transfer.progressAt < 2 * viewTimeoutMs) return
    const all = Array.from({ length: replicas }, (_, i) => replicaIndex(i))
    const others = all.filter((each) => each !== self && !sources.includes(each))
    this.transfer = new Transfer(checkpoint, [...sources, ...others], {
      nowMs,
      patienceMs: viewTimeoutMs,
      onBadChunk: (from) => counters.blame(from, 'bad-chunk'),
    })
    this.follow(this.transfer.tick(nowMs))
  }

  tick(nowMs: number): void {
    if (this.transfer !== undefined) this.follow(this.transfer.tick(nowMs))
    for (const [slot, askedAt] of this.served) {
      if (nowMs - askedAt > SERVE_TIMEOUTS * this.options.viewTimeoutMs) this.served.delete(slot)
    }
    this.options.lent.expire(nowMs - SERVE_TIMEOUTS * this.options.viewTimeoutMs)
    this.release()
  }

  push(from: ReplicaIndex, frame: Uint8Array): void {
    this.queue.push(from, frame, frame.length)
  }

  /** Handles frames of the transfer channel until `over`. */
  drain(nowMs: number, over: () => boolean): Drained {
    return this.queue.drain(nowMs, over, (from, frame) => this.take(from, frame, nowMs))
  }

  /** This checkpoint is stable: older snapshots may go, and its own may go to disk. */
  stabilize(checkpoint: StableCheckpoint): void {
    this.stable = Math.max(this.stable, checkpoint.slot)
    this.options.lent.note(checkpoint)
    const kept = this.options.host.snapshotAt(checkpoint.slot)
    if (kept !== undefined) this.writer?.offer(checkpoint, kept)
    this.release()
  }

  /** Closes what nobody reads any more. */
  release(): void {
    const { host, lent } = this.options
    const pinned = this.writer?.pinned ?? []
    const served = [...this.served.keys()].sort((a, b) => b - a).slice(0, SERVED_SNAPSHOTS)
    const old = host.snapshotSlots().filter((at) => at < this.stable)
    const spared = old.slice(Math.max(0, old.length - KEPT_SNAPSHOTS))
    const kept = new Set<number | undefined>([...pinned, ...served, ...spared, lent.pinned])
    for (const at of old) if (!kept.has(at)) host.release(at)
  }

  /** What the frame has cost, in signature checks. */
  private take(from: ReplicaIndex, bytes: Uint8Array, nowMs: number): number {
    const size = bytes.length / BYTES_PER_CHECK
    const decoded = decodeTransferFrame(bytes)
    if (!decoded.ok) {
      this.options.counters.blame(from, 'malformed-frame')
      return (size + 1) * BAD_FRAME_FACTOR
    }
    const frame = decoded.value
    switch (frame.kind) {
      case 'ask':
        return size + this.answer(from, frame, nowMs)
      case 'none':
        if (this.transfer !== undefined) this.follow(this.transfer.missing(from, frame.slot, nowMs))
        return size
      case 'chunk':
        this.takeChunk(from, frame, nowMs)
        return size
    }
  }

  private takeChunk(from: ReplicaIndex, frame: Chunk, nowMs: number): void {
    const { transfer } = this
    if (transfer === undefined) return
    const step = transfer.take(from, frame, nowMs)
    if (step.kind !== 'done') return this.follow(step)
    this.transfer = undefined
    if (!this.options.awaits(transfer.checkpoint)) return
    this.served.clear()
    const { checkpoint } = transfer
    const kept = this.options.host.install(step.map, step.frontier, this.writer?.pinned)
    this.options.lent.note(checkpoint)
    this.options.installed(checkpoint, kept)
    this.writer?.put(checkpoint, kept)
    this.release()
  }

  private answer(from: ReplicaIndex, { slot, path }: Ask, nowMs: number): number {
    const { host, lie, send, counters } = this.options
    const kept = host.snapshotAt(slot)
    if (kept === undefined) {
      send(from, { kind: 'none', slot })
      return 0
    }
    this.served.set(slot, nowMs)
    const { bytes } = kept.state.chunk(path)
    const chunk = lie === undefined ? bytes : lie(bytes)
    const { frontier, timestampMs } = kept
    if (chunk !== undefined) send(from, { kind: 'chunk', slot, path, frontier, timestampMs, chunk })
    counters.chunksSent++
    return CHUNK_COST
  }

  private follow(step: TransferStep): void {
    if (step.kind === 'ask') this.options.send(step.of, { kind: 'ask', slot: step.slot, path: step.path })
  }
}
