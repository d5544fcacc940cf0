// Writes the chunks that chunk.ts checks; the encoding is described there.

import { compareBytes, writeKey, writeU32 } from '../../../crypto/index.ts'
import { CHUNK_BYTES, MAX_CHUNK_BYTES } from '../limits.ts'
import { CHUNK_HEADER_BYTES, ENTRY_FRAME_BYTES, KIND_BRANCH, KIND_EMPTY, KIND_LEAF, KIND_PRUNED } from './chunk.ts'
import { digitAt, FAN_OUT, HASH_BYTES, pathAfter, type StateHasher } from './hashing.ts'
import { EMPTY, type NodePool, type NodeRef } from './node-pool.ts'
import type { Text } from './text.ts'

export interface WrittenChunk {
  readonly bytes: Uint8Array
  /** The hashes that its verification will compute, as `StateChunk` has them; empty unless they were asked for. */
  readonly hashes: Uint8Array
  /** The path that the next chunk begins with; undefined after the last. */
  readonly next: Uint8Array | undefined
}

/** The chunk that begins at the path `from` in the tree `root`. */
export function writeChunk(
  pool: NodePool,
  root: NodeRef,
  from: Uint8Array,
  hasher: StateHasher,
  withHashes = false,
): WrittenChunk {
  return new ChunkWriter(pool, from, hasher, withHashes).chunk(root)
}

class ChunkWriter {
  private readonly pool: NodePool
  private readonly from: Uint8Array
  private readonly hasher: StateHasher
  private bytes: Uint8Array = scratch
  private at = CHUNK_HEADER_BYTES
  private filled = 0
  private closed = false
  private last: NodeRef = EMPTY
  /** Nodes whose hashes go with the chunk. */
  private readonly nodes: NodeRef[] = []
  private readonly withHashes: boolean

  constructor(pool: NodePool, from: Uint8Array, hasher: StateHasher, withHashes: boolean) {
    this.pool = pool
    this.from = from
    this.hasher = hasher
    this.withHashes = withHashes
  }

  chunk(root: NodeRef): WrittenChunk {
    this.bytes.set(this.from, 0)
    this.bytes[this.at++] = this.kindOf(root, 0)
    this.node(root, 0, 0)
    this.bytes[HASH_BYTES] = this.closed ? 0 : 1
    const next = this.closed ? this.next() : undefined
    return { bytes: this.bytes.slice(0, this.at), hashes: this.hashes(), next }
  }

  private hashes(): Uint8Array {
    const hashes = new Uint8Array(this.nodes.length * HASH_BYTES)
    for (let i = 0; i < this.nodes.length; i++) this.pool.copyHash(this.nodes[i] ?? EMPTY, hashes, i * HASH_BYTES)
    return hashes
  }

  private next(): Uint8Array | undefined {
    return pathAfter(this.last === EMPTY ? this.from : this.hasher.path(this.pool.key(this.last)))
  }

  /** Asked right before the node is written: earlier siblings may have filled the chunk. `side` as in `ChunkReader.node`. */
  private kindOf(node: NodeRef, side: number): number {
    if (node === EMPTY) return KIND_EMPTY
    if (side < 0 || this.filled >= CHUNK_BYTES) return KIND_PRUNED
    return node > 0 ? KIND_BRANCH : KIND_LEAF
  }

  private node(node: NodeRef, depth: number, side: number): void {
    const kind = this.kindOf(node, side)
    if (kind === KIND_BRANCH) this.branch(node, depth, side)
    else if (kind === KIND_LEAF) this.leaf(node, side)
    else if (kind === KIND_PRUNED) {
      if (side >= 0) this.closed = true
      this.reserve(HASH_BYTES)
      this.pool.copyHash(node, this.bytes, this.at)
      this.at += HASH_BYTES
    }
  }

  private branch(branch: NodeRef, depth: number, side: number): void {
    this.reserve(1)
    const mask = this.at++
    this.bytes[mask] = 0
    this.filled++
    const way = digitAt(this.from, depth)
    for (let digit = 0; digit < FAN_OUT; digit++) {
      const child = this.pool.child(branch, digit)
      const childSide = side !== 0 ? side : digit - way
      this.bytes[mask] = (this.bytes[mask] ?? 0) | (this.kindOf(child, childSide) << (2 * digit))
      this.node(child, depth + 1, childSide)
    }
    if (this.withHashes) this.nodes.push(branch)
  }

  private leaf(leaf: NodeRef, side: number): void {
    const key = this.pool.key(leaf)
    const value = this.pool.value(leaf)
    // Only on the way to `from` may an entry lie before it; elsewhere its place in the tree says where its path is.
    const path = side === 0 ? this.hasher.path(key) : undefined
    if (path === undefined || compareBytes(path, this.from) >= 0) {
      this.entry(key, value)
      this.last = leaf
      if (this.withHashes) this.nodes.push(leaf)
      return
    }
    this.reserve(1 + 2 * HASH_BYTES)
    this.bytes[this.at] = 0
    this.bytes.set(path, this.at + 1)
    this.bytes.set(this.hasher.value(value), this.at + 1 + HASH_BYTES)
    this.at += 1 + 2 * HASH_BYTES
  }

  private entry(key: Text, value: Text): void {
    const length = ENTRY_FRAME_BYTES + key.length + value.length
    this.reserve(length)
    this.bytes[this.at] = 1
    this.bytes[this.at + 1] = key.length >>> 8
    this.bytes[this.at + 2] = key.length
    writeKey(key, this.bytes, this.at + 3)
    writeU32(this.bytes, this.at + 3 + key.length, value.length)
    writeKey(value, this.bytes, this.at + ENTRY_FRAME_BYTES + key.length)
    this.at += length
    this.filled += length
  }

  private reserve(count: number): void {
    if (this.at + count <= this.bytes.length) return
    const wider = new Uint8Array(MAX_CHUNK_BYTES)
    wider.set(this.bytes)
    this.bytes = wider
  }
}

/** Where each chunk is put together, unless an entry is so large that it has no room here. */
const scratch = new Uint8Array(2 * CHUNK_BYTES)
