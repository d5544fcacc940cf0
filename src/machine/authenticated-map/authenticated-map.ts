// The state as users of this folder see it: an ordered map of byte strings with a root hash, proofs and snapshots.
//
// Two structures hold one content. The ordered index is always current and answers reads; changed keys are noted beside
// it. `commit` carries them into the hashed tree, which therefore stands at the last commit (a checkpoint) while the
// index runs ahead; `commitSome` brings it a part of the way there. Docs: docs/decisions/002-state-root.md.

import { type Digest, digest } from '../../../crypto/index.ts'
import { MAX_OPEN_SNAPSHOTS } from '../limits.ts'
import { FIRST_PATH } from './chunk.ts'
import { HASH_BYTES, type Hash, type StateHasher, stateHasher } from './hashing.ts'
import { KeyOrder } from './key-order.ts'
import { ChunkLoader } from './load-chunk.ts'
import { EMPTY, NodePool, type NodeRef } from './node-pool.ts'
import { OrderedIndex } from './ordered-index.ts'
import { leafAt, proveState } from './prove.ts'
import { sealChunk } from './sealed-chunk.ts'
import { StateTree } from './state-tree.ts'
import { type Text, toBytes, toText } from './text.ts'
import { type WrittenChunk, writeChunk } from './write-chunk.ts'

/** The content at one commit. It stays as it is, whatever the map does, until it is closed. */
export interface MapSnapshot {
  readonly root: Digest
  /** The value of `key`, or undefined. */
  get(key: Uint8Array): Uint8Array | undefined
  /** A proof for `verifyStateProof`, of presence or absence. */
  prove(key: Uint8Array): Uint8Array
  /** The chunk that begins at the path `from`; see `verifyChunk`. The first begins at {@link FIRST_PATH}. */
  chunk(from: Uint8Array): WrittenChunk
  /** All chunks in order. */
  chunks(): Generator<Uint8Array>
  /** The same, sealed for one's own disk: see sealed-chunk.ts. */
  sealedChunks(): Generator<Uint8Array>
  /** Gives up what is kept for this snapshot alone; it must not be used any more. Idempotent. */
  close(): void
}

/** Keys brought into the tree in one go. */
const MAX_COMMIT_KEYS = 2 ** 17

export class AuthenticatedMap {
  private readonly index = new OrderedIndex()
  private readonly pool = new NodePool()
  private readonly hasher: StateHasher
  private readonly tree: StateTree
  private tip: NodeRef = EMPTY
  private open = 0
  /** Keys changed since the last commit, with what they now hold. */
  private changed = new Map<Text, Text | undefined>()
  /** What was loaded and is not in the index yet. */
  private loaded: KeyOrder | undefined

  constructor(hash?: Hash) {
    this.hasher = stateHasher(hash)
    this.tree = new StateTree(this.pool, hash)
  }

  /** Keys in the map. */
  get size(): number {
    return this.index.size
  }

  /** Keys that the next commit has to look at. */
  get uncommitted(): number {
    return this.changed.size
  }

  /** Nodes that only open snapshots still need. */
  get keptNodes(): number {
    return this.pool.kept
  }

  get(key: Text): Text | undefined {
    return this.index.get(key)
  }

  /** Puts `value`, or deletes `key` where it is undefined; returns the value before. */
  set(key: Text, value: Text | undefined): Text | undefined {
    this.changed.set(key, value)
    return this.index.set(key, value)
  }

  /** Visits the entries from `start` on and before `end` in the order of the key bytes, until `visit` returns false. */
  scan(start: Text, end: Text | undefined, visit: (key: Text, value: Text) => boolean): void {
    this.index.scan(start, end, visit)
  }

  /** Brings the root up to date; costs in proportion to the keys changed since the last call. */
  commit(): Digest {
    while (this.changed.size > 0) this.commitSome(MAX_COMMIT_KEYS)
    return this.root()
  }

  /** Does a part of it: at most `limit` of the keys, those that were changed first. */
  commitSome(limit: number): void {
    const { changed } = this
    const keys: Text[] = []
    const values: (Text | undefined)[] = []
    if (Math.min(limit, MAX_COMMIT_KEYS) >= changed.size) this.changed = new Map()
    for (const [key, value] of changed) {
      if (keys.length >= Math.min(limit, MAX_COMMIT_KEYS)) break
      keys.push(key)
      values.push(value)
      if (changed === this.changed) changed.delete(key)
    }
    if (keys.length === 0) return
    this.pool.begin()
    this.tip = this.tree.apply(this.tip, keys, values)
  }

  /**
   * Commits and opens the content as it is now.
   * @throws {Error} with {@link MAX_OPEN_SNAPSHOTS} open: a caller forgot to close them.
   */
  snapshot(): MapSnapshot {
    if (this.open >= MAX_OPEN_SNAPSHOTS) throw new Error(`snapshot: ${MAX_OPEN_SNAPSHOTS} are open already`)
    const root = this.commit()
    const { pool, hasher, tip } = this
    const pin = pool.pin()
    let closed = false
    this.open++
    const reading = (): NodeRef => {
      if (closed) throw new Error('snapshot: used after it was closed')
      return tip
    }
    const chunk = (from: Uint8Array) => writeChunk(pool, reading(), from, hasher)
    return {
      root,
      get(key) {
        const leaf = leafAt(pool, reading(), hasher.path(key))
        return leaf !== EMPTY && pool.key(leaf) === toText(key) ? toBytes(pool.value(leaf)) : undefined
      },
      prove: (key) => proveState(pool, reading(), hasher.path(key), hasher),
      chunk,
      chunks: () => allChunks(chunk),
      sealedChunks: () => allChunks((from) => sealChunk(writeChunk(pool, reading(), from, hasher, true))),
      close: () => {
        if (closed) return
        closed = true
        this.open--
        pool.unpin(pin)
      },
    }
  }

  /** Adds what a proven chunk holds, with the hashes of its nodes; only `MapRestoration` calls it. Returns the key of the last entry. */
  load(chunk: Uint8Array, hashes: Uint8Array): Text | undefined {
    this.pool.begin()
    const loader = new ChunkLoader(this.pool, chunk, hashes)
    this.tip = loader.load(this.tip)
    this.loaded ??= new KeyOrder(this.pool)
    for (const leaf of loader.leaves) this.loaded.add(leaf)
    const last = loader.leaves.at(-1)
    return last === undefined ? undefined : this.pool.key(last)
  }

  /** Everything is loaded: from here on the map is like any other. */
  endLoad(): void {
    if (this.loaded !== undefined) this.index.fill(this.loaded.entries())
    this.loaded = undefined
  }

  private root(): Digest {
    const root = new Uint8Array(HASH_BYTES)
    this.pool.copyHash(this.tip, root, 0)
    return digest(root)
  }
}

function* allChunks(chunk: (from: Uint8Array) => WrittenChunk): Generator<Uint8Array> {
  for (let from: Uint8Array | undefined = FIRST_PATH; from !== undefined; ) {
    const { bytes, next }: WrittenChunk = chunk(from)
    yield bytes
    from = next
  }
}
