// Checking proofs. A proof that does not fit is `false`, whatever its bytes; only a number that no decoder lets through
// (not an integer from 0 to 2^53 - 1) throws.
//
// A subtree [start, end) is the leaves under one node of some size of the log: `start` is a multiple of the smallest power of
// two not below end - start. The proofs about whole trees are those about subtrees that start at 0.
// Ref: RFC 9162 sections 2.1.3.2 and 2.1.4.2; draft-ietf-plants-merkle-tree-certs section 4.

import { DIGEST_BYTES } from '../brands.ts'
import { equalBytes } from '../bytes.ts'
import { EMPTY_ROOT, nodeHash } from './hash.ts'
import { ceilingPower, half, isOdd, requireCounter } from './index-math.ts'

/** More hashes no proof about sizes below 2^53 has: one a level, and the seed of a consistency proof. */
export const MAX_PROOF_HASHES = 54

/** "The leaf with this hash is at `index` (from 0) of the tree of `size` leaves with this root." */
export interface InclusionClaim {
  readonly leaf: Uint8Array
  readonly index: number
  readonly size: number
  readonly root: Uint8Array
}

/** "The tree of `oldSize` leaves is what the first `oldSize` leaves of the tree of `newSize` make." */
export interface ConsistencyClaim {
  readonly oldSize: number
  readonly oldRoot: Uint8Array
  readonly newSize: number
  readonly newRoot: Uint8Array
}

/** "The leaf with this hash is at `index` of the log, in the subtree over leaves [start, end) with this root." */
export interface SubtreeInclusionClaim {
  readonly leaf: Uint8Array
  readonly index: number
  readonly start: number
  readonly end: number
  readonly subtreeRoot: Uint8Array
}

/** "Leaves [start, end) of the tree of `size` leaves with this root make a subtree with that root." */
export interface SubtreeConsistencyClaim {
  readonly start: number
  readonly end: number
  readonly subtreeRoot: Uint8Array
  readonly size: number
  readonly root: Uint8Array
}

/** True where `proof` (sibling of the leaf first) shows the claim. @throws {RangeError} as said above. */
export function verifyInclusion(claim: InclusionClaim, proof: readonly Uint8Array[]): boolean {
  const { leaf, index, size, root } = claim
  requireCounter('index', index)
  requireCounter('size', size)
  if (index >= size || !isHash(leaf) || !isProof(proof)) return false
  let [node, last, hash] = [index, size - 1, leaf]
  for (const sibling of proof) {
    if (last === 0) return false
    if (isOdd(node) || node === last) {
      hash = nodeHash(sibling, hash)
      // A node on the right edge without a sibling rises unchanged until it has one.
      while (!isOdd(node) && node !== 0) [node, last] = [half(node), half(last)]
    } else {
      hash = nodeHash(hash, sibling)
    }
    ;[node, last] = [half(node), half(last)]
  }
  return last === 0 && equalBytes(hash, root)
}

/**
 * True where `proof` shows the claim. False from the empty tree, about which every proof would say nothing.
 * @throws {RangeError} as said above.
 */
export function verifyConsistency(claim: ConsistencyClaim, proof: readonly Uint8Array[]): boolean {
  const { oldSize, oldRoot, newSize, newRoot } = claim
  requireCounter('old size', oldSize)
  requireCounter('new size', newSize)
  if (oldSize === 0) return false
  return verifySubtreeConsistency({ start: 0, end: oldSize, subtreeRoot: oldRoot, size: newSize, root: newRoot }, proof)
}

/** True where `proof` shows the claim; false also where there is no such subtree. @throws {RangeError} as said above. */
export function verifySubtreeInclusion(claim: SubtreeInclusionClaim, proof: readonly Uint8Array[]): boolean {
  const { leaf, index, start, end, subtreeRoot } = claim
  requireCounter('index', index)
  if (!isSubtree(start, end) || index < start) return false
  return verifyInclusion({ leaf, index: index - start, size: end - start, root: subtreeRoot }, proof)
}

/**
 * True where `proof` shows the claim; false also where there is no such subtree. The empty subtree belongs to every tree, so
 * of its claim only {@link EMPTY_ROOT} and an empty proof are checked. Where the subtree is the whole tree, the proof is empty
 * and the two roots are equal; nothing is hashed then, and their length is not looked at.
 * @throws {RangeError} as said above.
 */
export function verifySubtreeConsistency(claim: SubtreeConsistencyClaim, proof: readonly Uint8Array[]): boolean {
  const { start, end, subtreeRoot, size, root } = claim
  requireCounter('size', size)
  if (!isSubtree(start, end) || end > size || !isProof(proof)) return false
  if (start === end) return proof.length === 0 && equalBytes(subtreeRoot, EMPTY_ROOT)
  if (proof.length > 0 && !isHash(subtreeRoot)) return false

  // The nodes over the subtree's first and last leaf and over the tree's last leaf, risen to where the proof begins.
  let [first, last, top] = [start, end - 1, size - 1]
  const rise = () => {
    ;[first, last, top] = [half(first), half(last), half(top)]
  }
  while (first !== last && (last === top || isOdd(last))) rise()

  // A subtree that is one node of the tree is its own seed; otherwise the proof begins with the last perfect part of it.
  const rest = first === last ? proof : proof.slice(1)
  const seed = first === last ? subtreeRoot : proof[0]
  if (seed === undefined) return false
  let [inSubtree, inTree] = [seed, seed]
  for (const hash of rest) {
    if (top === 0) return false
    if (isOdd(last) || last === top) {
      if (first < last) inSubtree = nodeHash(hash, inSubtree)
      inTree = nodeHash(hash, inTree)
      while (!isOdd(last) && last !== 0) rise()
    } else {
      inTree = nodeHash(inTree, hash)
    }
    rise()
  }
  return top === 0 && equalBytes(inSubtree, subtreeRoot) && equalBytes(inTree, root)
}

/** Whether [start, end) is a subtree of some tree. @throws {RangeError} unless both are integers from 0 to 2^53 - 1. */
export function isSubtree(start: number, end: number): boolean {
  requireCounter('start', start)
  requireCounter('end', end)
  return start <= end && start % ceilingPower(end - start) === 0
}

function isProof(proof: readonly Uint8Array[]): boolean {
  return proof.length <= MAX_PROOF_HASHES && proof.every(isHash)
}

function isHash(bytes: Uint8Array): boolean {
  return bytes.length === DIGEST_BYTES
}
