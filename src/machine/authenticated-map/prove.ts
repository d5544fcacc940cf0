// Makes the proofs that verify-proof.ts checks; the encoding is described there.

import { digitAt, FAN_OUT, HASH_BYTES, type StateHasher } from './hashing.ts'
import { EMPTY, type NodePool, type NodeRef } from './node-pool.ts'
import { MAX_PROOF_BYTES } from './verify-proof.ts'

/** The leaf where `path` ends in the tree `root`, be it that of another key; {@link EMPTY} where there is none. */
export function leafAt(pool: NodePool, root: NodeRef, path: Uint8Array): NodeRef {
  let node = root
  for (let depth = 0; node > 0; depth++) node = pool.child(node, digitAt(path, depth))
  return node
}

/** The proof for `path` in the tree `root`; of presence or of absence, whichever is true. */
export function proveState(pool: NodePool, root: NodeRef, path: Uint8Array, hasher: StateHasher): Uint8Array {
  const bytes = scratch
  let at = 1
  let depth = 0
  let node = root
  for (; node > 0; depth++) {
    const digit = digitAt(path, depth)
    const mask = at++
    bytes[mask] = 0
    for (let child = 0; child < FAN_OUT; child++) {
      const sibling = pool.child(node, child)
      if (child === digit || sibling === EMPTY) continue
      bytes[mask] = (bytes[mask] ?? 0) | (1 << child)
      pool.copyHash(sibling, bytes, at)
      at += HASH_BYTES
    }
    node = pool.child(node, digit)
  }
  bytes[0] = depth
  bytes[at] = 0
  if (node === EMPTY) return bytes.slice(0, at + 1)
  bytes[at] = 1
  bytes.set(hasher.path(pool.key(node)), at + 1)
  bytes.set(hasher.value(pool.value(node)), at + 1 + HASH_BYTES)
  return bytes.slice(0, at + 1 + 2 * HASH_BYTES)
}

/** Where each proof is put together: the longest is far longer than any that is made. */
const scratch = new Uint8Array(MAX_PROOF_BYTES)
