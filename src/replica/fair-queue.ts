// Frames of many sources, taken one by one from each in turn. Every source has a bound on the bytes that wait and a bucket of what
// it may cost (pitfall P53): one that floods us waits for itself alone.

import { FRAME_COST } from './limits.ts'
import { TokenBucket } from './token-bucket.ts'

export interface FairQueueOptions {
  /** Bytes that may wait for one source. */
  readonly sourceBytes: number
  /** Bytes that may wait in all; only the sum of the above unless told. */
  readonly totalBytes?: number
  readonly costPerSecond: number
  readonly costBurst: number
}

/** `empty`: nothing waits. `throttled`: what waits must wait for time to pass. `more`: the slice of time is over. */
export type Drained = 'empty' | 'throttled' | 'more'

interface Waiting<Item> {
  readonly item: Item
  readonly weight: number
}

interface Lane<Item> {
  readonly waiting: (Waiting<Item> | undefined)[]
  /** The next of `waiting`; those before it are gone, and held no more. */
  head: number
  bytes: number
  readonly bucket: TokenBucket
}

/** What a frame weighs in memory beside its bytes, so that empty ones are bounded too. */
const OVERHEAD_BYTES = 64
/** Consumed places after which a lane's list is shortened. */
const COMPACT_AT = 256

export class FairQueue<Source, Item> {
  /** Frames that found no room. */
  dropped = 0
  private readonly options: FairQueueOptions
  private readonly lanes = new Map<Source, Lane<Item>>()
  private bytes = 0

  constructor(options: FairQueueOptions) {
    this.options = options
  }

  /** Bytes that wait. */
  get waiting(): number {
    return this.bytes
  }

  /** Queues an item of so many bytes; false where it was dropped. */
  push(source: Source, item: Item, bytes: number): boolean {
    const lane = this.laneOf(source)
    const { sourceBytes, totalBytes = Number.POSITIVE_INFINITY } = this.options
    const weight = bytes + OVERHEAD_BYTES
    // One frame is taken whatever its size, which the network bounds.
    const full = lane.bytes > 0 && lane.bytes + weight > sourceBytes
    if (full || this.bytes + weight > totalBytes) {
      this.dropped++
      return false
    }
    lane.waiting.push({ item, weight })
    lane.bytes += weight
    this.bytes += weight
    return true
  }

  /** Hands items to `handle`, which says what each has cost, until `over` says that it is enough. */
  drain(nowMs: number, over: () => boolean, handle: (source: Source, item: Item) => number): Drained {
    for (;;) {
      let served = false
      for (const [source, lane] of this.lanes) {
        const ready = lane.bucket.ready(nowMs)
        if (lane.bytes === 0) {
          if (lane.bucket.full) this.lanes.delete(source)
          continue
        }
        if (!ready) continue
        const next = this.shift(lane)
        if (next === undefined) continue
        served = true
        lane.bucket.take(FRAME_COST + handle(source, next))
        if (over()) return this.bytes === 0 ? 'empty' : 'more'
      }
      if (!served) return this.bytes === 0 ? 'empty' : 'throttled'
    }
  }

  private laneOf(source: Source): Lane<Item> {
    const known = this.lanes.get(source)
    if (known !== undefined) return known
    const { costPerSecond, costBurst } = this.options
    const made: Lane<Item> = { waiting: [], head: 0, bytes: 0, bucket: new TokenBucket(costPerSecond, costBurst) }
    this.lanes.set(source, made)
    return made
  }

  private shift(lane: Lane<Item>): Item | undefined {
    const next = lane.waiting[lane.head]
    if (next === undefined) return undefined
    lane.waiting[lane.head++] = undefined
    if (lane.head === lane.waiting.length || lane.head >= COMPACT_AT) {
      lane.waiting.splice(0, lane.head)
      lane.head = 0
    }
    lane.bytes -= next.weight
    this.bytes -= next.weight
    return next.item
  }
}
