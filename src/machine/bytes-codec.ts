// Reads and writes the machine's binary formats: fixed-width big-endian numbers and length-prefixed byte strings, so
// that every value has one encoding. A reader past its end, or past a cap, is spoilt for good and gives empty values
// from there; decoders check `done` once, at the end.

import { freshBytes, readU32, readU64, writeU32, writeU64 } from '../../crypto/index.ts'

const NOTHING = new Uint8Array(0)

export class ByteReader {
  private readonly bytes: Uint8Array
  private at = 0
  private spoilt = false

  constructor(bytes: Uint8Array) {
    this.bytes = bytes
  }

  /** True where everything was read and nothing was wrong. */
  get done(): boolean {
    return !this.spoilt && this.at === this.bytes.length
  }

  get failed(): boolean {
    return this.spoilt
  }

  /** Marks what was read as invalid. */
  spoil(): void {
    this.spoilt = true
  }

  u8(): number {
    const at = this.pass(1)
    return this.bytes[at] ?? 0
  }

  u16(): number {
    const at = this.pass(2)
    return (this.bytes[at] ?? 0) * 256 + (this.bytes[at + 1] ?? 0)
  }

  u32(): number {
    return readU32(this.bytes, this.pass(4))
  }

  /** An integer below 2^53 in 8 bytes. */
  u64(): number {
    const value = readU64(this.bytes, this.pass(8))
    if (value === undefined) this.spoil()
    return value ?? 0
  }

  /** A byte string with its length in 4 bytes; at most `cap` bytes. A view, not a copy. */
  sized(cap: number): Uint8Array {
    const length = this.u32()
    if (length > cap) this.spoil()
    return this.take(length)
  }

  /** A byte string with its length in 2 bytes; at most `cap` bytes. A view, not a copy. */
  short(cap: number): Uint8Array {
    const length = this.u16()
    if (length > cap) this.spoil()
    return this.take(length)
  }

  /** The next `count` bytes; a view, not a copy. */
  take(count: number): Uint8Array {
    const at = this.pass(count)
    return at === this.bytes.length && count > 0 ? NOTHING : this.bytes.subarray(at, at + count)
  }

  rest(): Uint8Array {
    return this.take(this.bytes.length - this.at)
  }

  /** Where the next `count` bytes begin; the end, where nothing but zeros is read, once there are not so many. */
  private pass(count: number): number {
    const at = this.at
    if (this.spoilt || at + count > this.bytes.length) {
      this.spoilt = true
      return this.bytes.length
    }
    this.at = at + count
    return at
  }
}

/** The buffer of the last writer that finished: allocating one for each would cost more than writing to it. */
let spare: Uint8Array | undefined
const SPARE_BYTES = 4096
/** Up to so many are copied sooner one by one than by way of a view. */
const LOOP_BYTES = 256

export class ByteWriter {
  private bytes: Uint8Array
  private at = 0

  constructor() {
    this.bytes = spare ?? new Uint8Array(SPARE_BYTES)
    spare = undefined
  }

  u8(value: number): this {
    const at = this.room(1)
    this.bytes[at] = value
    return this
  }

  u16(value: number): this {
    const at = this.room(2)
    this.bytes[at] = value >>> 8
    this.bytes[at + 1] = value
    return this
  }

  u32(value: number): this {
    const at = this.room(4)
    writeU32(this.bytes, at, value)
    return this
  }

  /** Requires an integer from 0 to 2^53 - 1. */
  u64(value: number): this {
    const at = this.room(8)
    writeU64(this.bytes, at, value)
    return this
  }

  sized(bytes: Uint8Array): this {
    return this.u32(bytes.length).raw(bytes)
  }

  /** Requires less than 2^16 bytes. */
  short(bytes: Uint8Array): this {
    return this.u16(bytes.length).raw(bytes)
  }

  raw(bytes: Uint8Array): this {
    const at = this.room(bytes.length)
    this.bytes.set(bytes, at)
    return this
  }

  /** The bytes written; the writer is used up. */
  finish(): Uint8Array {
    const written = freshBytes(this.at)
    if (this.at > LOOP_BYTES) written.set(this.bytes.subarray(0, this.at))
    else for (let i = 0; i < this.at; i++) written[i] = this.bytes[i] ?? 0
    if (this.bytes.length === SPARE_BYTES) spare = this.bytes
    this.bytes = NOTHING
    return written
  }

  /** Where the next `count` bytes go; may replace the buffer. */
  private room(count: number): number {
    const at = this.at
    this.at += count
    if (this.at > this.bytes.length) {
      const wider = new Uint8Array(2 * this.at)
      wider.set(this.bytes)
      this.bytes = wider
    }
    return at
  }
}
