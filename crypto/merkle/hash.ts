// The tree's two hashes. Their first bytes differ, so that no node can be passed off as a leaf nor a leaf as a node.
// Ref: RFC 6962 section 2.1; RFC 9162 section 2.1.1.

import { DIGEST_BYTES, type Digest } from '../brands.ts'
import { freshBytes } from '../bytes.ts'
import { sha256, sha256Of } from '../digest.ts'
import { copyDigest, hashBatch } from '../hash-batch.ts'

const LEAF = 0
const NODE = 1
const LEAF_PREFIX = Uint8Array.of(LEAF)
const NODE_PREFIX = Uint8Array.of(NODE)

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

/** {@link leafHash} of each of `data`. */
export function leafHashes(data: readonly Uint8Array[]): Digest[] {
  return leafHashesOf(
    data,
    (each) => each.length,
    (each, target, at) => target.set(each, at),
  )
}

/** {@link leafHash} of the bytes of each item: `lengthOf` says how many they are, and `write` writes them to `target` from `at` on. */
export function leafHashesOf<Item>(
  items: readonly Item[],
  lengthOf: (item: Item) => number,
  write: (item: Item, target: Uint8Array, at: number) => void,
): Digest[] {
  const hashes: Digest[] = []
  hashBatch.run(
    (digests, count) => {
      for (let i = 0; i < count; i++) {
        const hash = freshBytes(DIGEST_BYTES)
        copyDigest(digests, i * DIGEST_BYTES, hash, 0)
        hashes.push(hash as Digest)
      }
    },
    () => {
      for (const item of items) {
        const at = hashBatch.begin(LEAF, lengthOf(item))
        write(item, hashBatch.bytes, at)
      }
    },
  )
  return hashes
}

/** The level above one of a tree, both as hashes of 32 bytes one after the other; a node without a sibling rises as it is. */
export function levelAbove(level: Uint8Array): Uint8Array {
  const nodes = level.length / DIGEST_BYTES
  const above = new Uint8Array(Math.ceil(nodes / 2) * DIGEST_BYTES)
  hashBatch.into(above, () => {
    for (let from = 0; from + 2 * DIGEST_BYTES <= level.length; from += 2 * DIGEST_BYTES) {
      const at = hashBatch.begin(NODE, 2 * DIGEST_BYTES)
      copyDigest(level, from, hashBatch.bytes, at)
      copyDigest(level, from + DIGEST_BYTES, hashBatch.bytes, at + DIGEST_BYTES)
    }
  })
  if (nodes % 2 === 1) copyDigest(level, level.length - DIGEST_BYTES, above, above.length - DIGEST_BYTES)
  return above
}
