// Bytes as text of one character a byte, U+0000 to U+00FF: what maps have as keys and the machine as its state. Of a typed array
// String.fromCharCode makes a text three to six times slower than of an ordinary array of numbers that is kept from call to call.

import { equalBytes } from './bytes.ts'

/** Up to this many bytes no call into the surroundings is quicker. */
const SHORT_BYTES = 48
/** The same for bytes of a text. */
const WRITTEN_BYTES = 80
/** Bytes that become text in one call of String.fromCharCode. */
const PIECE_BYTES = 256

/** Arrays to write the codes of a text to, by their length. */
const units: number[][] = []

let injected: BinaryText | undefined

export interface BinaryText {
  /** A flat text of its own with one character for each of the bytes. */
  readonly text: (bytes: Uint8Array) => string
  /** Writes a byte for each character of `text` to `target`, from `at` on; there is room. */
  readonly write: (text: string, target: Uint8Array, at: number) => void
}

/**
 * Converts longer texts with `implementation` from now on, in this whole process or page; with our own code again where it is undefined.
 * What comes out is the same, only sooner or later.
 * @throws {Error} where `implementation` makes another text, or other bytes of it.
 */
export function textWith(implementation: BinaryText | undefined): void {
  for (const length of [0, 1, SHORT_BYTES + 1, PIECE_BYTES, PIECE_BYTES + 1]) {
    const sample = Uint8Array.from({ length }, (_, i) => i)
    const text = inPieces(sample)
    if (implementation === undefined) continue
    if (implementation.text(sample) !== text) {
      throw new Error(`binary text: what was given makes another text of ${length} bytes`)
    }
    const written = new Uint8Array(length + 3)
    implementation.write(text, written, 2)
    const expected = new Uint8Array(length + 3)
    expected.set(sample, 2)
    if (!equalBytes(written, expected)) {
      throw new Error(`binary text: what was given makes other bytes of a text of ${length}`)
    }
  }
  injected = implementation
}

/** A text that is equal for equal bytes and no others, in the order of the bytes; it keeps nothing else alive. Not for people. */
export function bytesKey(bytes: Uint8Array): string {
  if (bytes.length <= SHORT_BYTES) return piece(bytes, 0, bytes.length)
  return injected === undefined ? inPieces(bytes) : injected.text(bytes)
}

/** The same text as of `first`, a byte, followed by `bytes`. */
export function prefixedKey(first: number, bytes: Uint8Array): string {
  const length = 1 + bytes.length
  if (length <= SHORT_BYTES) {
    const codes = unitsOf(length)
    codes[0] = first
    for (let i = 1; i < length; i++) codes[i] = bytes[i - 1] ?? 0
    return Reflect.apply(String.fromCharCode, undefined, codes)
  }
  const all = new Uint8Array(length)
  all[0] = first
  all.set(bytes, 1)
  return bytesKey(all)
}

/**
 * Writes the bytes of a text of {@link bytesKey} to `target`, from `at` on.
 * @throws {RangeError} where they do not fit.
 */
export function writeKey(text: string, target: Uint8Array, at: number): void {
  if (at + text.length > target.length) throw new RangeError(`binary text: no room for ${text.length} bytes`)
  if (text.length > WRITTEN_BYTES && injected !== undefined) return injected.write(text, target, at)
  for (let i = 0; i < text.length; i++) target[at + i] = text.charCodeAt(i)
}

function inPieces(bytes: Uint8Array): string {
  if (bytes.length <= PIECE_BYTES) return piece(bytes, 0, bytes.length)
  const pieces: string[] = []
  for (let from = 0; from < bytes.length; from += PIECE_BYTES) {
    pieces.push(piece(bytes, from, Math.min(PIECE_BYTES, bytes.length - from)))
  }
  return pieces.join('')
}

function piece(bytes: Uint8Array, from: number, length: number): string {
  const codes = unitsOf(length)
  for (let i = 0; i < length; i++) codes[i] = bytes[from + i] ?? 0
  return Reflect.apply(String.fromCharCode, undefined, codes)
}

function unitsOf(length: number): number[] {
  const known = units[length]
  if (known !== undefined) return known
  for (let each = units.length; each <= length; each++) units.push(Array.from({ length: each }, () => 0))
  return unitsOf(length)
}
