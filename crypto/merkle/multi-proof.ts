// One proof for several leaves of a tree, instead of a path for each: the roots of the largest subtrees in which none of them lies,
// from left to right. All leaves together need no hash at all, a single leaf needs exactly its path.
//
// The reader computes the root and every path from the leaves and these hashes, so no leaf can lie outside of its tree: what was
// tampered with has another root.
//
// Ref: RFC 6962 section 2.1 for the shape of the tree.

import { DIGEST_BYTES, type Digest, digest } from '../brands.ts'
import { merkleRoot } from './batch.ts'
import { nodeHash } from './hash.ts'

/** A leaf that is here. */
export interface PresentLeaf {
  readonly index: number
  readonly leaf: Digest
}

const NOTHING = new Uint8Array(0)

/**
 * The hashes for the absent leaves of a tree of `count`, 32 bytes each; `pathOf` gives the PATH of one that is there. Requires `present`
 * ascending, without repetition, below `count`, and at least one.
 * @throws {RangeError} where a path has not the length that its place asks for.
 */
export function multiProof(
  count: number,
  present: readonly number[],
  pathOf: (index: number) => readonly Digest[],
): Uint8Array {
  if (present.length === count) return NOTHING
  const hashes: Digest[] = []
  const visit = (start: number, end: number, from: number, to: number, depth: number): void => {
    if (end - start === 1 || end - start === to - from) return
    const split = start + leftLeaves(end - start)
    const middle = firstFrom(to, from, (i) => (present[i] ?? 0) >= split)
    if (middle === from) hashes.push(fromTop(pathOf(present[from] ?? 0), depth))
    else visit(start, split, from, middle, depth + 1)
    if (middle === to) hashes.push(fromTop(pathOf(present[from] ?? 0), depth))
    else visit(split, end, middle, to, depth + 1)
  }
  visit(0, count, 0, present.length, 0)
  const bytes = new Uint8Array(hashes.length * DIGEST_BYTES)
  for (const [i, hash] of hashes.entries()) bytes.set(hash, i * DIGEST_BYTES)
  return bytes
}

/**
 * The root of the tree of `count` leaves; undefined unless there are exactly as many hashes as needed. Where `paths` is given, the
 * PATH of each leaf of `present` is added to the list in its place, sibling of the leaf first. Requires what {@link multiProof} requires.
 */
export function openMultiProof(
  count: number,
  present: readonly PresentLeaf[],
  hashes: Uint8Array,
  paths?: readonly Digest[][],
): Digest | undefined {
  // As it is most of the time.
  if (present.length === count && paths === undefined) {
    return hashes.length === 0 ? merkleRoot(present.map(({ leaf }) => leaf)) : undefined
  }
  let at = 0
  const visit = (start: number, end: number, from: number, to: number): Digest | undefined => {
    const first = present[from]
    if (from === to || first === undefined) {
      if (at + DIGEST_BYTES > hashes.length) return undefined
      at += DIGEST_BYTES
      return digest(hashes.subarray(at - DIGEST_BYTES, at))
    }
    if (end - start === 1) return first.leaf
    const split = start + leftLeaves(end - start)
    const middle = firstFrom(to, from, (i) => (present[i]?.index ?? 0) >= split)
    const left = visit(start, split, from, middle)
    const right = left === undefined ? undefined : visit(split, end, middle, to)
    if (left === undefined || right === undefined) return undefined
    if (paths !== undefined) for (let i = from; i < to; i++) paths[i]?.push(i < middle ? right : left)
    return nodeHash(left, right)
  }
  const root = visit(0, count, 0, present.length)
  return at === hashes.length ? root : undefined
}

/** Leaves of the left subtree: the largest power of two below `size`, which is from 2 to 2^31. */
function leftLeaves(size: number): number {
  return 1 << (31 - Math.clz32(size - 1))
}

/** The first position from `from` to `to` at which `holds`, as it does at all later ones; `to` where there is none. */
function firstFrom(to: number, from: number, holds: (position: number) => boolean): number {
  let low = from
  let high = to
  while (low < high) {
    const middle = (low + high) >> 1
    if (holds(middle)) high = middle
    else low = middle + 1
  }
  return low
}

/** The hash beside the way from the root to a leaf, `depth` steps down. */
function fromTop(path: readonly Digest[], depth: number): Digest {
  const hash = path.at(-1 - depth)
  if (hash === undefined) throw new RangeError('proof of a leaf: expected a path of the length that its index asks for')
  return hash
}
