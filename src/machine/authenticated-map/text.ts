// Byte strings held as text of one character a byte ("binary text").
//
// A small Uint8Array costs V8 some 200 bytes beside its content, a flat one-byte string 16; strings are also immutable,
// so that a snapshot and the running state may share them, hash as Map keys, and compare in the order of their bytes.
// The state of the machine is therefore kept as binary text and becomes bytes only at its edges.

import { type Brand, bytesKey, freshBytes, prefixedKey, writeKey } from '../../../crypto/index.ts'

/** Characters U+0000 to U+00FF, each standing for one byte. */
export type Text = Brand<string, 'BinaryText'>

/** The binary text of `bytes`; a flat string of its own, which keeps nothing else alive. */
export function toText(bytes: Uint8Array): Text {
  return bytesKey(bytes) as Text
}

/** The bytes of `text`, after `skip` characters. */
export function toBytes(text: Text, skip = 0): Uint8Array {
  const bytes = freshBytes(text.length - skip)
  writeKey(skip === 0 ? text : text.slice(skip), bytes, 0)
  return bytes
}

/** The binary text of `prefix` followed by `bytes`. */
export function prefixed(prefix: number, bytes: Uint8Array): Text {
  return prefixedKey(prefix, bytes) as Text
}

/** Both, one after the other. */
export function joinText(head: Text, tail: Text): Text {
  return `${head}${tail}` as Text
}
