// Fetching the state of a stable checkpoint from peers, one chunk at a time, each verified before it is used (pitfalls P57, P58).
// A peer that is silent or sends a bad chunk is left for the next one; what was verified stays.

import { equalBytes, type Frontier, type Slot, type Verified } from '../../crypto/index.ts'
import type { StableCheckpoint } from '../consensus/index.ts'
import { type AuthenticatedMap, MapRestoration } from '../machine/index.ts'
import { isFrontierOf } from './machine-host.ts'
import type { Packet } from './packets.ts'

type Chunk = Packet & { readonly kind: 'snapshot-chunk' }

/** What to do next about a transfer. */
export type TransferStep =
  | { readonly kind: 'ask'; readonly of: number; readonly slot: Slot; readonly path: Uint8Array }
  | { readonly kind: 'done'; readonly map: AuthenticatedMap; readonly frontier: Frontier }
  | { readonly kind: 'wait' }

export class Transfer {
  readonly checkpoint: Verified<StableCheckpoint>
  /** Chunks that were refused. */
  refused = 0
  private readonly sources: readonly number[]
  private readonly restoration: MapRestoration
  private readonly patienceUs: number
  private source = 0
  private askedUs = Number.NEGATIVE_INFINITY

  constructor(checkpoint: Verified<StableCheckpoint>, sources: readonly number[], patienceUs: number) {
    this.checkpoint = checkpoint
    this.sources = sources
    this.patienceUs = patienceUs
    this.restoration = new MapRestoration(checkpoint.stateRoot)
  }

  /** Time goes on: asks again, another peer, where an answer is overdue. */
  tick(nowUs: number): TransferStep {
    if (nowUs - this.askedUs < this.patienceUs) return { kind: 'wait' }
    if (this.askedUs !== Number.NEGATIVE_INFINITY) this.source++
    return this.ask(nowUs)
  }

  /** A chunk came; those that nobody asked for are passed over. */
  take({ from, slot, path, frontier, chunk }: Chunk, nowUs: number): TransferStep {
    const { next } = this.restoration
    if (slot !== this.checkpoint.slot || from !== this.asked() || next === undefined || !equalBytes(path, next)) {
      return { kind: 'wait' }
    }
    const known = isFrontierOf(frontier, slot, this.checkpoint.logRoot)
    const taken = this.restoration.offer(chunk)
    if (!known || !taken.ok) {
      this.refused++
      this.source++
      return this.ask(nowUs)
    }
    if (taken.value) return { kind: 'done', map: this.restoration.finish(), frontier }
    return this.ask(nowUs)
  }

  private ask(nowUs: number): TransferStep {
    const of = this.asked()
    const path = this.restoration.next
    if (of === undefined || path === undefined) return { kind: 'wait' }
    this.askedUs = nowUs
    return { kind: 'ask', of, slot: this.checkpoint.slot, path }
  }

  private asked(): number | undefined {
    return this.sources[this.source % Math.max(1, this.sources.length)]
  }
}
