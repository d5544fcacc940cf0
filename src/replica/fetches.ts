// What peers are served that fetch entries and bodies: a small question has an answer of up to 4 MiB, so it is metered by the time that
// the answer takes. One that comes too soon is dropped and delays nothing else of its sender, who asks again, or asks somebody else.

import { FETCH_MS_BURST, FETCH_MS_PER_SECOND } from './limits.ts'
import type { Peer } from './reign.ts'
import { TokenBucket } from './token-bucket.ts'

export class Fetches {
  private readonly buckets = new Map<Peer, TokenBucket>()
  private readonly clock: () => number

  /** `clock`: milliseconds that never go back. */
  constructor(clock: () => number) {
    this.clock = clock
  }

  /** Peers that anything is remembered of. */
  get size(): number {
    return this.buckets.size
  }

  /** Lets `answer` answer, unless this peer has had too much of that lately; false where it has. */
  serve(from: Peer, answer: () => void): boolean {
    const begunAt = this.clock()
    this.forget(begunAt)
    const bucket = this.buckets.get(from) ?? new TokenBucket(FETCH_MS_PER_SECOND, FETCH_MS_BURST)
    this.buckets.set(from, bucket)
    if (!bucket.ready(begunAt)) return false
    answer()
    bucket.take(this.clock() - begunAt)
    return true
  }

  /** Those who have not asked for long: members come and go. */
  private forget(nowMs: number): void {
    for (const [peer, bucket] of this.buckets) {
      bucket.ready(nowMs)
      if (bucket.full) this.buckets.delete(peer)
    }
  }
}
