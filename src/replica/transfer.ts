// Fetching the state of a stable checkpoint from peers, one chunk at a time, each verified before it is used (pitfalls P57, P58).
// A peer that is silent or sends a bad chunk is left for the next one; what was verified stays.

import { equalBytes, type Frontier, type Slot, sha256, type Verified } from '../../crypto/index.ts'
import type { StableCheckpoint } from '../consensus/index.ts'
import { type AuthenticatedMap, MapRestoration } from '../machine/index.ts'
import type { TransferFrame } from '../wire/index.ts'
import { isFrontierOf } from './machine-host.ts'
import type { Peer } from './reign.ts'

export type Chunk = TransferFrame & { readonly kind: 'chunk' }

/** What to do next about a transfer. */
export type TransferStep =
  | { readonly kind: 'ask'; readonly of: Peer; readonly slot: Slot; readonly path: Uint8Array }
  | { readonly kind: 'done'; readonly map: AuthenticatedMap; readonly frontier: Frontier }
  | { readonly kind: 'wait' }

/** Share of the patience after which an answer counts as slow. */
const SLOW_SHARE = 1 / 4

const WAIT: TransferStep = { kind: 'wait' }

export class Transfer {
  readonly checkpoint: Verified<StableCheckpoint>
  /** Monotonic milliseconds of the last good chunk, or of the start. */
  progressAt: number
  private readonly sources: readonly Peer[]
  private readonly restoration: MapRestoration
  private readonly patienceMs: number
  private readonly onBadChunk: (from: Peer) => void
  private source = 0
  private askedAt: number | undefined

  constructor(
    checkpoint: Verified<StableCheckpoint>,
    sources: readonly Peer[],
    options: {
      readonly nowMs: number
      readonly patienceMs: number
      readonly onBadChunk: (from: Peer) => void
    },
  ) {
    this.checkpoint = checkpoint
    this.sources = sources
    this.progressAt = options.nowMs
    this.patienceMs = options.patienceMs
    this.onBadChunk = options.onBadChunk
    this.restoration = new MapRestoration(checkpoint.stateRoot, sha256)
  }

  /** Does what is left to do about the last chunk. */
  settle(): void {
    this.restoration.settle()
  }

  /** Time goes on: asks again, another peer, where an answer is overdue. */
  tick(nowMs: number): TransferStep {
    if (this.askedAt !== undefined) {
      if (nowMs - this.askedAt < this.patienceMs) return WAIT
      this.source++
    }
    return this.ask(nowMs)
  }

  /** A chunk came; those that nobody asked for are passed over. */
  take(from: Peer, { slot, path, frontier, chunk }: Chunk, nowMs: number): TransferStep {
    const { next } = this.restoration
    if (!this.awaits(from, slot) || next === undefined || !equalBytes(path, next)) return WAIT
    const known = isFrontierOf(frontier, slot, this.checkpoint.logRoot)
    const taken = known ? this.restoration.offer(chunk) : undefined
    if (taken === undefined || !taken.ok) {
      this.onBadChunk(from)
      this.source++
      return this.ask(nowMs)
    }
    // Good chunks, but so slow that a large state would never be whole: somebody else may be faster.
    if (nowMs - (this.askedAt ?? nowMs) > this.patienceMs * SLOW_SHARE) this.source++
    this.progressAt = nowMs
    if (taken.value) return { kind: 'done', map: this.restoration.finish(), frontier }
    return this.ask(nowMs)
  }

  /**
   * The peer does not have the snapshot: the next one is asked, but once all have said so only after a while, or we would go round
   * in circles as fast as the network lets us.
   */
  missing(from: Peer, slot: Slot, nowMs: number): TransferStep {
    if (!this.awaits(from, slot)) return WAIT
    this.source++
    return this.source % this.sources.length === 0 ? WAIT : this.ask(nowMs)
  }

  private awaits(from: Peer, slot: Slot): boolean {
    return this.askedAt !== undefined && slot === this.checkpoint.slot && from === this.asked()
  }

  private ask(nowMs: number): TransferStep {
    const of = this.asked()
    const path = this.restoration.next
    if (of === undefined || path === undefined) return WAIT
    this.askedAt = nowMs
    return { kind: 'ask', of, slot: this.checkpoint.slot, path }
  }

  private asked(): Peer | undefined {
    return this.sources[this.source % Math.max(1, this.sources.length)]
  }
}
