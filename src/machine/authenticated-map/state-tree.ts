// The state tree: applies the changes since the last commit in one pass that touches and hashes each changed branch
// once. Cost: per changed key three hashes (path, value, leaf) and its share of the branches above, about log4(keys /
// changed).

import { MAX_TREE_DEPTH } from '../limits.ts'
import { FAN_OUT, HASH_BYTES, type StateHasher } from './hashing.ts'
import { EMPTY, type NodePool, type NodeRef } from './node-pool.ts'
import { type Text, toText } from './text.ts'

/** What one key becomes. */
export interface Change {
  readonly key: Text
  /** Undefined where the key goes. */
  readonly value: Text | undefined
  /** SHA-256 of the key as text: small, and compared fast. */
  readonly path: Text
}

/** A leaf or a change on its way to a place in a subtree that is being built. */
interface Arrival {
  readonly path: Text
  readonly change: Change | undefined
  readonly leaf: NodeRef
}

export class StateTree {
  private readonly pool: NodePool
  private readonly hasher: StateHasher
  private readonly childHashes = new Uint8Array(FAN_OUT * HASH_BYTES)

  constructor(pool: NodePool, hasher: StateHasher) {
    this.pool = pool
    this.hasher = hasher
  }

  /**
   * The tree `root` after `changes`, which name each key once, in any order. Call between `pool.begin` and the next
   * pin.
   */
  apply(root: NodeRef, changes: readonly Change[]): NodeRef {
    return this.merge(root, 0, sortedByPath(changes))
  }

  private merge(node: NodeRef, depth: number, changes: readonly Change[]): NodeRef {
    if (changes.length === 0) return node
    return node > 0 ? this.mergeBranch(node, depth, changes) : this.mergeLeaf(node, depth, changes)
  }

  private mergeBranch(node: NodeRef, depth: number, changes: readonly Change[]): NodeRef {
    const branch = this.pool.writableBranch(node)
    let from = 0
    for (let digit = 0; digit < FAN_OUT; digit++) {
      const to = endOfDigit(changes, depth, digit, from)
      if (to > from) {
        const part = to - from === changes.length ? changes : changes.slice(from, to)
        this.pool.setChild(branch, digit, this.merge(this.pool.child(branch, digit), depth + 1, part))
      }
      from = to
    }
    return this.finish(branch)
  }

  /** `node` is a leaf or empty: what lives on of it and of the changes forms the new subtree. */
  private mergeLeaf(node: NodeRef, depth: number, changes: readonly Change[]): NodeRef {
    const arrivals: Arrival[] = []
    let kept = node !== EMPTY
    for (const change of changes) {
      const replaces = node !== EMPTY && change.key === this.pool.key(node)
      if (replaces) kept = false
      if (change.value === undefined) continue
      const unchanged = replaces && change.value === this.pool.value(node)
      if (unchanged) kept = true
      else arrivals.push({ path: change.path, change, leaf: EMPTY })
    }
    if (!kept) this.pool.retire(node)
    else if (arrivals.length > 0) {
      const path = toText(this.hasher.path(this.pool.key(node)))
      insertByPath(arrivals, { path, change: undefined, leaf: node })
    } else return node
    return this.build(arrivals, depth)
  }

  private build(arrivals: readonly Arrival[], depth: number): NodeRef {
    const [first] = arrivals
    if (first === undefined) return EMPTY
    if (arrivals.length === 1) return this.settle(first)
    if (depth >= MAX_TREE_DEPTH) throw new Error('state tree: two keys with one SHA-256')
    const branch = this.pool.addBranch()
    let from = 0
    for (let digit = 0; digit < FAN_OUT; digit++) {
      const to = endOfDigit(arrivals, depth, digit, from)
      this.pool.setChild(branch, digit, to > from ? this.build(arrivals.slice(from, to), depth + 1) : EMPTY)
      from = to
    }
    return this.finish(branch)
  }

  private settle({ path, change, leaf }: Arrival): NodeRef {
    if (change?.value === undefined) return leaf
    const hash = this.hasher.leaf(path, this.hasher.value(change.value))
    return this.pool.addLeaf(change.key, change.value, hash)
  }

  /** Hashes the branch, or gives it up where at most one leaf is left of it. */
  private finish(branch: NodeRef): NodeRef {
    let children = 0
    let last: NodeRef = EMPTY
    for (let digit = 0; digit < FAN_OUT; digit++) {
      const child = this.pool.child(branch, digit)
      this.pool.copyHash(child, this.childHashes, digit * HASH_BYTES)
      if (child === EMPTY) continue
      children++
      last = child
    }
    if (children === 0 || (children === 1 && last < 0)) {
      this.pool.retire(branch)
      return last
    }
    this.pool.setBranchHash(branch, this.hasher.branch(this.childHashes))
    return branch
  }
}

/** Where the run of items whose digit at `depth` is `digit` ends, from `from` on. */
function endOfDigit(items: readonly { readonly path: Text }[], depth: number, digit: number, from: number): number {
  const [at, shift] = [depth >>> 2, 6 - 2 * (depth & 3)]
  let to = from
  for (let item = items[to]; item !== undefined && ((item.path.charCodeAt(at) >>> shift) & 3) === digit; )
    item = items[++to]
  return to
}

function insertByPath(arrivals: Arrival[], arrival: Arrival): void {
  const at = arrivals.findIndex(({ path }) => path > arrival.path)
  arrivals.splice(at < 0 ? arrivals.length : at, 0, arrival)
}

function sortedByPath(changes: readonly Change[]): readonly Change[] {
  return changes.toSorted((a, b) => (a.path < b.path ? -1 : 1))
}
