// [S]B - [k]A for keys whose multiples were prepared: sums of 64 points out of tables, without a single doubling.
//
// A scalar below L is 32 digits of -128 to 127, the least first, and a table holds d * 256^j * P for d of 1 to 128 and each j: 4,096 points
// of 120 bytes. OpenSSL doubles 253 times for each signature since it knows the key for one check only.
// Ref: Brickell, Gordon, McCurley, Wilson, "Fast exponentiation with precomputation", 1992.

import { Point } from '@noble/ed25519'
import type { Brand } from '../../../crypto/index.ts'
import { ELEMENT_BYTES, type FieldModule, fieldModule, LIMBS, SCRATCH_BYTES, SUM_T, SUM_Z } from './field.ts'

export const DIGITS = 32
const DIGIT_MULTIPLES = 128
const POINT_BYTES = 4 * ELEMENT_BYTES
const ENTRY_BYTES = 3 * ELEMENT_BYTES
export const TABLE_BYTES = DIGITS * DIGIT_MULTIPLES * ENTRY_BYTES
/** Sums that are finished together, since one inversion then serves for all. */
export const MAX_SUMS = 256

const { p: PRIME, d: CURVE_D } = Point.CURVE()

/** Where one element each lies, behind the scratch of the field. */
const INVERSE = SCRATCH_BYTES
const ONE_INVERSE = INVERSE + ELEMENT_BYTES
const TEMPORARY = ONE_INVERSE + ELEMENT_BYTES
const OTHER = TEMPORARY + ELEMENT_BYTES
const TWO_D = OTHER + ELEMENT_BYTES
/** Two encodings of 32 bytes. */
const ENCODED = TWO_D + ELEMENT_BYTES
const SUMS = ENCODED + 64
const PREFIXES = SUMS + MAX_SUMS * POINT_BYTES
const TABLES = PREFIXES + MAX_SUMS * ELEMENT_BYTES

/** Where one of the tables is. */
export type Table = Brand<number, 'Table'>

export class Multiples {
  private readonly field: FieldModule
  private readonly memory: DataView
  private readonly bytes: Uint8Array
  private readonly capacity: number
  private tables = 0

  private constructor(field: FieldModule, capacity: number) {
    this.capacity = capacity
    this.field = field
    this.memory = new DataView(this.field.memory.buffer)
    this.bytes = new Uint8Array(this.field.memory.buffer)
    this.put(TWO_D, (2n * CURVE_D) % PRIME)
  }

  /** With room for so many tables of {@link TABLE_BYTES}; undefined where there is no WebAssembly. */
  static create(capacity: number): Multiples | undefined {
    const field = fieldModule(TABLES + capacity * TABLE_BYTES)
    return field && new Multiples(field, capacity)
  }

  get full(): boolean {
    return this.tables === this.capacity
  }

  /** The table of `point`; takes some milliseconds. @throws {RangeError} where there is no room left. */
  prepare(point: Point): Table {
    if (this.full) throw new RangeError(`tables: expected at most ${this.capacity}, all are in use`)
    const table = (TABLES + this.tables++ * TABLE_BYTES) as Table
    let power = point
    for (let j = 0; j < DIGITS; j++) {
      this.prepareDigit(table + j * DIGIT_MULTIPLES * ENTRY_BYTES, power)
      for (let i = 0; i < 8; i++) power = power.double()
    }
    return table
  }

  /** Makes sum `index` that of no points. */
  clear(index: number): void {
    const at = SUMS + index * POINT_BYTES
    for (const [i, value] of [0n, 1n, 1n, 0n].entries()) this.put(at + i * ELEMENT_BYTES, value)
  }

  /** Adds [scalar]P to sum `index`, `table` being that of P. Requires 32 little-endian bytes below L. */
  add(index: number, table: Table, scalar: Uint8Array): void {
    const at = SUMS + index * POINT_BYTES
    let carry = 0
    for (let j = 0; j < DIGITS; j++) {
      const digit = (scalar[j] ?? 0) + carry
      carry = digit > 127 ? 1 : 0
      if (digit === 0 || digit === 256) continue
      const of = table + j * DIGIT_MULTIPLES * ENTRY_BYTES
      if (carry === 0) this.addEntry(at, of + (digit - 1) * ENTRY_BYTES)
      else this.subtractEntry(at, of + (255 - digit) * ENTRY_BYTES)
    }
  }

  /** The encodings of sums 0 to `count` - 1, in the form of RFC 8032, section 5.1.2; each is given to `take`, to be used before it returns. */
  finish(count: number, take: (index: number, encoding: Uint8Array) => void): void {
    this.invertAll(SUMS, count, (i, inverse) => {
      const at = SUMS + i * POINT_BYTES
      this.field.multiply(TEMPORARY, at, inverse)
      this.field.encode(ENCODED + 32, TEMPORARY)
      this.field.multiply(TEMPORARY, at + ELEMENT_BYTES, inverse)
      this.field.encode(ENCODED, TEMPORARY)
      const last = ENCODED + 31
      this.bytes[last] = (this.bytes[last] ?? 0) | (((this.bytes[ENCODED + 32] ?? 0) & 1) << 7)
      take(i, this.bytes.subarray(ENCODED, ENCODED + 32))
    })
  }

  /** The multiples of one power, 1 to 128 times. */
  private prepareDigit(at: number, power: Point): void {
    const { x, y } = power.toAffine()
    const parts = [y + x, y - x + PRIME, 2n * ((CURVE_D * ((x * y) % PRIME)) % PRIME)]
    for (const [i, value] of parts.entries()) this.put(at + i * ELEMENT_BYTES, value % PRIME)
    this.clear(0)
    for (let d = 1; d <= DIGIT_MULTIPLES; d++) {
      const sum = SUMS + (d - 1) * POINT_BYTES
      this.addEntry(sum, at)
      this.bytes.copyWithin(sum + POINT_BYTES, sum, sum + POINT_BYTES)
    }
    const { field } = this
    this.invertAll(SUMS, DIGIT_MULTIPLES, (i, inverse) => {
      const [entry, sum] = [at + i * ENTRY_BYTES, SUMS + i * POINT_BYTES]
      field.multiply(TEMPORARY, sum, inverse)
      field.multiply(OTHER, sum + ELEMENT_BYTES, inverse)
      for (let limb = 0; limb < LIMBS; limb++) {
        const [left, right] = [this.limb(OTHER, limb), this.limb(TEMPORARY, limb)]
        this.memory.setInt32(entry + 4 * limb, left + right, true)
        this.memory.setInt32(entry + ELEMENT_BYTES + 4 * limb, left - right, true)
      }
      field.multiply(TEMPORARY, TEMPORARY, OTHER)
      field.multiply(entry + 2 * ELEMENT_BYTES, TEMPORARY, TWO_D)
    })
  }

  private addEntry(point: number, entry: number): void {
    this.field.addPoint(point, entry, entry + ELEMENT_BYTES, entry + 2 * ELEMENT_BYTES, SUM_Z, SUM_T)
  }

  private subtractEntry(point: number, entry: number): void {
    this.field.addPoint(point, entry + ELEMENT_BYTES, entry, entry + 2 * ELEMENT_BYTES, SUM_T, SUM_Z)
  }

  /** The inverse of each point's Z, from the last point to the first, by one inversion. Ref: Montgomery, 1987, section 10.3.1. */
  private invertAll(points: number, count: number, take: (index: number, inverse: number) => void): void {
    const { field } = this
    const z = (i: number) => points + i * POINT_BYTES + 2 * ELEMENT_BYTES
    const prefix = (i: number) => PREFIXES + i * ELEMENT_BYTES
    if (count === 0) return
    this.bytes.copyWithin(prefix(0), z(0), z(0) + ELEMENT_BYTES)
    for (let i = 1; i < count; i++) field.multiply(prefix(i), prefix(i - 1), z(i))
    this.invert(INVERSE, prefix(count - 1))
    for (let i = count - 1; i > 0; i--) {
      field.multiply(ONE_INVERSE, INVERSE, prefix(i - 1))
      field.multiply(INVERSE, INVERSE, z(i))
      take(i, ONE_INVERSE)
    }
    take(0, INVERSE)
  }

  /** By Fermat: value^(p - 2), whose bits are all set but two. */
  private invert(target: number, value: number): void {
    this.put(target, 1n)
    for (let bit = 254; bit >= 0; bit--) {
      this.field.multiply(target, target, target)
      if (bit !== 2 && bit !== 4) this.field.multiply(target, target, value)
    }
  }

  private limb(element: number, index: number): number {
    return this.memory.getInt32(element + 4 * index, true)
  }

  private put(element: number, value: bigint): void {
    let rest = value
    for (let i = 0; i < LIMBS; i++) {
      const bits = i % 2 === 0 ? 26n : 25n
      this.memory.setInt32(element + 4 * i, Number(BigInt.asUintN(Number(bits), rest)), true)
      rest >>= bits
    }
  }
}
