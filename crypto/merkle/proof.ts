// Making proofs from stored hashes of perfect subtrees. Every hash that a proof needs is at most O(log n) stored ones away,
// and in one proof only one of them is not itself stored, so a proof reads O(log n) hashes.
// Ref: RFC 6962 sections 2.1.1 (PATH) and 2.1.2 (PROOF); RFC 9162 sections 2.1.3.1 and 2.1.4.1.

import type { Digest } from '../brands.ts'
import { joinSubtrees } from './frontier.ts'
import { requireCounter, splitPoint, subtreeLevels } from './index-math.ts'

/**
 * The stored root of the perfect subtree over leaves [index * 2^level, (index + 1) * 2^level). A proof for a tree of `size`
 * leaves asks only for subtrees that end within `size`.
 * @throws {RangeError} where no such hash is stored.
 */
export type SubtreeReader = (level: number, index: number) => Digest

/** The root of the first `size` leaves. @throws {RangeError} unless `size` is an integer from 0 to 2^53 - 1. */
export function rootAt(read: SubtreeReader, size: number): Digest {
  requireCounter('size', size)
  return rangeRoot(read, 0, size)
}

/**
 * PATH: shows that leaf `index` (from 0) is in the tree of the first `size` leaves; sibling of the leaf first.
 * @throws {RangeError} unless 0 <= index < size < 2^53.
 */
export function inclusionProof(read: SubtreeReader, index: number, size: number): Digest[] {
  requireCounter('index', index)
  requireCounter('size', size)
  if (index >= size) throw new RangeError(`index: expected below the size ${size}, got ${index}`)
  const fromTop: Digest[] = []
  let [start, end] = [0, size]
  while (end - start > 1) {
    const split = start + splitPoint(end - start)
    if (index < split) {
      fromTop.push(rangeRoot(read, split, end))
      end = split
    } else {
      fromTop.push(rangeRoot(read, start, split))
      start = split
    }
  }
  return fromTop.reverse()
}

/**
 * PROOF: shows that the tree of the first `oldSize` leaves is a prefix of that of the first `newSize`. A proof from the empty
 * tree would say nothing and is not made.
 * @throws {RangeError} unless 0 < oldSize <= newSize < 2^53.
 */
export function consistencyProof(read: SubtreeReader, oldSize: number, newSize: number): Digest[] {
  requireCounter('old size', oldSize)
  requireCounter('new size', newSize)
  if (oldSize === 0 || oldSize > newSize) {
    throw new RangeError(`old size: expected from 1 to the new size ${newSize}, got ${oldSize}`)
  }
  const fromTop: Digest[] = []
  let [start, end] = [0, newSize]
  while (oldSize < end) {
    const split = start + splitPoint(end - start)
    if (oldSize <= split) {
      fromTop.push(rangeRoot(read, split, end))
      end = split
    } else {
      fromTop.push(rangeRoot(read, start, split))
      start = split
    }
  }
  // What is left is the last perfect part of the old tree. Where it is the whole old tree the verifier knows its root.
  if (start > 0) fromTop.push(rangeRoot(read, start, end))
  return fromTop.reverse()
}

/** The root over leaves [start, end), where `start` is a multiple of a power of two that is not below end - start. */
function rangeRoot(read: SubtreeReader, start: number, end: number): Digest {
  const subtrees: Digest[] = []
  let next = start
  for (const level of subtreeLevels(end - start)) {
    const width = 2 ** level
    subtrees.push(read(level, next / width))
    next += width
  }
  return joinSubtrees(subtrees)
}
