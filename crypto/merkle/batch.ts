// The tree over a batch that is all there: the requests of an entry or a bundle, the results of a slot. Its hashes are made once, level
// by level, and then every leaf's proof is read off. A node without a sibling rises to the next level as it is, which gives the
// tree of RFC 6962: all but the last subtree of a level are perfect.

import type { Digest } from '../brands.ts'
import { EMPTY_ROOT, nodeHash } from './hash.ts'

export interface BatchTree {
  /** Leaves. */
  readonly size: number
  readonly root: Digest
  /** PATH of leaf `index`, sibling of the leaf first. @throws {RangeError} unless 0 <= index < size. */
  path(index: number): Digest[]
}

/** The tree with these leaf hashes, which must not be changed; {@link EMPTY_ROOT} without any. Ref: RFC 6962 section 2.1. */
export function batchTree(leafHashes: readonly Digest[]): BatchTree {
  const size = leafHashes.length
  const levels = [leafHashes]
  let top = leafHashes
  while (top.length > 1) {
    top = levelAbove(top)
    levels.push(top)
  }
  return Object.freeze({
    size,
    root: top[0] ?? EMPTY_ROOT,
    path(index: number): Digest[] {
      if (!Number.isInteger(index) || index < 0 || index >= size) {
        throw new RangeError(`index: expected below the size ${size}, got ${index}`)
      }
      const path: Digest[] = []
      let at = index
      for (const level of levels) {
        const sibling = level[at % 2 === 0 ? at + 1 : at - 1]
        if (sibling !== undefined) path.push(sibling)
        at = at >>> 1
      }
      return path
    },
  })
}

/** MTH: the root of the tree with these leaf hashes; {@link EMPTY_ROOT} without any. Ref: RFC 6962 section 2.1. */
export function merkleRoot(leafHashes: Iterable<Digest>): Digest {
  let top: readonly Digest[] = [...leafHashes]
  while (top.length > 1) top = levelAbove(top)
  return top[0] ?? EMPTY_ROOT
}

function levelAbove(level: readonly Digest[]): Digest[] {
  const above: Digest[] = []
  for (let i = 0; i < level.length; i += 2) {
    const [left, right] = [level[i], level[i + 1]]
    if (left !== undefined) above.push(right === undefined ? left : nodeHash(left, right))
  }
  return above
}
