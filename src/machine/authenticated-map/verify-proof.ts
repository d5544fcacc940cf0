// Checks proofs that a key has a value, or that it has none, under a state root. This file and hashing.ts are all that
// an auditor in a browser needs; prove.ts makes the proofs. A proof has one encoding, and a changed byte makes another
// claim or none.
//
//   depth        1 byte, 0 to 128: branches between the root and where the key's path ends
//   then per branch, from the root:
//     siblings   1 byte: bit i is set where child i is not empty; the bit of the child on the path is clear
//     hashes     32 bytes for each bit set, in the order of the children
//   end          1 byte: 0 nothing there; 1 a leaf: its path and the hash of its value, 32 bytes each
//
// The key is absent where its path ends in nothing, or in the leaf of another key.

import { equalBytes } from '../../../crypto/index.ts'
import { MAX_KEY_BYTES, MAX_TREE_DEPTH, MAX_VALUE_BYTES } from '../limits.ts'
import { comparePrefix, digitAt, EMPTY_HASH, FAN_OUT, HASH_BYTES, type Hash, stateHasher } from './hashing.ts'

/** Bytes of the longest proof; one of a state with a million keys has about 1,000. */
export const MAX_PROOF_BYTES = 1 + MAX_TREE_DEPTH * (1 + (FAN_OUT - 1) * HASH_BYTES) + 1 + 2 * HASH_BYTES

/**
 * True where `proof` shows that under `root` the value of `key` is `value`, or that there is none where `value` is
 * undefined. False for any other bytes; never throws.
 */
export function verifyStateProof(
  root: Uint8Array,
  key: Uint8Array,
  value: Uint8Array | undefined,
  proof: Uint8Array,
  hash?: Hash,
): boolean {
  if (root.length !== HASH_BYTES || key.length > MAX_KEY_BYTES || (value?.length ?? 0) > MAX_VALUE_BYTES) return false
  const hasher = hash === undefined ? standard : stateHasher(hash)
  const path = hasher.path(key)
  const end = endOf(proof, path)
  if (end === undefined) return false
  const depth = proof[0] ?? 0
  const endPath = end + 1
  const valueHash = endPath + HASH_BYTES
  const isLeaf = proof[end] === LEAF_END
  const present = isLeaf && holds(proof, endPath, path)
  if (present !== (value !== undefined)) return false
  if (present && value !== undefined && !holds(proof, valueHash, hasher.value(value))) return false
  const leafPath = proof.subarray(endPath, valueHash)
  if (isLeaf && comparePrefix(leafPath, path, depth) !== 0) return false

  let current: Uint8Array = isLeaf ? hasher.leaf(leafPath, proof.subarray(valueHash)) : EMPTY_HASH
  for (let level = depth - 1; level >= 0; level--) {
    let at = levels[level] ?? 0
    const siblings = proof[at++] ?? 0
    children.fill(0)
    children.set(current, digitAt(path, level) * HASH_BYTES)
    for (let child = 0; child < FAN_OUT; child++) {
      if ((siblings & (1 << child)) === 0) continue
      const to = child * HASH_BYTES
      for (let i = 0; i < HASH_BYTES; i++) children[to + i] = proof[at + i] ?? 0
      at += HASH_BYTES
    }
    current = hasher.branch(children)
  }
  return equalBytes(current, root)
}

const standard = stateHasher()
/** Of the proof in hand: where each level begins, and the children of one branch. */
const levels = new Uint16Array(MAX_TREE_DEPTH)
const children = new Uint8Array(FAN_OUT * HASH_BYTES)

const NOTHING_END = 0
const LEAF_END = 1

/** Where the levels end, and what stands at the end of the path begins, with {@link levels} filled; undefined for what is no proof. */
function endOf(proof: Uint8Array, path: Uint8Array): number | undefined {
  const depth = proof[0] ?? 0
  if (proof.length > MAX_PROOF_BYTES || depth > MAX_TREE_DEPTH) return undefined
  let at = 1
  for (let level = 0; level < depth; level++) {
    levels[level] = at
    const siblings = proof[at++] ?? FULL_MASK
    if (siblings >= FULL_MASK || (siblings & (1 << digitAt(path, level))) !== 0) return undefined
    for (let bits = siblings; bits !== 0; bits &= bits - 1) {
      // Of the empty tree, or beyond the end: the child's bit had to be clear.
      if (isZero(proof, at)) return undefined
      at += HASH_BYTES
    }
  }
  const rest = proof.length - at
  const whole = proof[at] === LEAF_END ? rest === 1 + 2 * HASH_BYTES : proof[at] === NOTHING_END && rest === 1
  return whole ? at : undefined
}

const FULL_MASK = 2 ** FAN_OUT - 1

/** True where the 32 bytes at `at` are all zero, or are not there. */
function isZero(bytes: Uint8Array, at: number): boolean {
  for (let i = 0; i < HASH_BYTES; i++) if ((bytes[at + i] ?? 0) !== 0) return false
  return true
}

/** True where the 32 bytes at `at` are these. */
function holds(bytes: Uint8Array, at: number, hash: Uint8Array): boolean {
  for (let i = 0; i < HASH_BYTES; i++) if (bytes[at + i] !== hash[i]) return false
  return true
}
