// The tree's two hashes. Their first bytes differ, so that no node can be passed off as a leaf nor a leaf as a node.
// Ref: RFC 6962 section 2.1; RFC 9162 section 2.1.1.

import type { Digest } from '../brands.ts'
import { sha256, sha256Of } from '../digest.ts'

const LEAF_PREFIX = Uint8Array.of(0)
const NODE_PREFIX = Uint8Array.of(1)

/** The root of the tree without leaves: SHA-256 of nothing; its bytes must not be changed. */
export const EMPTY_ROOT: Digest = sha256(new Uint8Array(0))

/** SHA-256(0x00 || data). */
export function leafHash(data: Uint8Array): Digest {
  return sha256Of(LEAF_PREFIX, data)
}

/** {@link leafHash} of `parts` one after another, as if they were one byte string. */
export function leafHashOf(...parts: readonly Uint8Array[]): Digest {
  return sha256Of(LEAF_PREFIX, ...parts)
}

/** SHA-256(0x01 || left || right). Requires two hashes of 32 bytes: other lengths could be cut in more than one way. */
export function nodeHash(left: Uint8Array, right: Uint8Array): Digest {
  return sha256Of(NODE_PREFIX, left, right)
}
