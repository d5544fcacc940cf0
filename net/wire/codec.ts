// What the generated codecs stand on. The form is proto3's, narrowed until every value has exactly one: fields ascend,
// none comes twice, varints are minimal, default values are absent, numbers stay below 2^53, nothing unknown and
// nothing behind the end.
//
// The reader goes forward and is told where each message ends; a length is compared with what is left, and a count with
// its limit, before anything is made of them. The writer goes backward, so that a length is known when it is written
// and no size is computed twice.

import { type Digest, failure, fromUtf8, type Result, success, utf8 } from '../../crypto/index.ts'
import { MAX_FRAME_ITEMS, WIRE_VERSION } from './limits.ts'

export type WireFaultCode =
  | 'too-large'
  | 'truncated'
  | 'trailing'
  | 'not-canonical'
  | 'unknown-kind'
  | 'bad-version'
  | 'bad-value'

/** Why bytes are no message; `detail` names the field, for logs. */
export interface WireFault {
  readonly code: WireFaultCode
  readonly detail: string
}

/** Absent bytes; shared, since nothing in it can be changed. */
export const NO_BYTES = new Uint8Array(0)

/** Bytes that a message says nothing about the length of. */
type Bytes = Uint8Array | Digest

export class Reader {
  readonly bytes: Uint8Array
  at = 0
  private items = 0
  private fault: WireFault | undefined

  /**
   * Reads `frame` in place. A Node Buffer is read as the plain array that it is, so that no Buffer gets into messages.
   */
  constructor(frame: Uint8Array) {
    const plain = Object.getPrototypeOf(frame) === Uint8Array.prototype
    this.bytes = plain ? frame : new Uint8Array(frame.buffer, frame.byteOffset, frame.length)
  }

  /** Refuses the frame; the first reason stays. */
  fail(code: WireFaultCode, detail: string): undefined {
    this.fault ??= { code, detail }
    return undefined
  }

  /** Reads the version byte; false where the frame is refused. */
  open(most: number): boolean {
    const { bytes } = this
    if (bytes.length > most) this.fail('too-large', `${bytes.length} bytes, at most ${most} are taken`)
    else if (bytes.length === 0) this.fail('truncated', 'no version byte')
    else if (bytes[0] !== WIRE_VERSION) this.fail('bad-version', `version ${bytes[0]}, known is ${WIRE_VERSION}`)
    this.at = 1
    return this.fault === undefined
  }

  close<Value>(value: Value | undefined): Result<Value, WireFault> {
    if (value !== undefined && this.fault === undefined) return success(value)
    return failure(this.fault ?? { code: 'bad-value', detail: 'refused' })
  }

  /** True, and past it, where the next byte is this tag. */
  tag(tag: number, end: number): boolean {
    if (this.at >= end || this.bytes[this.at] !== tag) return false
    this.at += 1
    return true
  }

  /** The same for a tag of two bytes. */
  longTag(first: number, second: number, end: number): boolean {
    if (this.at + 1 >= end || this.bytes[this.at] !== first || this.bytes[this.at + 1] !== second) return false
    this.at += 2
    return true
  }

  /** A varint from 0 to `most`; -1 where refused. */
  varint(end: number, most: number, field: string): number {
    const { bytes, at } = this
    let value = 0
    let scale = 1
    // Eight bytes hold 56 bits; sums of 2^53 and more may be rounded, but not below it.
    for (let i = at; i < at + 8; i++) {
      const byte = bytes[i]
      if (i >= end || byte === undefined) return this.refuse('truncated', field)
      if (byte < 0x80) {
        if (byte === 0 && i > at) return this.refuse('not-canonical', `${field}: a longer number than needed`)
        value += byte * scale
        this.at = i + 1
        return value <= most ? value : this.refuse('bad-value', `${field}: at most ${most}, got ${value}`)
      }
      value += (byte - 0x80) * scale
      scale *= 0x80
    }
    return this.refuse('bad-value', `${field}: at most ${most}`)
  }

  /** A number of a field that is there, from 1 to `most`; -1 where refused. */
  number(end: number, most: number, field: string): number {
    const value = this.varint(end, most, field)
    return value === 0 ? this.refuse('not-canonical', `${field}: zero is not sent`) : value
  }

  /** Reads a length and gives the end of what it covers; -1 where refused. */
  nested(end: number, field: string): number {
    const length = this.varint(end, Number.MAX_SAFE_INTEGER, field)
    if (length < 0) return -1
    return length <= end - this.at ? this.at + length : this.refuse('truncated', field)
  }

  /** Exactly `size` bytes, as a view of the frame. */
  fixed(end: number, size: number, field: string): Uint8Array | undefined {
    const stop = this.nested(end, field)
    if (stop < 0) return undefined
    if (stop - this.at !== size) return this.fail('bad-value', `${field}: ${size} bytes, got ${stop - this.at}`)
    return this.take(stop)
  }

  /** From 1 to `most` bytes, as a view of the frame. */
  some(end: number, most: number, field: string): Uint8Array | undefined {
    const value = this.any(end, most, field)
    return value?.length === 0 ? this.fail('not-canonical', `${field}: nothing is not sent`) : value
  }

  /** From 0 to `most` bytes, as a view of the frame. */
  any(end: number, most: number, field: string): Uint8Array | undefined {
    const stop = this.nested(end, field)
    if (stop < 0) return undefined
    if (stop - this.at > most) return this.fail('too-large', `${field}: at most ${most} bytes, got ${stop - this.at}`)
    return this.take(stop)
  }

  /** A text of 1 to `most` bytes of UTF-8. */
  text(end: number, most: number, field: string): string | undefined {
    const value = this.anyText(end, most, field)
    return value === '' ? this.fail('not-canonical', `${field}: nothing is not sent`) : value
  }

  /** A text of 0 to `most` bytes of UTF-8. */
  anyText(end: number, most: number, field: string): string | undefined {
    const bytes = this.any(end, most, field)
    if (bytes === undefined) return undefined
    return fromUtf8(bytes) ?? this.fail('bad-value', `${field}: not UTF-8`)
  }

  absent(field: string): undefined {
    return this.fail('bad-value', `${field} is missing`)
  }

  /** Whether a list of `length` items, at most `most`, may have one more, and the frame too; false where refused. */
  mayAdd(length: number, most: number, field: string): boolean {
    this.items += 1
    if (length < most && this.items <= MAX_FRAME_ITEMS) return true
    const bound = length < most ? `${MAX_FRAME_ITEMS} items of all lists` : `${most}`
    this.fail('too-large', `${field}: at most ${bound}`)
    return false
  }

  /** Bytes where no field of `message` may stand: out of order, repeated, unknown, or behind the end of the frame. */
  unexpected(message: string, highestTag: number, end: number): undefined {
    const next = this.bytes[this.at] ?? 0
    if (next > 0 && next <= highestTag) return this.fail('not-canonical', `${message}: a field out of order, or twice`)
    const code = end === this.bytes.length ? 'trailing' : 'not-canonical'
    return this.fail(code, `${message}: an unknown field or what is no field`)
  }

  unknownKind(message: string, end: number): undefined {
    if (this.at === end) return this.fail('truncated', `${message}: nothing in it`)
    return this.fail('unknown-kind', `${message}: tag ${this.bytes[this.at]}`)
  }

  private take(stop: number): Uint8Array {
    const view = this.bytes.subarray(this.at, stop)
    this.at = stop
    return view
  }

  private refuse(code: WireFaultCode, detail: string): -1 {
    this.fail(code, detail)
    return -1
  }
}

export class Writer {
  readonly bytes: Uint8Array
  /** Where the part written so far begins. */
  at: number

  /** `size`: bytes of the message, as its size function tells; the version byte comes before it. */
  constructor(size: number) {
    this.bytes = new Uint8Array(1 + size)
    this.at = this.bytes.length
  }

  finish(): Uint8Array {
    if (this.at !== 1) throw new Error(`wire: a message is ${this.at - 1} bytes shorter than its computed size`)
    this.bytes[0] = WIRE_VERSION
    return this.bytes
  }

  varint(value: number): void {
    const { bytes } = this
    if (value < 0x80) {
      this.at -= 1
      bytes[this.at] = value
      return
    }
    const size = varintSize(value)
    let at = this.at - size
    this.at = at
    let rest = value
    for (let i = 1; i < size; i++) {
      const low = rest % 0x80
      bytes[at++] = low + 0x80
      rest = (rest - low) / 0x80
    }
    bytes[at] = rest
  }

  number(tag: number, value: number): void {
    if (value === 0) return
    this.varint(value)
    this.varint(tag)
  }

  bytesOf(tag: number, value: Bytes): void {
    this.at -= value.length
    this.bytes.set(value, this.at)
    this.varint(value.length)
    this.varint(tag)
  }

  /** Bytes that are absent when there are none. */
  some(tag: number, value: Bytes): void {
    if (value.length > 0) this.bytesOf(tag, value)
  }

  text(tag: number, value: string): void {
    if (value !== '') this.bytesOf(tag, utf8(value))
  }

  /** Closes what was written since the writer stood at `end`. */
  head(tag: number, end: number): void {
    this.varint(end - this.at)
    this.varint(tag)
  }
}

export function varintSize(value: number): number {
  let size = 1
  for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 0x80)) size += 1
  return size
}

// Sizes of fields, tag and length included. What is out of its bounds here is a mistake of our own: no decoder would
// take it.

/** @throws {RangeError} unless `value` is an integer from 0 to `most`. */
export function numberSize(tagSize: number, value: number, most: number, field: string): number {
  if (!Number.isSafeInteger(value) || value < 0 || value > most) {
    throw new RangeError(`${field}: expected an integer from 0 to ${most}, got ${value}`)
  }
  return value === 0 ? 0 : tagSize + varintSize(value)
}

/** @throws {RangeError} unless there are exactly `size` bytes. */
export function fixedSize(tagSize: number, value: Bytes, size: number, field: string): number {
  if (value.length !== size) throw new RangeError(`${field}: expected ${size} bytes, got ${value.length}`)
  return tagSize + varintSize(size) + size
}

/** @throws {RangeError} where there are more than `most` bytes. */
export function someSize(tagSize: number, value: Bytes, most: number, field: string): number {
  return value.length === 0 ? 0 : anySize(tagSize, value, most, field)
}

/** @throws {RangeError} where there are more than `most` bytes. */
export function anySize(tagSize: number, value: Bytes, most: number, field: string): number {
  if (value.length > most) throw new RangeError(`${field}: expected at most ${most} bytes, got ${value.length}`)
  return nestedSize(tagSize, value.length)
}

/** @throws {RangeError} where there are more than `most` bytes of UTF-8. */
export function textSize(tagSize: number, value: string, most: number, field: string): number {
  return value === '' ? 0 : someSize(tagSize, utf8(value), most, field)
}

export function nestedSize(tagSize: number, length: number): number {
  return tagSize + varintSize(length) + length
}

/** @throws {RangeError} where there are more than `most` items. */
export function requireCount(items: readonly unknown[], most: number, field: string): void {
  if (items.length > most) throw new RangeError(`${field}: expected at most ${most}, got ${items.length}`)
}
