// One proof for all requests of a bundle that travel together, instead of a path for each: the roots of the largest
// subtrees in which none of them lies, from left to right. A whole bundle needs none at all, a single request needs
// exactly its path.
//
// The reader computes the bundle's root and every path from the requests and these hashes. So no request on the wire
// can lie outside of its bundle: what was tampered with has another root, which the client never signed.
//
// Ref: RFC 6962 section 2.1 for the shape of the tree.

import { DIGEST_BYTES, type Digest, digest, nodeHash } from '../../crypto/index.ts'
import { Malformed } from './malformed.ts'

/** A request that is here: its position in the bundle, and its inclusion proof. */
export interface Proven {
  readonly index: number
  readonly path: readonly Digest[]
}

/** The same on the way in: `path` is filled, sibling of the leaf first. */
export interface Present {
  readonly index: number
  readonly leaf: Digest
  path: Digest[]
}

/**
 * The hashes for the absent leaves of a tree of `count`, 32 bytes each. Requires `present` ascending by index, without
 * repetition, and at least one. @throws {RangeError} where a path has not the length that its place asks for.
 */
export function absentHashes(count: number, present: readonly Proven[]): Uint8Array {
  if (present.length === count) return NOTHING
  const hashes: Digest[] = []
  const visit = (start: number, end: number, from: number, to: number, depth: number): void => {
    if (end - start === 1) return
    const split = start + leftLeaves(end - start)
    const middle = firstFrom(present, split, from, to)
    if (middle === from) hashes.push(fromTop(present[from], depth))
    else visit(start, split, from, middle, depth + 1)
    if (middle === to) hashes.push(fromTop(present[from], depth))
    else visit(split, end, middle, to, depth + 1)
  }
  visit(0, count, 0, present.length, 0)
  const bytes = new Uint8Array(hashes.length * DIGEST_BYTES)
  for (const [i, hash] of hashes.entries()) bytes.set(hash, i * DIGEST_BYTES)
  return bytes
}

/**
 * Fills the paths of `present` and gives the root of the tree of `count` leaves. Requires what {@link absentHashes}
 * requires, and every index below `count`. @throws {Malformed} unless there are exactly as many hashes as needed.
 */
export function openBundle(count: number, present: readonly Present[], hashes: Uint8Array): Digest {
  let at = 0
  const nextHash = (): Digest => {
    if (at + DIGEST_BYTES > hashes.length) throw new Malformed('Bundle.hashes: too few')
    at += DIGEST_BYTES
    return digest(hashes.subarray(at - DIGEST_BYTES, at))
  }
  const visit = (start: number, end: number, from: number, to: number): Digest => {
    const first = present[from]
    if (from === to || first === undefined) return nextHash()
    if (end - start === 1) return first.leaf
    const split = start + leftLeaves(end - start)
    const middle = firstFrom(present, split, from, to)
    const left = visit(start, split, from, middle)
    const right = visit(split, end, middle, to)
    for (let i = from; i < to; i++) present[i]?.path.push(i < middle ? right : left)
    return nodeHash(left, right)
  }
  const root = visit(0, count, 0, present.length)
  if (at !== hashes.length) throw new Malformed('Bundle.hashes: too many')
  return root
}

const NOTHING = new Uint8Array(0)

/** Leaves of the left subtree: the largest power of two below `size`, which is from 2 to 2^31. */
function leftLeaves(size: number): number {
  return 1 << (31 - Math.clz32(size - 1))
}

/** Position of the first of `present` from `from` to `to` whose index is `least` or more; `to` where there is none. */
function firstFrom(present: readonly { readonly index: number }[], least: number, from: number, to: number): number {
  let low = from
  let high = to
  while (low < high) {
    const middle = (low + high) >> 1
    if ((present[middle]?.index ?? 0) < least) low = middle + 1
    else high = middle
  }
  return low
}

/** The hash beside the way from the root to a leaf, `depth` steps down. */
function fromTop(proven: Proven | undefined, depth: number): Digest {
  const hash = proven?.path.at(-1 - depth)
  if (hash === undefined) throw new RangeError('proof of a request: expected a path of the length its index asks for')
  return hash
}
