// The state tree: brings changes into it in one pass that gives it its new shape, and then hashes what is new: leaves first, and the branches
// above them level by level, all of a level together. Cost: per changed key three hashes (path, value, leaf) and its share of the branches
// above, about log4(keys / changed).

import { copyDigest, HashBatch, hashBatch, sha256, writeKey } from '../../../crypto/index.ts'
import { MAX_TREE_DEPTH } from '../limits.ts'
import { FAN_OUT, HASH_BYTES, type Hash, type StateHasher, stateHasher, TAG } from './hashing.ts'
import { EMPTY, type NodePool, type NodeRef } from './node-pool.ts'
import { Paths } from './paths.ts'
import type { Text } from './text.ts'

export class StateTree {
  private readonly pool: NodePool
  private readonly hasher: StateHasher
  private readonly batch: HashBatch
  /** Of the running `apply`: what each key becomes, undefined where it goes. */
  private keys: readonly Text[] = []
  private values: readonly (Text | undefined)[] = []
  /** Rows from `keys.length` on are leaves that were there and move. */
  private paths = new Paths(0)
  private moved: NodeRef[] = []
  /** New leaves, and the row of each. */
  private newLeaves: NodeRef[] = []
  private newRows: number[] = []
  /** Branches to be hashed, by depth. */
  private touched: NodeRef[][] = []

  constructor(pool: NodePool, hash?: Hash) {
    this.pool = pool
    this.hasher = stateHasher(hash)
    this.batch = hash === undefined || hash === sha256 ? hashBatch : new HashBatch(hash)
  }

  /** The tree `root` after the changes, which name each key once, in any order. Call between `pool.begin` and the next pin. */
  apply(root: NodeRef, keys: readonly Text[], values: readonly (Text | undefined)[]): NodeRef {
    this.keys = keys
    this.values = values
    this.paths = new Paths(2 * keys.length)
    this.hashPaths()
    const rows = this.paths.sorted()
    const tip = this.merge(root, 0, rows, 0, rows.length)
    this.hashLeaves()
    this.hashBranches()
    this.keys = []
    this.values = []
    this.paths = new Paths(0)
    this.moved = []
    return tip
  }

  /** The subtree `node` after the changes of `rows` from `from` to before `to`, in the order of their paths. */
  private merge(node: NodeRef, depth: number, rows: ArrayLike<number>, from: number, to: number): NodeRef {
    if (from === to) return node
    return node > 0 ? this.mergeBranch(node, depth, rows, from, to) : this.mergeLeaf(node, depth, rows, from, to)
  }

  private mergeBranch(node: NodeRef, depth: number, rows: ArrayLike<number>, from: number, to: number): NodeRef {
    const branch = this.pool.writableBranch(node)
    let start = from
    for (let digit = 0; digit < FAN_OUT; digit++) {
      const end = this.paths.endOfDigit(rows, depth, digit, start, to)
      if (end > start) {
        this.pool.setChild(branch, digit, this.merge(this.pool.child(branch, digit), depth + 1, rows, start, end))
      }
      start = end
    }
    return this.finish(branch, depth)
  }

  /** `node` is a leaf or empty: what lives on of it and of the changes forms the new subtree. */
  private mergeLeaf(node: NodeRef, depth: number, rows: ArrayLike<number>, from: number, to: number): NodeRef {
    const { pool, keys, values } = this
    const arrivals: number[] = []
    let kept = node !== EMPTY
    for (let i = from; i < to; i++) {
      const row = rows[i] ?? 0
      const replaces = node !== EMPTY && keys[row] === pool.key(node)
      if (replaces) kept = false
      if (values[row] === undefined) continue
      const unchanged = replaces && values[row] === pool.value(node)
      if (unchanged) kept = true
      else arrivals.push(row)
    }
    if (!kept) pool.retire(node)
    else if (arrivals.length > 0) {
      const row = this.paths.add(this.hasher.path(pool.key(node)))
      this.moved[row - keys.length] = node
      const at = arrivals.findIndex((each) => this.paths.compare(each, row) > 0)
      arrivals.splice(at < 0 ? arrivals.length : at, 0, row)
    } else return node
    return this.build(arrivals, 0, arrivals.length, depth)
  }

  private build(arrivals: readonly number[], from: number, to: number, depth: number): NodeRef {
    const first = arrivals[from]
    if (from === to || first === undefined) return EMPTY
    if (to - from === 1) return this.settle(first)
    if (depth >= MAX_TREE_DEPTH) throw new Error('state tree: two keys with one SHA-256')
    const branch = this.pool.addBranch()
    let start = from
    for (let digit = 0; digit < FAN_OUT; digit++) {
      const end = this.paths.endOfDigit(arrivals, depth, digit, start, to)
      this.pool.setChild(branch, digit, this.build(arrivals, start, end, depth + 1))
      start = end
    }
    return this.finish(branch, depth)
  }

  private settle(row: number): NodeRef {
    const [key, value] = [this.keys[row], this.values[row]]
    if (key === undefined || value === undefined) return this.moved[row - this.keys.length] ?? EMPTY
    const leaf = this.pool.addLeaf(key, value)
    this.newLeaves.push(leaf)
    this.newRows.push(row)
    return leaf
  }

  /** The branch, to be hashed later; it is given up where at most one leaf is left of it. */
  private finish(branch: NodeRef, depth: number): NodeRef {
    let children = 0
    let last: NodeRef = EMPTY
    for (let digit = 0; digit < FAN_OUT; digit++) {
      const child = this.pool.child(branch, digit)
      if (child === EMPTY) continue
      children++
      last = child
    }
    if (children === 0 || (children === 1 && last < 0)) {
      this.pool.retire(branch)
      return last
    }
    while (this.touched.length <= depth) this.touched.push([])
    this.touched[depth]?.push(branch)
    return branch
  }

  private hashPaths(): void {
    const { batch, keys, paths } = this
    batch.into(paths.room(keys.length), () => {
      for (const key of keys) this.add(TAG.key, key)
    })
  }

  private hashLeaves(): void {
    const { batch, newLeaves, newRows, values } = this
    const hashes = new Uint8Array(newLeaves.length * HASH_BYTES)
    batch.into(hashes, () => {
      for (const row of newRows) this.add(TAG.value, values[row] ?? ('' as Text))
    })
    this.hashInto(newLeaves, (i) => {
      const at = batch.begin(TAG.leaf, 2 * HASH_BYTES)
      copyDigest(this.paths.bytes, (newRows[i] ?? 0) * HASH_BYTES, batch.bytes, at)
      copyDigest(hashes, i * HASH_BYTES, batch.bytes, at + HASH_BYTES)
    })
    this.newLeaves = []
    this.newRows = []
  }

  private hashBranches(): void {
    const { batch, pool } = this
    for (let level = this.touched.pop(); level !== undefined; level = this.touched.pop()) {
      const branches = level
      this.hashInto(branches, (i) => {
        const at = batch.begin(TAG.branch, FAN_OUT * HASH_BYTES)
        for (let digit = 0; digit < FAN_OUT; digit++) {
          pool.copyHash(pool.child(branches[i] ?? EMPTY, digit), batch.bytes, at + digit * HASH_BYTES)
        }
      })
    }
  }

  private add(tag: number, content: Text): void {
    const at = this.batch.begin(tag, content.length)
    writeKey(content, this.batch.bytes, at)
  }

  /** Gives each node the hash of what `add` adds for it. */
  private hashInto(nodes: readonly NodeRef[], add: (i: number) => void): void {
    let next = 0
    this.batch.run(
      (digests, count) => {
        for (let i = 0; i < count; i++) this.pool.setHash(nodes[next++] ?? EMPTY, digests, i * HASH_BYTES)
      },
      () => {
        for (let i = 0; i < nodes.length; i++) add(i)
      },
    )
  }
}
