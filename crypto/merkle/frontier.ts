// An append-only log in O(log n) memory: only the roots of the perfect subtrees that the next leaves will be joined to. It
// gives the root after every append but no proofs; those need a reader of stored hashes (proof.ts). A frontier is a value:
// appending makes a new one, so a snapshot in progress keeps the one it started with.
//
// Encoded: the size (u64), then the root of each perfect subtree, largest first: as many as the size has one bits.

import { DIGEST_BYTES, type Digest, digest } from '../brands.ts'
import { concatBytes, readU64, writeU64 } from '../bytes.ts'
import { EMPTY_ROOT, nodeHash } from './hash.ts'
import { half, isOdd, subtreeLevels } from './index-math.ts'

export interface Frontier {
  /** Leaves so far, from 0 to 2^53 - 1. */
  readonly size: number
  /** Roots of the perfect subtrees, leftmost and so largest first; their bytes must not be changed. */
  readonly subtrees: readonly Digest[]
}

const SIZE_BYTES = 8

export const EMPTY_FRONTIER: Frontier = Object.freeze({ size: 0, subtrees: Object.freeze([]) })

/**
 * The log with one leaf more; `leaf` is copied and `frontier` stays as it is.
 * @throws {RangeError} where the log is full (2^53 - 1 leaves) or `leaf` is not 32 bytes.
 */
export function appendLeaf(frontier: Frontier, leaf: Digest): Frontier {
  if (frontier.size >= Number.MAX_SAFE_INTEGER) throw new RangeError('log: expected below 2^53 - 1 leaves, is full')
  const subtrees = [...frontier.subtrees]
  let joined = digest(leaf)
  for (let rest = frontier.size; isOdd(rest); rest = half(rest)) {
    const left = subtrees.pop()
    if (left === undefined) throw new RangeError(`frontier: too few subtrees for ${frontier.size} leaves`)
    joined = nodeHash(left, joined)
  }
  subtrees.push(joined)
  return Object.freeze({ size: frontier.size + 1, subtrees: Object.freeze(subtrees) })
}

/** The root of the whole log; {@link EMPTY_ROOT} without leaves. */
export function frontierRoot(frontier: Frontier): Digest {
  return joinSubtrees(frontier.subtrees)
}

/** The root over perfect subtrees that stand side by side, largest first. */
export function joinSubtrees(subtrees: readonly Digest[]): Digest {
  if (subtrees.length === 0) return EMPTY_ROOT
  return subtrees.reduceRight((right, left) => nodeHash(left, right))
}

/** Canonical bytes of `frontier`: 8 + 32 for each one bit of the size, so at most 1,704. */
export function encodeFrontier(frontier: Frontier): Uint8Array {
  const size = new Uint8Array(SIZE_BYTES)
  writeU64(size, 0, frontier.size)
  return concatBytes(size, ...frontier.subtrees)
}

/**
 * The frontier in `bytes`, or undefined where they are not exactly what {@link encodeFrontier} writes for one. Says nothing
 * about whose log it is: compare {@link frontierRoot} with a signed root before use.
 */
export function decodeFrontier(bytes: Uint8Array): Frontier | undefined {
  const size = bytes.length >= SIZE_BYTES ? readU64(bytes, 0) : undefined
  if (size === undefined) return undefined
  const count = subtreeLevels(size).length
  if (bytes.length !== SIZE_BYTES + count * DIGEST_BYTES) return undefined
  const subtrees = Array.from({ length: count }, (_, i) => {
    const start = SIZE_BYTES + i * DIGEST_BYTES
    return digest(bytes.subarray(start, start + DIGEST_BYTES))
  })
  return Object.freeze({ size, subtrees: Object.freeze(subtrees) })
}
