// The paths of the keys that a commit changes: rows of 32 bytes in one array, which are compared and sorted where they lie.

import { HASH_BYTES } from './hashing.ts'

/** What a double holds of a path beside its row: 4 bytes, and 21 bits. */
const ROWS = 2 ** 21

export class Paths {
  /** {@link HASH_BYTES} a row. */
  readonly bytes: Uint8Array
  private rows = 0

  /** With room for so many, fewer than 2^21. */
  constructor(room: number) {
    if (room >= ROWS) throw new RangeError(`paths: expected fewer than ${ROWS}, got ${room}`)
    this.bytes = new Uint8Array(room * HASH_BYTES)
  }

  /** The row that it gets. */
  add(path: Uint8Array): number {
    this.bytes.set(path, this.rows * HASH_BYTES)
    return this.rows++
  }

  /** Where the next `count` rows are to be written. */
  room(count: number): Uint8Array {
    const from = this.rows * HASH_BYTES
    this.rows += count
    return this.bytes.subarray(from, this.rows * HASH_BYTES)
  }

  /** Negative, zero or positive: how the paths of two rows compare. */
  compare(a: number, b: number): number {
    for (let i = 0; i < HASH_BYTES; i++) {
      const difference = (this.bytes[a * HASH_BYTES + i] ?? 0) - (this.bytes[b * HASH_BYTES + i] ?? 0)
      if (difference !== 0) return difference
    }
    return 0
  }

  /** All rows in the order of their paths. */
  sorted(): Uint32Array {
    const numbers = new Float64Array(this.rows)
    for (let row = 0; row < this.rows; row++) numbers[row] = this.head(row) * ROWS + row
    numbers.sort()
    const order = new Uint32Array(this.rows)
    for (const [i, number] of numbers.entries()) {
      const row = number % ROWS
      let at = i
      // Hardly ever do two agree in so many bits.
      for (; at > 0 && this.compare(order[at - 1] ?? 0, row) > 0; at--) order[at] = order[at - 1] ?? 0
      order[at] = row
    }
    return order
  }

  /** Where in `rows`, sorted, the run of those whose digit at `depth` is `digit` ends, from `from` on and before `to`. */
  endOfDigit(rows: ArrayLike<number>, depth: number, digit: number, from: number, to: number): number {
    const [at, shift] = [depth >>> 2, 6 - 2 * (depth & 3)]
    let end = from
    while (end < to && (((this.bytes[(rows[end] ?? 0) * HASH_BYTES + at] ?? 0) >>> shift) & 3) === digit) end++
    return end
  }

  /** The first four bytes. */
  private head(row: number): number {
    const at = row * HASH_BYTES
    const { bytes } = this
    return (
      (((bytes[at] ?? 0) << 24) | ((bytes[at + 1] ?? 0) << 16) | ((bytes[at + 2] ?? 0) << 8) | (bytes[at + 3] ?? 0)) >>>
      0
    )
  }
}
