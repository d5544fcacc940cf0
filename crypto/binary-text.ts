// Bytes as text of one character a byte, U+0000 to U+00FF: what maps have as keys and the machine as its state. Of a typed array
// String.fromCharCode makes a text three to six times slower than of an ordinary array of numbers that is kept from call to call.

/** Up to this many bytes no call into the surroundings is quicker. */
const SHORT_BYTES = 48
/** Bytes that become text in one call of String.fromCharCode. */
const PIECE_BYTES = 256

/** Arrays to write the codes of a text to, by their length. */
const units: number[][] = []

let injected: BinaryText | undefined

/** A flat text of its own with one character for each of the bytes. */
export type BinaryText = (bytes: Uint8Array) => string

/**
 * Makes longer texts with `implementation` from now on, in this whole process or page; with our own code again where it is undefined.
 * What comes out is the same, only sooner or later.
 * @throws {Error} where `implementation` makes another text.
 */
export function textWith(implementation: BinaryText | undefined): void {
  for (const length of [0, 1, SHORT_BYTES + 1, PIECE_BYTES, PIECE_BYTES + 1]) {
    const sample = Uint8Array.from({ length }, (_, i) => i)
    if (implementation === undefined || implementation(sample) === inPieces(sample)) continue
    throw new Error(`binary text: what was given makes another text of ${length} bytes`)
  }
  injected = implementation
}

/** A text that is equal for equal bytes and no others, in the order of the bytes; it keeps nothing else alive. Not for people. */
export function bytesKey(bytes: Uint8Array): string {
  if (bytes.length <= SHORT_BYTES) return piece(bytes, 0, bytes.length)
  return injected === undefined ? inPieces(bytes) : injected(bytes)
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
