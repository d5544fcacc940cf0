// Builds the part of the state tree that a verified chunk holds. Chunks come in the order of their paths, and each shows the branches
// that lead to where it begins as they are in the whole tree. So the tree is built in its final shape, with hashes that were computed
// when the chunk was verified: what an earlier chunk brought stays where it is, and what is still to come is empty until then.

import { readU32 } from '../../../crypto/index.ts'
import { CHUNK_HEADER_BYTES, ENTRY_FRAME_BYTES, KIND_BRANCH, KIND_EMPTY, KIND_LEAF, KIND_PRUNED } from './chunk.ts'
import { FAN_OUT, HASH_BYTES } from './hashing.ts'
import { EMPTY, type NodePool, type NodeRef } from './node-pool.ts'
import { toText } from './text.ts'

export class ChunkLoader {
  /** The chunk's entries. */
  readonly leaves: NodeRef[] = []
  private readonly pool: NodePool
  private readonly chunk: Uint8Array
  private readonly hashes: Uint8Array
  private at = CHUNK_HEADER_BYTES + 1
  private hashed = 0

  /** `chunk` and `hashes` as {@link verifyChunk} accepted and computed them. */
  constructor(pool: NodePool, chunk: Uint8Array, hashes: Uint8Array) {
    this.pool = pool
    this.chunk = chunk
    this.hashes = hashes
  }

  /** The tree of the chunks so far, `root`, with this one. Call between `pool.begin` and the next pin. */
  load(root: NodeRef): NodeRef {
    return this.place(root, this.chunk[CHUNK_HEADER_BYTES] ?? KIND_EMPTY)
  }

  /** `there` is what earlier chunks brought to this place. */
  private place(there: NodeRef, kind: number): NodeRef {
    if (kind === KIND_BRANCH) return this.branch(there)
    if (kind === KIND_LEAF && this.chunk[this.at] === 1) return this.entry()
    if (kind === KIND_LEAF) this.at += 1 + 2 * HASH_BYTES
    else if (kind === KIND_PRUNED) this.at += HASH_BYTES
    return there
  }

  private branch(there: NodeRef): NodeRef {
    const { pool } = this
    const kinds = this.chunk[this.at++] ?? 0
    const branch = there === EMPTY ? pool.addBranch() : there
    for (let digit = 0; digit < FAN_OUT; digit++) {
      const child = there === EMPTY ? EMPTY : pool.child(branch, digit)
      pool.setChild(branch, digit, this.place(child, (kinds >>> (2 * digit)) & 3))
    }
    pool.setHash(branch, this.hashes, this.nextHash())
    return branch
  }

  private entry(): NodeRef {
    const { chunk, at } = this
    const keyLength = (chunk[at + 1] ?? 0) * 256 + (chunk[at + 2] ?? 0)
    const valueLength = readU32(chunk, at + 3 + keyLength)
    const value = at + ENTRY_FRAME_BYTES + keyLength
    this.at = value + valueLength
    const texts = [toText(chunk.subarray(at + 3, at + 3 + keyLength)), toText(chunk.subarray(value, this.at))] as const
    const leaf = this.pool.addLeaf(...texts)
    this.pool.setHash(leaf, this.hashes, this.nextHash())
    this.leaves.push(leaf)
    return leaf
  }

  private nextHash(): number {
    const at = this.hashed
    this.hashed += HASH_BYTES
    return at
  }
}
