// A results tree of which only the root was known, and by and by what inclusion proofs showed. A slot with many of a client's requests
// brings a proof for each, which share most of their hashes: whatever one proof showed is not computed again for the next.

import { DIGEST_BYTES, type Digest, digest, equalBytes, MAX_PROOF_HASHES, nodeHash } from '../../crypto/index.ts'

export class ProvenTree {
  readonly size: number
  /** By level, leaves first: the nodes that are known to be below the root. With each known node its whole way up is known. */
  private readonly levels: Map<number, Digest>[] = []

  /** Requires a `size` from 1 to 2^53 - 1. */
  constructor(root: Digest, size: number) {
    this.size = size
    for (let width = size; ; width = Math.ceil(width / 2)) {
      this.levels.push(new Map())
      if (width === 1) break
    }
    this.levels.at(-1)?.set(0, root)
  }

  /** Whether `path` shows that `leaf` is at `index`; the same answer as `verifyInclusion` gives, but for hashes beyond the root. */
  prove(leaf: Digest, index: number, path: readonly Uint8Array[]): boolean {
    if (!Number.isSafeInteger(index) || index < 0 || index >= this.size || path.length > MAX_PROOF_HASHES) return false
    const climbed: [level: number, node: number, hash: Digest][] = []
    let [hash, node, width, used] = [leaf, index, this.size, 0]
    for (let level = 0; ; level++) {
      const known = this.levels[level]?.get(node)
      if (known !== undefined) {
        if (!equalBytes(known, hash)) return false
        break
      }
      climbed.push([level, node, hash])
      const left = node % 2 === 1
      if (left || node + 1 < width) {
        const bytes = path[used++]
        if (bytes?.length !== DIGEST_BYTES) return false
        const sibling = digest(bytes)
        climbed.push([level, left ? node - 1 : node + 1, sibling])
        hash = left ? nodeHash(sibling, hash) : nodeHash(hash, sibling)
      }
      node = Math.floor(node / 2)
      width = Math.ceil(width / 2)
    }
    for (const [level, at, value] of climbed) this.levels[level]?.set(at, value)
    return true
  }

  /** The proof for a leaf that was proven. */
  pathOf(index: number): Digest[] {
    const path: Digest[] = []
    let [node, width] = [index, this.size]
    for (const level of this.levels) {
      const sibling = node % 2 === 1 ? node - 1 : node + 1
      if (sibling < width) {
        const hash = level.get(sibling)
        if (hash === undefined) throw new Error('unreachable: the way up of a proven leaf is known')
        path.push(hash)
      }
      node = Math.floor(node / 2)
      width = Math.ceil(width / 2)
    }
    return path
  }
}
