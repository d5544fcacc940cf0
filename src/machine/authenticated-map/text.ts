// Byte strings held as text of one character a byte ("binary text").
//
// A small Uint8Array costs V8 some 200 bytes beside its content, a flat one-byte string 16; strings are also immutable,
// so that a snapshot and the running state may share them, hash as Map keys, and compare in the order of their bytes.
// The state of the machine is therefore kept as binary text and becomes bytes only at its edges.

import { type Brand, freshBytes } from '../../../crypto/index.ts'

/** Characters U+0000 to U+00FF, each standing for one byte. */
export type Text = Brand<string, 'BinaryText'>

/** Arguments of one call of String.fromCharCode: well below every engine's limit. */
const PIECE = 4096

/** The binary text of `bytes`; a flat string of its own, which keeps nothing else alive. */
export function toText(bytes: Uint8Array): Text {
  if (bytes.length <= PIECE) return Reflect.apply(String.fromCharCode, undefined, bytes)
  const pieces: string[] = []
  for (let start = 0; start < bytes.length; start += PIECE) {
    pieces.push(Reflect.apply(String.fromCharCode, undefined, bytes.subarray(start, start + PIECE)))
  }
  return pieces.join('') as Text
}

/** The bytes of `text`, after `skip` characters. */
export function toBytes(text: Text, skip = 0): Uint8Array {
  const bytes = freshBytes(text.length - skip)
  for (let i = 0; i < bytes.length; i++) bytes[i] = text.charCodeAt(i + skip)
  return bytes
}

/** The binary text of `prefix` followed by `bytes`. */
export function prefixed(prefix: number, bytes: Uint8Array): Text {
  const all = freshBytes(1 + bytes.length)
  all[0] = prefix
  all.set(bytes, 1)
  return toText(all)
}

/** Both, one after the other. */
export function joinText(head: Text, tail: Text): Text {
  return `${head}${tail}` as Text
}
