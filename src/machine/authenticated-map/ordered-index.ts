// The current content in the order of its keys: a B+-tree from binary text to binary text, for lookups and ranges. It
// is not hashed; the state tree beside it is. Its shape may depend on history, its answers don't.

import type { Text } from './text.ts'

export interface Entry {
  readonly key: Text
  readonly value: Text
}

interface Leaf {
  readonly keys: Text[]
  readonly values: Text[]
}

/** `children[i]` holds the keys from `keys[i - 1]` on and below `keys[i]`. */
interface Branch {
  readonly keys: Text[]
  readonly children: Node[]
}

type Node = Leaf | Branch

interface Split {
  readonly key: Text
  readonly right: Node
}

/** Entries of a leaf, or children of a branch, at most. */
const WIDTH = 64
/** So many are given to each at first, so that what comes later does not split them all. */
const FILLED = 48

interface Filled {
  /** The first key below the node. */
  readonly first: Text
  readonly node: Node
}

export class OrderedIndex {
  private root: Node = { keys: [], values: [] }
  private entries = 0
  /** What the running `set` replaced. */
  private replaced: Text | undefined
  /** Where the key that was looked up last stands, or would: it is often the next to be put. */
  private soughtKey: Text | undefined
  private soughtLeaf: Leaf = { keys: [], values: [] }
  private soughtAt = 0

  get size(): number {
    return this.entries
  }

  get(key: Text): Text | undefined {
    let node = this.root
    while ('children' in node) node = childAt(node, upperBound(node.keys, key))
    const at = lowerBound(node.keys, key)
    this.soughtKey = key
    this.soughtLeaf = node
    this.soughtAt = at
    return node.keys[at] === key ? node.values[at] : undefined
  }

  /** Puts `value`, or deletes where it is undefined; returns what stood there before. */
  set(key: Text, value: Text | undefined): Text | undefined {
    this.replaced = undefined
    if (value !== undefined && key === this.soughtKey && this.soughtLeaf.keys.length < WIDTH) {
      this.putAt(this.soughtLeaf, this.soughtAt, key, value)
      if (this.replaced === undefined) this.entries++
      return this.replaced
    }
    this.soughtKey = undefined
    if (value === undefined) {
      this.remove(this.root, key)
      if (this.replaced !== undefined) this.entries--
      while ('children' in this.root && this.root.children.length <= 1) {
        this.root = this.root.children[0] ?? { keys: [], values: [] }
      }
      return this.replaced
    }
    const split = this.insert(this.root, key, value, true)
    if (split !== undefined) this.root = { keys: [split.key], children: [this.root, split.right] }
    if (this.replaced === undefined) this.entries++
    return this.replaced
  }

  /**
   * The entries from `start` on and before `end`, in order; `visit` returns false to stop, and must not change the
   * index.
   */
  scan(start: Text, end: Text | undefined, visit: (key: Text, value: Text) => boolean): void {
    scanNode(this.root, start, end, visit)
  }

  /** Takes entries in the order of their keys, which are all different. Requires that it is empty. */
  fill(entries: Iterable<Entry>): void {
    this.soughtKey = undefined
    let level: Filled[] = []
    let leaf: Leaf = { keys: [], values: [] }
    for (const { key, value } of entries) {
      if (leaf.keys.length === 0 || leaf.keys.length >= FILLED) {
        leaf = { keys: [], values: [] }
        level.push({ first: key, node: leaf })
      }
      leaf.keys.push(key)
      leaf.values.push(value)
      this.entries++
    }
    while (level.length > 1) level = branchesOver(level)
    this.root = level[0]?.node ?? this.root
  }

  /** A node that loses its last entry leaves the tree; nodes that are merely thin are left alone. */
  private remove(node: Node, key: Text): void {
    if (!('children' in node)) {
      const at = lowerBound(node.keys, key)
      if (node.keys[at] !== key) return
      this.replaced = node.values[at]
      node.keys.splice(at, 1)
      node.values.splice(at, 1)
      return
    }
    const at = upperBound(node.keys, key)
    const child = childAt(node, at)
    this.remove(child, key)
    if (('children' in child ? child.children : child.keys).length > 0) return
    node.children.splice(at, 1)
    node.keys.splice(Math.max(at - 1, 0), 1)
  }

  private insert(node: Node, key: Text, value: Text, rightmost: boolean): Split | undefined {
    if (!('children' in node)) return this.insertIntoLeaf(node, key, value, rightmost)
    const at = upperBound(node.keys, key)
    const last = at === node.children.length - 1
    const split = this.insert(childAt(node, at), key, value, rightmost && last)
    if (split === undefined) return undefined
    node.keys.splice(at, 0, split.key)
    node.children.splice(at + 1, 0, split.right)
    return node.children.length > WIDTH ? splitBranch(node, rightmost && last) : undefined
  }

  private insertIntoLeaf(leaf: Leaf, key: Text, value: Text, rightmost: boolean): Split | undefined {
    const at = lowerBound(leaf.keys, key)
    this.putAt(leaf, at, key, value)
    return leaf.keys.length > WIDTH ? splitLeaf(leaf, rightmost && at === leaf.keys.length - 1) : undefined
  }

  private putAt(leaf: Leaf, at: number, key: Text, value: Text): void {
    if (leaf.keys[at] === key) {
      this.replaced = leaf.values[at]
      leaf.values[at] = value
    } else {
      leaf.keys.splice(at, 0, key)
      leaf.values.splice(at, 0, value)
    }
  }
}

function branchesOver(level: readonly Filled[]): Filled[] {
  const branches: Filled[] = []
  for (let from = 0; from < level.length; from += FILLED) {
    const part = level.slice(from, from + FILLED)
    const [head] = part
    if (head === undefined) break
    const keys = part.slice(1).map(({ first }) => first)
    branches.push({ first: head.first, node: { keys, children: part.map(({ node }) => node) } })
  }
  return branches
}

function scanNode(node: Node, start: Text, end: Text | undefined, visit: (key: Text, value: Text) => boolean): boolean {
  if ('children' in node) {
    for (let at = upperBound(node.keys, start); at < node.children.length; at++) {
      if (!scanNode(childAt(node, at), start, end, visit)) return false
    }
    return true
  }
  for (let at = lowerBound(node.keys, start); at < node.keys.length; at++) {
    const key = node.keys[at]
    const value = node.values[at]
    if (key === undefined || value === undefined || (end !== undefined && key >= end)) return false
    if (!visit(key, value)) return false
  }
  return true
}

/** Keys that arrive in ascending order leave full nodes behind; others split in the middle. */
function splitLeaf(leaf: Leaf, ascending: boolean): Split {
  const from = ascending ? leaf.keys.length - 1 : leaf.keys.length >>> 1
  const right: Leaf = { keys: leaf.keys.splice(from), values: leaf.values.splice(from) }
  return { key: right.keys[0] ?? unreachable(), right }
}

function splitBranch(branch: Branch, ascending: boolean): Split {
  const from = ascending ? branch.children.length - 1 : branch.children.length >>> 1
  const right: Branch = { keys: branch.keys.splice(from), children: branch.children.splice(from) }
  return { key: branch.keys.pop() ?? unreachable(), right }
}

function childAt(branch: Branch, at: number): Node {
  return branch.children[at] ?? unreachable()
}

/** Position of the first key not below `key`. */
function lowerBound(keys: readonly Text[], key: Text): number {
  let low = 0
  let high = keys.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((keys[middle] ?? key) < key) low = middle + 1
    else high = middle
  }
  return low
}

/** Position of the first key above `key`. */
function upperBound(keys: readonly Text[], key: Text): number {
  let low = 0
  let high = keys.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((keys[middle] ?? key) <= key) low = middle + 1
    else high = middle
  }
  return low
}

function unreachable(): never {
  throw new Error('ordered index: broken shape')
}
