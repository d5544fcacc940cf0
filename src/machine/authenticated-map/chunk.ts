// Snapshot chunks: consecutive entries of the state in the order of their paths, each chunk verifiable on its own
// against the state root before anything of it is used (pitfall P57). Where a chunk ends follows from the root and its
// first path alone, so every honest peer sends the same bytes, and nobody can hand out a snapshot in crumbs.
//
//   from      32 bytes: the chunk holds the entries with this path and above
//   final     1 byte: 1 where nothing follows, else 0
//   root      1 byte: the kind of the root node
//   tree      the nodes in depth-first order, by kind:
//               0 empty    nothing
//               1 pruned   32 bytes: the hash of a subtree that lies wholly outside of the chunk
//               2 leaf     1 byte, 0: path and value hash (32 each), of the entry before `from` on the way to it
//                          1 byte, 1: key length (u16), key, value length (u32), value
//               3 branch   1 byte: kinds of the four children, two bits each, child 0 lowest; then the children
//
// The chunk is full when its entries and branches from `from` on reach CHUNK_BYTES; everything after is pruned.

import { compareBytes, equalBytes, failure, type Result, readU32, success } from '../../../crypto/index.ts'
import { CHUNK_BYTES, MAX_CHUNK_BYTES, MAX_KEY_BYTES, MAX_TREE_DEPTH, MAX_VALUE_BYTES } from '../limits.ts'
import {
  comparePrefix,
  digitAt,
  EMPTY_HASH,
  FAN_OUT,
  HASH_BYTES,
  type Hash,
  pathAfter,
  type StateHasher,
  setDigit,
  stateHasher,
} from './hashing.ts'

export const KIND_EMPTY = 0
export const KIND_PRUNED = 1
export const KIND_LEAF = 2
export const KIND_BRANCH = 3
/** Bytes of an entry beside its key and value. */
export const ENTRY_FRAME_BYTES = 1 + 2 + 4
export const CHUNK_HEADER_BYTES = HASH_BYTES + 1
/** The path to begin a snapshot from. */
export const FIRST_PATH: Uint8Array = EMPTY_HASH

export interface StateChunk {
  /** Number of entries. */
  readonly entries: number
  /** The hashes of the entries and branches, 32 bytes each, as they are complete: of a branch after those of its children. */
  readonly hashes: Uint8Array
  /** Where the next chunk begins; undefined after the last. */
  readonly next: Uint8Array | undefined
}

/**
 * Why a chunk is refused. `start`: it begins elsewhere than asked. `root`: honest perhaps, but for another state. The
 * others no honest peer sends. `seal`: of one's own, damaged on the disk.
 */
export type ChunkFault = 'size' | 'start' | 'malformed' | 'gap' | 'end' | 'root' | 'seal'

/** What the chunk that begins at the path `from` adds to the state with `root`. Never throws. */
export function verifyChunk(
  root: Uint8Array,
  from: Uint8Array,
  bytes: Uint8Array,
  hash?: Hash,
): Result<StateChunk, ChunkFault> {
  if (bytes.length > MAX_CHUNK_BYTES || bytes.length < CHUNK_HEADER_BYTES + 1) return failure('size')
  if (!equalBytes(bytes.subarray(0, HASH_BYTES), from)) return failure('start')
  const reader = new ChunkReader(bytes, from, stateHasher(hash))
  const computed = new Uint8Array(HASH_BYTES)
  reader.node(bytes[CHUNK_HEADER_BYTES] ?? KIND_EMPTY, 0, 0, computed, 0)
  if (reader.fault !== undefined) return failure(reader.fault)
  if (reader.at !== bytes.length) return failure('malformed')
  if (bytes[HASH_BYTES] !== (reader.closed ? 0 : 1)) return failure('end')
  if (!equalBytes(computed, root)) return failure('root')
  const next = reader.closed && reader.last !== undefined ? pathAfter(reader.last) : undefined
  return success({ entries: reader.entries, hashes: reader.hashes.subarray(0, reader.hashed), next })
}

class ChunkReader {
  at = CHUNK_HEADER_BYTES + 1
  fault: ChunkFault | undefined
  /** True once a subtree at or after `from` was pruned. */
  closed = false
  entries = 0
  /** The path of the last entry. */
  last: Uint8Array | undefined
  hashes: Uint8Array
  hashed = 0
  private filled = 0
  private readonly bytes: Uint8Array
  private readonly from: Uint8Array
  private readonly hasher: StateHasher
  /** The digits on the way to the current node. */
  private readonly position = new Uint8Array(HASH_BYTES)
  /** The children's hashes of the branches on that way. */
  private readonly children: Uint8Array[] = []

  constructor(bytes: Uint8Array, from: Uint8Array, hasher: StateHasher) {
    this.bytes = bytes
    this.from = from
    this.hasher = hasher
    this.hashes = new Uint8Array(bytes.length)
  }

  /**
   * Reads a node and writes its hash to `target`; after a fault that means nothing. `side` tells where the subtree is: below 0 before
   * `from`, 0 where `from` leads into it, above 0 after.
   */
  node(kind: number, depth: number, side: number, target: Uint8Array, offset: number): void {
    if (this.fault !== undefined || kind === KIND_EMPTY) target.fill(0, offset, offset + HASH_BYTES)
    else if (kind === KIND_PRUNED) target.set(this.pruned(side), offset)
    else if (side < 0 || this.closed || this.filled >= CHUNK_BYTES) this.refuse('gap')
    else if (kind === KIND_LEAF) target.set(this.leaf(side, depth), offset)
    else if (kind === KIND_BRANCH) target.set(this.branch(depth, side), offset)
    else this.refuse('malformed')
  }

  private pruned(side: number): Uint8Array {
    const hash = this.take(HASH_BYTES)
    if (equalBytes(hash, EMPTY_HASH)) return this.refuse('malformed')
    if (side >= 0 && this.filled < CHUNK_BYTES) return this.refuse('gap')
    if (side >= 0) this.closed = true
    return hash
  }

  private branch(depth: number, side: number): Uint8Array {
    const kinds = this.bytes[this.at++] ?? 0
    if (kinds === 0 || depth >= MAX_TREE_DEPTH) return this.refuse('malformed')
    this.filled++
    const children = this.childrenAt(depth)
    for (let digit = 0; digit < FAN_OUT; digit++) {
      setDigit(this.position, depth, digit)
      const childSide = side !== 0 ? side : digit - digitAt(this.from, depth)
      this.node((kinds >>> (2 * digit)) & 3, depth + 1, childSide, children, digit * HASH_BYTES)
    }
    setDigit(this.position, depth, 0)
    return this.fault === undefined ? this.note(this.hasher.branch(children)) : EMPTY_HASH
  }

  private leaf(side: number, depth: number): Uint8Array {
    const mark = this.take(1)[0]
    if (mark === 1) return this.entry(side, depth)
    const path = this.take(HASH_BYTES)
    const valueHash = this.take(HASH_BYTES)
    if (this.fault !== undefined) return EMPTY_HASH
    const before = side === 0 && comparePrefix(path, this.position, depth) === 0 && compareBytes(path, this.from) < 0
    return mark === 0 && before ? this.hasher.leaf(path, valueHash) : this.refuse('malformed')
  }

  private entry(side: number, depth: number): Uint8Array {
    const [high = 0, low = 0] = this.take(2)
    const keyLength = high * 256 + low
    if (keyLength > MAX_KEY_BYTES) return this.refuse('malformed')
    const key = this.take(keyLength)
    const valueLength = readU32(this.take(4), 0)
    if (valueLength > MAX_VALUE_BYTES) return this.refuse('malformed')
    const value = this.take(valueLength)
    if (this.fault !== undefined) return EMPTY_HASH
    const path = this.hasher.path(key)
    const isHere = comparePrefix(path, this.position, depth) === 0
    if (!isHere || (side === 0 && compareBytes(path, this.from) < 0)) return this.refuse('malformed')
    this.filled += ENTRY_FRAME_BYTES + keyLength + valueLength
    this.entries++
    this.last = path
    return this.note(this.hasher.leaf(path, this.hasher.value(value)))
  }

  private note(hash: Uint8Array): Uint8Array {
    if (this.hashed + HASH_BYTES > this.hashes.length) {
      const wider = new Uint8Array(2 * this.hashes.length + HASH_BYTES)
      wider.set(this.hashes)
      this.hashes = wider
    }
    this.hashes.set(hash, this.hashed)
    this.hashed += HASH_BYTES
    return hash
  }

  private childrenAt(depth: number): Uint8Array {
    const known = this.children[depth]
    if (known !== undefined) return known
    const made = new Uint8Array(FAN_OUT * HASH_BYTES)
    this.children[depth] = made
    return made
  }

  private take(count: number): Uint8Array {
    const end = this.at + count
    if (end > this.bytes.length) this.refuse('malformed')
    const taken = this.bytes.subarray(this.at, end)
    this.at = end
    return taken
  }

  private refuse(fault: ChunkFault): Uint8Array {
    this.fault ??= fault
    return EMPTY_HASH
  }
}
