// The nodes of the state tree in flat columns, versioned so that a snapshot stays readable while the tree changes.
//
// A node is named by a number: 0 is the empty tree, n > 0 a branch, n < 0 a leaf. Each carries the number of the commit
// that made it ("birth"). A commit may overwrite a node only where no open snapshot can reach it; otherwise it writes a
// new one and the old is kept until the last such snapshot is closed. Memory beyond the current tree is therefore
// bounded by what changed since the oldest open snapshot.

import { FAN_OUT, HASH_BYTES } from './hashing.ts'
import type { Text } from './text.ts'

/** 0: empty; positive: a branch; negative: a leaf. */
export type NodeRef = number
export const EMPTY: NodeRef = 0

interface Retired {
  readonly node: NodeRef
  /** The commit from which on the tree no longer holds the node. */
  readonly death: number
}

export class NodePool {
  /** The number of the commit that is being made or was made last. */
  private commit = 0
  private readonly open: number[] = []
  private retired: Retired[] = []

  private children = new Int32Array(0)
  private branchHashes = new Uint8Array(0)
  private branchBirths = new Uint32Array(0)
  private readonly freeBranches: NodeRef[] = []
  private branches = 1

  private readonly keys: Text[] = ['' as Text]
  private readonly values: Text[] = ['' as Text]
  private leafHashes = new Uint8Array(0)
  private leafBirths = new Uint32Array(0)
  private readonly freeLeaves: NodeRef[] = []

  /** Begins a commit: from here on nodes that an open snapshot sees are copied, not changed. */
  begin(): void {
    this.commit++
  }

  /** Keeps the tree as the last commit left it; the number is for {@link unpin}. */
  pin(): number {
    this.open.push(this.commit)
    return this.commit
  }

  unpin(commit: number): void {
    this.open.splice(this.open.indexOf(commit), 1)
    const waiting = this.retired
    this.retired = []
    for (const { node, death } of waiting) this.retire(node, death)
  }

  key(leaf: NodeRef): Text {
    return this.keys[-leaf] ?? absent(leaf)
  }

  value(leaf: NodeRef): Text {
    return this.values[-leaf] ?? absent(leaf)
  }

  child(branch: NodeRef, digit: number): NodeRef {
    return this.children[branch * FAN_OUT + digit] ?? absent(branch)
  }

  /** Copies the 32-byte hash of `node` to `target`; 32 zero bytes for the empty tree. */
  copyHash(node: NodeRef, target: Uint8Array, offset: number): void {
    if (node === EMPTY) {
      target.fill(0, offset, offset + HASH_BYTES)
      return
    }
    const source = node > 0 ? this.branchHashes : this.leafHashes
    copyHash(source, Math.abs(node) * HASH_BYTES, target, offset)
  }

  /** `hash` is the 32 bytes from `offset` on. */
  addLeaf(key: Text, value: Text, hash: Uint8Array, offset = 0): NodeRef {
    const leaf = this.freeLeaves.pop() ?? -this.keys.length
    if (-leaf * HASH_BYTES >= this.leafHashes.length) this.growLeaves(-leaf)
    this.keys[-leaf] = key
    this.values[-leaf] = value
    copyHash(hash, offset, this.leafHashes, -leaf * HASH_BYTES)
    this.leafBirths[-leaf] = this.commit
    return leaf
  }

  addBranch(): NodeRef {
    const branch = this.freeBranches.pop() ?? this.branches++
    if (branch * HASH_BYTES >= this.branchHashes.length) this.growBranches(branch)
    this.branchBirths[branch] = this.commit
    return branch
  }

  /** A branch with the children of `branch` that this commit may change: itself, or a copy where a snapshot sees it. */
  writableBranch(branch: NodeRef): NodeRef {
    if (!this.isSeen(this.branchBirths[branch] ?? 0, this.commit)) {
      this.branchBirths[branch] = this.commit
      return branch
    }
    const copy = this.addBranch()
    this.children.copyWithin(copy * FAN_OUT, branch * FAN_OUT, (branch + 1) * FAN_OUT)
    this.retire(branch)
    return copy
  }

  setChild(branch: NodeRef, digit: number, child: NodeRef): void {
    this.children[branch * FAN_OUT + digit] = child
  }

  /** `hash` is the 32 bytes from `offset` on. */
  setBranchHash(branch: NodeRef, hash: Uint8Array, offset = 0): void {
    copyHash(hash, offset, this.branchHashes, branch * HASH_BYTES)
  }

  /** Gives up a node that the tree no longer holds from commit `death` on. */
  retire(node: NodeRef, death = this.commit): void {
    if (node === EMPTY) return
    const births = node > 0 ? this.branchBirths : this.leafBirths
    if (this.isSeen(births[Math.abs(node)] ?? 0, death)) {
      this.retired.push({ node, death })
    } else if (node > 0) {
      this.freeBranches.push(node)
    } else {
      this.keys[-node] = '' as Text
      this.values[-node] = '' as Text
      this.freeLeaves.push(node)
    }
  }

  /** Nodes kept only for open snapshots. */
  get kept(): number {
    return this.retired.length
  }

  private isSeen(birth: number, death: number): boolean {
    for (const commit of this.open) if (birth <= commit && commit < death) return true
    return false
  }

  private growLeaves(least: number): void {
    const capacity = grown(least)
    this.leafHashes = widened(new Uint8Array(capacity * HASH_BYTES), this.leafHashes)
    this.leafBirths = widened(new Uint32Array(capacity), this.leafBirths)
  }

  private growBranches(least: number): void {
    const capacity = grown(least)
    this.children = widened(new Int32Array(capacity * FAN_OUT), this.children)
    this.branchHashes = widened(new Uint8Array(capacity * HASH_BYTES), this.branchHashes)
    this.branchBirths = widened(new Uint32Array(capacity), this.branchBirths)
  }
}

function copyHash(source: Uint8Array, from: number, target: Uint8Array, to: number): void {
  for (let i = 0; i < HASH_BYTES; i++) target[to + i] = source[from + i] ?? 0
}

function grown(least: number): number {
  return Math.max(1024, Math.ceil(least * 1.5))
}

function widened<Column extends Int32Array | Uint32Array | Uint8Array>(target: Column, source: Column): Column {
  target.set(source)
  return target
}

function absent(node: NodeRef): never {
  throw new Error(`state tree: no node ${node}`)
}
