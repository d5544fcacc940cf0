// The tree over a batch that is all there: the requests of an entry or a bundle, the results of a slot. Its hashes are made once, level
// by level, and then every leaf's proof is read off. A node without a sibling rises to the next level as it is, which gives the
// tree of RFC 6962: all but the last subtree of a level are perfect.

import { DIGEST_BYTES, type Digest, digest } from '../brands.ts'
import { EMPTY_ROOT, levelAbove } from './hash.ts'

export interface BatchTree {
  /** Leaves. */
  readonly size: number
  readonly root: Digest
  /** PATH of leaf `index`, sibling of the leaf first. @throws {RangeError} unless 0 <= index < size. */
  path(index: number): Digest[]
}

/** The tree with these leaf hashes; {@link EMPTY_ROOT} without any. Ref: RFC 6962 section 2.1. */
export function batchTree(leafHashes: readonly Digest[]): BatchTree {
  const size = leafHashes.length
  const levels = [packed(leafHashes)]
  let top = levels[0] ?? NOTHING
  while (top.length > DIGEST_BYTES) {
    top = levelAbove(top)
    levels.push(top)
  }
  return Object.freeze({
    size,
    root: rootOf(top),
    path(index: number): Digest[] {
      if (!Number.isInteger(index) || index < 0 || index >= size) {
        throw new RangeError(`index: expected below the size ${size}, got ${index}`)
      }
      const path: Digest[] = []
      let at = index
      for (const level of levels) {
        const sibling = (at % 2 === 0 ? at + 1 : at - 1) * DIGEST_BYTES
        if (sibling >= 0 && sibling < level.length) path.push(digest(level.subarray(sibling, sibling + DIGEST_BYTES)))
        at = at >>> 1
      }
      return path
    },
  })
}

/** MTH: the root of the tree with these leaf hashes; {@link EMPTY_ROOT} without any. Ref: RFC 6962 section 2.1. */
export function merkleRoot(leafHashes: readonly Digest[]): Digest {
  let top = packed(leafHashes)
  while (top.length > DIGEST_BYTES) top = levelAbove(top)
  return rootOf(top)
}

function packed(hashes: readonly Digest[]): Uint8Array {
  const bytes = new Uint8Array(hashes.length * DIGEST_BYTES)
  for (let i = 0; i < hashes.length; i++) bytes.set(hashes[i] ?? NOTHING, i * DIGEST_BYTES)
  return bytes
}

function rootOf(top: Uint8Array): Digest {
  return top.length === 0 ? EMPTY_ROOT : digest(top)
}

const NOTHING = new Uint8Array(0)
