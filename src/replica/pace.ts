// How often something is done for each peer.

import { PACED_PEERS } from './limits.ts'
import type { Peer } from './reign.ts'

export class Pace {
  /** The longest ago first. */
  private readonly doneAt = new Map<Peer, number>()

  /** True, and noted as done, where it was not done for this peer in the last `gapMs`. */
  allows(peer: Peer, nowMs: number, gapMs: number): boolean {
    if (nowMs - (this.doneAt.get(peer) ?? Number.NEGATIVE_INFINITY) < gapMs) return false
    this.doneAt.delete(peer)
    this.doneAt.set(peer, nowMs)
    const [oldest] = this.doneAt.keys()
    if (this.doneAt.size > PACED_PEERS && oldest !== undefined) this.doneAt.delete(oldest)
    return true
  }
}
