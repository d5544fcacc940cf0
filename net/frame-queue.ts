// Frames that wait for one receiver, bounded in bytes. What does not fit is dropped: whoever needs it asks again.

import { joinFrames, prefixBytes } from './frames.ts'

/** What several queues may hold together. */
export class Budget {
  readonly limit: number
  used = 0

  constructor(limit: number) {
    this.limit = limit
  }
}

/** Bytes that leave in one write; more would only wait in the stream's own buffer. */
const MAX_WRITE_BYTES = 1024 * 1024
/**
 * A frame up to this long goes into an empty queue whatever the budget says, so that readers are not starved by
 * others.
 */
const ALWAYS_FITS_BYTES = 64 * 1024

export class FrameQueue {
  readonly #limit: number
  readonly #budget: Budget
  #frames: Uint8Array[] = []
  /** Frames before this one have left. */
  #first = 0
  #bytes = 0

  constructor(limit: number, budget: Budget = new Budget(Number.POSITIVE_INFINITY)) {
    this.#limit = limit
    this.#budget = budget
  }

  /** Bytes that wait, prefixes included. */
  get bytes(): number {
    return this.#bytes
  }

  /**
   * Queues a frame, whose bytes must not change any more; false where it does not fit beside `taken` bytes
   * elsewhere.
   */
  push(frame: Uint8Array, taken = 0): boolean {
    const size = prefixBytes(frame.length) + frame.length
    const waiting = this.#bytes + taken
    if (waiting > 0 && waiting + size > this.#limit) return false
    const small = waiting === 0 && size <= ALWAYS_FITS_BYTES
    if (!small && this.#budget.used > 0 && this.#budget.used + size > this.#budget.limit) return false
    this.#frames.push(frame)
    this.#bytes += size
    this.#budget.used += size
    return true
  }

  /** The next frames as bytes for one write, whole frames only; undefined where none wait. */
  take(): Uint8Array<ArrayBuffer> | undefined {
    if (this.#bytes === 0) return undefined
    let size = 0
    let end = this.#first
    for (; end < this.#frames.length; end++) {
      const length = this.#frames[end]?.length ?? 0
      const more = prefixBytes(length) + length
      if (size > 0 && size + more > MAX_WRITE_BYTES) break
      size += more
    }
    const joined = joinFrames(this.#frames.slice(this.#first, end), size)
    this.#first = end
    this.#bytes -= size
    this.#budget.used -= size
    if (this.#bytes === 0) {
      this.#frames = []
      this.#first = 0
    } else if (this.#first * 2 > this.#frames.length) {
      this.#frames = this.#frames.slice(this.#first)
      this.#first = 0
    }
    return joined
  }

  clear(): void {
    this.#budget.used -= this.#bytes
    this.#frames = []
    this.#first = 0
    this.#bytes = 0
  }
}
