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

interface ParsedProof {
  /** Per level from the root: the mask, and the hashes that it announces. */
  readonly levels: readonly { readonly siblings: number; readonly hashes: Uint8Array }[]
  readonly end: { readonly path: Uint8Array; readonly valueHash: Uint8Array } | undefined
}

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
  const hasher = stateHasher(hash)
  const path = hasher.path(key)
  const parsed = parseProof(proof, path)
  if (parsed === undefined) return false
  const { levels, end } = parsed
  const present = end !== undefined && equalBytes(end.path, path)
  if (present !== (value !== undefined)) return false
  if (present && value !== undefined && !equalBytes(end.valueHash, hasher.value(value))) return false
  if (end !== undefined && comparePrefix(end.path, path, levels.length) !== 0) return false

  let current = end === undefined ? EMPTY_HASH : hasher.leaf(end.path, end.valueHash)
  const children = new Uint8Array(FAN_OUT * HASH_BYTES)
  for (let depth = levels.length - 1; depth >= 0; depth--) {
    const level = levels[depth]
    if (level === undefined) return false
    children.fill(0)
    children.set(current, digitAt(path, depth) * HASH_BYTES)
    let next = 0
    for (let child = 0; child < FAN_OUT; child++) {
      if ((level.siblings & (1 << child)) === 0) continue
      children.set(level.hashes.subarray(next * HASH_BYTES, (next + 1) * HASH_BYTES), child * HASH_BYTES)
      next++
    }
    current = hasher.branch(children)
  }
  return equalBytes(current, root)
}

function parseProof(proof: Uint8Array, path: Uint8Array): ParsedProof | undefined {
  const depth = proof[0] ?? 0
  if (proof.length > MAX_PROOF_BYTES || depth > MAX_TREE_DEPTH) return undefined
  const levels: { siblings: number; hashes: Uint8Array }[] = []
  let at = 1
  for (let level = 0; level < depth; level++) {
    const siblings = proof[at] ?? FULL_MASK
    if (siblings >= FULL_MASK || (siblings & (1 << digitAt(path, level))) !== 0) return undefined
    const end = at + 1 + bitCount(siblings) * HASH_BYTES
    const hashes = proof.subarray(at + 1, end)
    if (announcesEmpty(hashes)) return undefined
    levels.push({ siblings, hashes })
    at = end
  }
  const rest = proof.length - at
  if (rest === 1 && proof[at] === 0) return { levels, end: undefined }
  if (rest !== 1 + 2 * HASH_BYTES || proof[at] !== 1) return undefined
  const middle = at + 1 + HASH_BYTES
  return { levels, end: { path: proof.subarray(at + 1, middle), valueHash: proof.subarray(middle) } }
}

const FULL_MASK = 2 ** FAN_OUT - 1

function bitCount(mask: number): number {
  return (mask & 1) + ((mask >> 1) & 1) + ((mask >> 2) & 1) + ((mask >> 3) & 1)
}

/** True where a hash that the mask announced is that of the empty tree: that child's bit had to be clear. */
function announcesEmpty(hashes: Uint8Array): boolean {
  for (let at = 0; at < hashes.length; at += HASH_BYTES) {
    if (equalBytes(hashes.subarray(at, at + HASH_BYTES), EMPTY_HASH)) return true
  }
  return false
}
