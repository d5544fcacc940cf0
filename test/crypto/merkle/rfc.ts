// The slow twin: the definitions of the RFCs as they stand there, by recursion over lists of leaf hashes, on Node's SHA-256.
// Ref: RFC 6962 section 2.1; draft-ietf-plants-merkle-tree-certs section 4.4 (SUBTREE_PROOF).

import { createHash } from 'node:crypto'
import { type Digest, digest } from '../../../crypto/index.ts'

function sha256Of(...parts: readonly Uint8Array[]): Digest {
  const hash = createHash('sha256')
  for (const part of parts) hash.update(part)
  return digest(hash.digest())
}

export function rfcLeaf(data: Uint8Array): Digest {
  return sha256Of(Uint8Array.of(0), data)
}

export function rfcNode(left: Digest, right: Digest): Digest {
  return sha256Of(Uint8Array.of(1), left, right)
}

function split(n: number): number {
  let k = 1
  while (k * 2 < n) k *= 2
  return k
}

/** MTH(D[n]) over leaf hashes. */
export function rfcRoot(leaves: readonly Digest[]): Digest {
  const [first] = leaves
  if (first === undefined) return sha256Of()
  if (leaves.length === 1) return first
  const k = split(leaves.length)
  return rfcNode(rfcRoot(leaves.slice(0, k)), rfcRoot(leaves.slice(k)))
}

/** PATH(m, D[n]). */
export function rfcPath(m: number, leaves: readonly Digest[]): Digest[] {
  if (leaves.length <= 1) return []
  const k = split(leaves.length)
  const [left, right] = [leaves.slice(0, k), leaves.slice(k)]
  return m < k ? [...rfcPath(m, left), rfcRoot(right)] : [...rfcPath(m - k, right), rfcRoot(left)]
}

/** PROOF(m, D[n]). */
export function rfcProof(m: number, leaves: readonly Digest[]): Digest[] {
  return rfcSubtreeProof(0, m, leaves)
}

/** SUBTREE_PROOF(start, end, D[n]); with start = 0 it is PROOF(end, D[n]). */
export function rfcSubtreeProof(start: number, end: number, leaves: readonly Digest[], known = true): Digest[] {
  if (start === 0 && end === leaves.length) return known ? [] : [rfcRoot(leaves)]
  const k = split(leaves.length)
  const [left, right] = [leaves.slice(0, k), leaves.slice(k)]
  if (end <= k) return [...rfcSubtreeProof(start, end, left, known), rfcRoot(right)]
  if (k <= start) return [...rfcSubtreeProof(start - k, end - k, right, known), rfcRoot(left)]
  return [...rfcSubtreeProof(0, end - k, right, false), rfcRoot(left)]
}

/** The leaf hashes of 0, 1, 2, ... as four bytes each. */
export function numberedLeaves(count: number): Digest[] {
  return Array.from({ length: count }, (_, i) => rfcLeaf(Uint8Array.of(i >> 24, i >> 16, i >> 8, i)))
}
