// What one replica says to one watch, as far as it is not decided yet. Refuses what no honest replica says: a gap, something of
// other keys, more than it has credit for.

import { compareBytes } from '../../../crypto/index.ts'
import { type WatchBatch, type WatchedSlot, type WatchRange, watchCost } from '../../wire/index.ts'
import type { DropReason } from './types.ts'

export interface StreamOptions extends WatchRange {
  readonly after: number
  readonly credit: number
  readonly single: boolean
}

interface Said {
  readonly slot: WatchedSlot
  readonly cost: number
}

export class Stream {
  /** It said everything up to here. */
  covered: number
  /** Credit that is left to it. */
  available: number
  /** Cost of what waits. */
  buffered = 0
  private readonly options: StreamOptions
  private waiting: Said[] = []

  constructor(options: StreamOptions) {
    this.options = options
    this.covered = options.after
    this.available = options.credit
  }

  /** Why it is to be given up, or undefined where it said something that may be true. */
  take({ after, upTo, slots }: WatchBatch): DropReason | undefined {
    if (after !== this.covered || upTo < after) return 'watch-gap'
    let last: number = after
    for (const slot of slots) {
      if (slot.slot <= last || slot.slot > upTo || !this.isWhole(slot)) return 'watch-malformed'
      if (this.available <= 0) return 'watch-overdrawn'
      last = slot.slot
      const cost = watchCost(slot)
      this.available -= cost
      this.buffered += cost
      this.waiting.push({ slot, cost })
    }
    this.covered = upTo
    return undefined
  }

  /** The first slot with news that waits. */
  get next(): WatchedSlot | undefined {
    return this.waiting[0]?.slot
  }

  /** What is up to this slot is decided. */
  discard(upTo: number): void {
    let count = 0
    for (const { slot, cost } of this.waiting) {
      if (slot.slot > upTo) break
      this.buffered -= cost
      count++
    }
    if (count > 0) this.waiting = this.waiting.slice(count)
  }

  private isWhole({ slot, header, requests, changes }: WatchedSlot): boolean {
    if (header.slot !== slot || changes.length === 0) return false
    const kind = this.options.single ? 'proof' : 'id'
    const indexes = new Set(requests.map(({ index }) => index))
    const ascending = requests.every(({ index }, i) => i === 0 || index > (requests[i - 1]?.index ?? index))
    return (
      ascending &&
      requests.every(({ identity }) => identity.kind === kind) &&
      changes.every(({ index, key }) => (index === undefined || indexes.has(index)) && this.holds(key))
    )
  }

  private holds(key: Uint8Array): boolean {
    const { start, end } = this.options
    return compareBytes(start, key) <= 0 && (end === undefined || compareBytes(key, end) < 0)
  }
}
