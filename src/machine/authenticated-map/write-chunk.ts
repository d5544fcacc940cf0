// Writes the chunks that chunk.ts checks; the encoding is described there.

import { compareBytes, writeU32 } from '../../../crypto/index.ts'
import { CHUNK_BYTES, MAX_CHUNK_BYTES } from '../limits.ts'
import { CHUNK_HEADER_BYTES, ENTRY_FRAME_BYTES, KIND_BRANCH, KIND_EMPTY, KIND_LEAF, KIND_PRUNED } from './chunk.ts'
import { comparePrefix, FAN_OUT, HASH_BYTES, pathAfter, type StateHasher, setDigit } from './hashing.ts'
import { EMPTY, type NodePool, type NodeRef } from './node-pool.ts'
import { type Text, toBytes } from './text.ts'

export interface WrittenChunk {
  readonly bytes: Uint8Array
  /** The path that the next chunk begins with; undefined after the last. */
  readonly next: Uint8Array | undefined
}

/** The chunk that begins at the path `from` in the tree `root`. */
export function writeChunk(pool: NodePool, root: NodeRef, from: Uint8Array, hasher: StateHasher): WrittenChunk {
  return new ChunkWriter(pool, from, hasher).chunk(root)
}

class ChunkWriter {
  private readonly pool: NodePool
  private readonly from: Uint8Array
  private readonly hasher: StateHasher
  private bytes = new Uint8Array(2 * CHUNK_BYTES)
  private at = CHUNK_HEADER_BYTES
  private filled = 0
  private closed = false
  /** The path of the last entry. */
  private last: Uint8Array
  private readonly position = new Uint8Array(HASH_BYTES)

  constructor(pool: NodePool, from: Uint8Array, hasher: StateHasher) {
    this.pool = pool
    this.from = from
    this.last = from
    this.hasher = hasher
  }

  chunk(root: NodeRef): WrittenChunk {
    this.bytes.set(this.from, 0)
    this.bytes[this.at++] = this.kindOf(root, 0)
    this.node(root, 0)
    this.bytes[HASH_BYTES] = this.closed ? 0 : 1
    return { bytes: this.bytes.slice(0, this.at), next: this.closed ? pathAfter(this.last) : undefined }
  }

  /** Asked right before the node is written: earlier siblings may have filled the chunk. */
  private kindOf(node: NodeRef, depth: number): number {
    if (node === EMPTY) return KIND_EMPTY
    const side = comparePrefix(this.position, this.from, depth)
    if (side < 0 || this.filled >= CHUNK_BYTES) return KIND_PRUNED
    return node > 0 ? KIND_BRANCH : KIND_LEAF
  }

  private node(node: NodeRef, depth: number): void {
    const kind = this.kindOf(node, depth)
    if (kind === KIND_BRANCH) this.branch(node, depth)
    else if (kind === KIND_LEAF) this.leaf(node)
    else if (kind === KIND_PRUNED) {
      if (comparePrefix(this.position, this.from, depth) >= 0) this.closed = true
      this.reserve(HASH_BYTES)
      this.pool.copyHash(node, this.bytes, this.at)
      this.at += HASH_BYTES
    }
  }

  private branch(branch: NodeRef, depth: number): void {
    this.reserve(1)
    const mask = this.at++
    this.bytes[mask] = 0
    this.filled++
    for (let digit = 0; digit < FAN_OUT; digit++) {
      const child = this.pool.child(branch, digit)
      setDigit(this.position, depth, digit)
      this.bytes[mask] = (this.bytes[mask] ?? 0) | (this.kindOf(child, depth + 1) << (2 * digit))
      this.node(child, depth + 1)
    }
    setDigit(this.position, depth, 0)
  }

  private leaf(leaf: NodeRef): void {
    const key = toBytes(this.pool.key(leaf))
    const path = this.hasher.path(key)
    if (compareBytes(path, this.from) >= 0) {
      this.entry(key, this.pool.value(leaf))
      this.last = path
      return
    }
    this.reserve(1 + 2 * HASH_BYTES)
    this.bytes[this.at] = 0
    this.bytes.set(path, this.at + 1)
    this.bytes.set(this.hasher.value(this.pool.value(leaf)), this.at + 1 + HASH_BYTES)
    this.at += 1 + 2 * HASH_BYTES
  }

  private entry(key: Uint8Array, text: Text): void {
    const value = toBytes(text)
    const length = ENTRY_FRAME_BYTES + key.length + value.length
    this.reserve(length)
    this.bytes[this.at] = 1
    this.bytes[this.at + 1] = key.length >>> 8
    this.bytes[this.at + 2] = key.length
    this.bytes.set(key, this.at + 3)
    writeU32(this.bytes, this.at + 3 + key.length, value.length)
    this.bytes.set(value, this.at + ENTRY_FRAME_BYTES + key.length)
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
