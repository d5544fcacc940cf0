// The states of checkpoints: given to peers, fetched from them, and kept as long as somebody reads them.

import type { Verified } from '../../crypto/index.ts'
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
import type { Peer, Reigns } from './reign.ts'
import type { SnapshotWriter } from './snapshot-writer.ts'
import { type Chunk, Transfer, type TransferStep } from './transfer.ts'

type Ask = TransferFrame & { readonly kind: 'ask' }

export interface SnapshotsOptions {
  readonly reigns: Pick<Reigns, 'current' | 'nameOf'>
  readonly host: MachineHost
  readonly counters: Counters
  /** Those that clients fetch. */
  readonly lent: LentStates
  /** The checkpoint as everybody can verify it; see `Epochs.signed`. */
  readonly signed: (checkpoint: StableCheckpoint) => StableCheckpoint
  /** The machine is now in this state. */
  readonly installed: (checkpoint: Verified<StableCheckpoint>, kept: KeptSnapshot) => void
  /** Everybody who may have it, but ourselves. */
  readonly others: () => readonly Peer[]
  readonly send: (to: Peer, frame: TransferFrame) => void
}

export class Snapshots {
  private readonly options: SnapshotsOptions
  private readonly queue = new FairQueue<Peer, Uint8Array>({
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
  begin(checkpoint: Verified<StableCheckpoint>, sources: readonly Peer[], nowMs: number): void {
    const { counters, reigns, others } = this.options
    const { viewTimeoutMs } = this
    if (this.transfer !== undefined && nowMs - this.transfer.progressAt < 2 * viewTimeoutMs) return
    const rest = others().filter((each) => !sources.includes(each))
    this.transfer = new Transfer(checkpoint, [...sources, ...rest], {
      nowMs,
      patienceMs: viewTimeoutMs,
      onBadChunk: (from) => counters.blame(reigns.nameOf(from), 'bad-chunk'),
    })
    this.follow(this.transfer.tick(nowMs))
  }

  /** Nobody waits any more for what is being fetched. */
  abandon(): void {
    this.transfer = undefined
  }

  tick(nowMs: number): void {
    if (this.transfer !== undefined) this.follow(this.transfer.tick(nowMs))
    const since = nowMs - SERVE_TIMEOUTS * this.viewTimeoutMs
    for (const [slot, askedAt] of this.served) if (askedAt < since) this.served.delete(slot)
    this.options.lent.expire(since)
    this.release()
  }

  push(from: Peer, frame: Uint8Array): void {
    this.queue.push(from, frame, frame.length)
  }

  /** Handles frames of the transfer channel until `over`. */
  drain(nowMs: number, over: () => boolean): Drained {
    return this.queue.drain(nowMs, over, (from, frame) => this.take(from, frame, nowMs))
  }

  /** Once the question for the next chunk is on its way. */
  settle(): void {
    this.transfer?.settle()
  }

  /** This checkpoint is stable: older snapshots may go, and its own may go to disk. */
  stabilize(stable: StableCheckpoint): void {
    const checkpoint = this.options.signed(stable)
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
  private take(from: Peer, bytes: Uint8Array, nowMs: number): number {
    const size = bytes.length / BYTES_PER_CHECK
    const decoded = decodeTransferFrame(bytes)
    if (!decoded.ok) {
      this.options.counters.blame(this.options.reigns.nameOf(from), 'malformed-frame')
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

  private takeChunk(from: Peer, frame: Chunk, nowMs: number): void {
    const { transfer } = this
    if (transfer === undefined) return
    const step = transfer.take(from, frame, nowMs)
    if (step.kind !== 'done') return this.follow(step)
    this.transfer = undefined
    const { reigns, host, lent, installed, signed } = this.options
    if (!reigns.current.core.awaits(transfer.checkpoint)) return
    this.served.clear()
    const kept = host.install(step.map, step.frontier, this.writer?.pinned)
    const checkpoint = signed(transfer.checkpoint)
    lent.note(checkpoint)
    installed(transfer.checkpoint, kept)
    this.writer?.put(checkpoint, kept)
    this.release()
  }

  private answer(from: Peer, { slot, path }: Ask, nowMs: number): number {
    const { host, reigns, send, counters } = this.options
    const kept = host.snapshotAt(slot)
    if (kept === undefined) {
      send(from, { kind: 'none', slot })
      return 0
    }
    this.served.set(slot, nowMs)
    const { bytes } = kept.state.chunk(path)
    const lie = reigns.current.lies?.chunk
    const chunk = lie === undefined ? bytes : lie(bytes)
    const { frontier, timestampMs } = kept
    if (chunk !== undefined) send(from, { kind: 'chunk', slot, path, frontier, timestampMs, chunk })
    counters.chunksSent++
    return CHUNK_COST
  }

  private get viewTimeoutMs(): number {
    return this.options.reigns.current.core.parameters.viewTimeoutMs
  }

  private follow(step: TransferStep): void {
    if (step.kind === 'ask') this.options.send(step.of, { kind: 'ask', slot: step.slot, path: step.path })
  }
}
