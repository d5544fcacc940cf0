// Bytes and their textual forms, strict in both directions: what decodes re-encodes to the same text, so that no two texts
// stand for the same bytes (pitfall P35: sloppy base64 used as an identity).

import { base64pad } from 'multiformats/bases/base64'

const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Above this an allocation of its own no longer weighs. */
const SHARED_BYTES = 1024
const BLOCK_BYTES = 8192

let block = new ArrayBuffer(BLOCK_BYTES)
let used = 0

/**
 * `length` zero bytes that nobody else has. Up to 1,024 they are a view of a common block: an ArrayBuffer of its own costs microseconds,
 * more than hashing what it holds, and even one that V8 keeps on its heap weighs 250 bytes for 32, which the collector moves about as
 * long as they live. So `buffer` is longer than they are, and must not be transferred.
 */
export function freshBytes(length: number): Uint8Array {
  if (length === 0 || length > SHARED_BYTES) return new Uint8Array(length)
  if (used + length > BLOCK_BYTES) {
    block = new ArrayBuffer(BLOCK_BYTES)
    used = 0
  }
  const bytes = new Uint8Array(block, used, length)
  used += length
  return bytes
}

/** A fresh plain Uint8Array; `slice` would keep a Node Buffer a Buffer. */
export function copyOf(bytes: Uint8Array): Uint8Array {
  const copy = freshBytes(bytes.length)
  copy.set(bytes)
  return copy
}

export function concatBytes(...parts: readonly Uint8Array[]): Uint8Array {
  let length = 0
  for (const part of parts) length += part.length
  const joined = freshBytes(length)
  let offset = 0
  for (const part of parts) {
    joined.set(part, offset)
    offset += part.length
  }
  return joined
}

export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a === b) return true
  if (a.length !== b.length) return false
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false
  return true
}

/** Lexicographic order of the bytes: negative, zero or positive. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const shorter = Math.min(a.length, b.length)
  for (let i = 0; i < shorter; i++) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0)
    if (difference !== 0) return difference
  }
  return a.length - b.length
}

export function utf8(text: string): Uint8Array {
  return encoder.encode(text)
}

/** The text, or undefined where the bytes are not valid UTF-8. A byte order mark is kept as a character. */
export function fromUtf8(bytes: Uint8Array): string | undefined {
  try {
    return decoder.decode(bytes)
  } catch {
    return undefined
  }
}

const HEX_DIGITS = Array.from('0123456789abcdef', (digit) => digit.charCodeAt(0))
/** Bytes that become text in one call. */
const HEX_PIECE = 32
const hexCodes: number[] = Array.from({ length: 2 * HEX_PIECE }, () => 0)

/** Lower-case hexadecimal. */
export function hex(bytes: Uint8Array): string {
  let text = ''
  let at = 0
  // One flat text a piece: joined digit by digit it would be a tree of 31 texts, which its first use as a key must flatten.
  for (; at + HEX_PIECE <= bytes.length; at += HEX_PIECE) {
    for (let i = 0; i < HEX_PIECE; i++) {
      const byte = bytes[at + i] ?? 0
      hexCodes[2 * i] = HEX_DIGITS[byte >>> 4] ?? 0
      hexCodes[2 * i + 1] = HEX_DIGITS[byte & 15] ?? 0
    }
    const piece = Reflect.apply(String.fromCharCode, undefined, hexCodes)
    text = at === 0 ? piece : text + piece
  }
  for (; at < bytes.length; at++) text += (bytes[at] ?? 0).toString(16).padStart(2, '0')
  return text
}

/** The value of each lower-case digit by its code; 16 where a code is none. */
const HEX_VALUES = Uint8Array.from({ length: 128 }, (_, code) => {
  const value = HEX_DIGITS.indexOf(code)
  return value === -1 ? 16 : value
})

/** The bytes, or undefined where `text` is not lower-case hexadecimal with an even number of digits. */
export function fromHex(text: string): Uint8Array | undefined {
  if (text.length % 2 !== 0) return undefined
  const bytes = freshBytes(text.length / 2)
  for (let i = 0; i < bytes.length; i++) {
    const high = HEX_VALUES[text.charCodeAt(2 * i)] ?? 16
    const low = HEX_VALUES[text.charCodeAt(2 * i + 1)] ?? 16
    if (high > 15 || low > 15) return undefined
    bytes[i] = 16 * high + low
  }
  return bytes
}

/** RFC 4648 section 4, padded. */
export function base64(bytes: Uint8Array): string {
  return base64pad.baseEncode(bytes)
}

/** The bytes, or undefined where `text` is not the padded base64 (RFC 4648 section 4) that {@link base64} writes. */
export function fromBase64(text: string): Uint8Array | undefined {
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(text)) return undefined
  try {
    const bytes = base64pad.baseDecode(text)
    return base64(bytes) === text ? bytes : undefined
  } catch {
    return undefined
  }
}

/** Writes `value` as 8 bytes, most significant first. Requires an integer from 0 to 2^53 - 1. */
export function writeU64(target: Uint8Array, offset: number, value: number): void {
  writeU32(target, offset, Math.floor(value / 0x1_0000_0000))
  writeU32(target, offset + 4, value % 0x1_0000_0000)
}

/** The integer in 8 bytes, or undefined where it is 2^53 or more (pitfall P07: never coerced). */
export function readU64(source: Uint8Array, offset: number): number | undefined {
  const value = readU32(source, offset) * 0x1_0000_0000 + readU32(source, offset + 4)
  return Number.isSafeInteger(value) ? value : undefined
}

/** Writes `value` as 4 bytes, most significant first. Requires an integer from 0 to 2^32 - 1. */
export function writeU32(target: Uint8Array, offset: number, value: number): void {
  target[offset] = value >>> 24
  target[offset + 1] = value >>> 16
  target[offset + 2] = value >>> 8
  target[offset + 3] = value
}

export function readU32(source: Uint8Array, offset: number): number {
  const [a = 0, b = 0, c = 0, d = 0] = [source[offset], source[offset + 1], source[offset + 2], source[offset + 3]]
  return ((a << 24) | (b << 16) | (c << 8) | d) >>> 0
}
