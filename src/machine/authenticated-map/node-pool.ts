// The nodes of the state tree in columns of pages, versioned so that a snapshot stays readable while the tree changes. Pages are added one by
// one: a column that was copied to grow would hold every replica up at the same slot, the longer the larger its state is.
//
// A node is named by a number: 0 is the empty tree, n > 0 a branch, n < 0 a leaf. Each carries the number of the commit
// that made it ("birth"). A commit may overwrite a node only where no open snapshot can reach it; otherwise it writes a
// new one and the old is kept until the last such snapshot is closed. Memory beyond the current tree is therefore
// bounded by what changed since the oldest open snapshot.

import { copyDigest } from '../../../crypto/index.ts'
import { FAN_OUT, HASH_BYTES } from './hashing.ts'
import type { Text } from './text.ts'

/** 0: empty; positive: a branch; negative: a leaf. */
export type NodeRef = number
export const EMPTY: NodeRef = 0

const PAGE_BITS = 10
const PAGE_NODES = 1 << PAGE_BITS
const IN_PAGE = PAGE_NODES - 1
const NOTHING = '' as Text

interface Page {
  /** 32 bytes a node. */
  readonly hashes: Uint8Array
  /** The commit that made each. */
  readonly births: Uint32Array
}

interface LeafPage extends Page {
  readonly keys: Text[]
  readonly values: Text[]
}

interface BranchPage extends Page {
  /** {@link FAN_OUT} a branch. */
  readonly children: Int32Array
}

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

  private readonly branchPages: BranchPage[] = []
  private readonly freeBranches: NodeRef[] = []
  private branches = 1

  private readonly leafPages: LeafPage[] = []
  private readonly freeLeaves: NodeRef[] = []
  private leaves = 1

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
    return this.leafPage(leaf).keys[-leaf & IN_PAGE] ?? absent(leaf)
  }

  value(leaf: NodeRef): Text {
    return this.leafPage(leaf).values[-leaf & IN_PAGE] ?? absent(leaf)
  }

  child(branch: NodeRef, digit: number): NodeRef {
    return this.branchPage(branch).children[(branch & IN_PAGE) * FAN_OUT + digit] ?? absent(branch)
  }

  /** Copies the 32-byte hash of `node` to `target`; 32 zero bytes for the empty tree. */
  copyHash(node: NodeRef, target: Uint8Array, offset: number): void {
    if (node === EMPTY) {
      target.fill(0, offset, offset + HASH_BYTES)
      return
    }
    copyDigest(this.page(node).hashes, (Math.abs(node) & IN_PAGE) * HASH_BYTES, target, offset)
  }

  /** Without its hash. */
  addLeaf(key: Text, value: Text): NodeRef {
    const leaf = this.freeLeaves.pop() ?? -this.leaves++
    const page = this.leafPages[-leaf >>> PAGE_BITS] ?? added(this.leafPages, newLeafPage())
    const at = -leaf & IN_PAGE
    page.keys[at] = key
    page.values[at] = value
    page.births[at] = this.commit
    return leaf
  }

  /** Without children that mean anything, and without its hash. */
  addBranch(): NodeRef {
    const branch = this.freeBranches.pop() ?? this.branches++
    const page = this.branchPages[branch >>> PAGE_BITS] ?? added(this.branchPages, newBranchPage())
    page.births[branch & IN_PAGE] = this.commit
    return branch
  }

  /** A branch with the children of `branch` that this commit may change: itself, or a copy where a snapshot sees it. */
  writableBranch(branch: NodeRef): NodeRef {
    const { births, children } = this.branchPage(branch)
    const at = branch & IN_PAGE
    if (!this.isSeen(births[at] ?? 0, this.commit)) {
      births[at] = this.commit
      return branch
    }
    const copy = this.addBranch()
    for (let digit = 0; digit < FAN_OUT; digit++) this.setChild(copy, digit, children[at * FAN_OUT + digit] ?? EMPTY)
    this.retire(branch)
    return copy
  }

  setChild(branch: NodeRef, digit: number, child: NodeRef): void {
    this.branchPage(branch).children[(branch & IN_PAGE) * FAN_OUT + digit] = child
  }

  /** `hash` is the 32 bytes from `offset` on. */
  setHash(node: NodeRef, hash: Uint8Array, offset: number): void {
    copyDigest(hash, offset, this.page(node).hashes, (Math.abs(node) & IN_PAGE) * HASH_BYTES)
  }

  /** Gives up a node that the tree no longer holds from commit `death` on. */
  retire(node: NodeRef, death = this.commit): void {
    if (node === EMPTY) return
    if (this.isSeen(this.page(node).births[Math.abs(node) & IN_PAGE] ?? 0, death)) {
      this.retired.push({ node, death })
    } else if (node > 0) {
      this.freeBranches.push(node)
    } else {
      const { keys, values } = this.leafPage(node)
      keys[-node & IN_PAGE] = NOTHING
      values[-node & IN_PAGE] = NOTHING
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

  private page(node: NodeRef): Page {
    return node > 0 ? this.branchPage(node) : this.leafPage(node)
  }

  private leafPage(leaf: NodeRef): LeafPage {
    return this.leafPages[-leaf >>> PAGE_BITS] ?? absent(leaf)
  }

  private branchPage(branch: NodeRef): BranchPage {
    return this.branchPages[branch >>> PAGE_BITS] ?? absent(branch)
  }
}

function newLeafPage(): LeafPage {
  const texts = () => new Array<Text>(PAGE_NODES).fill(NOTHING)
  return { keys: texts(), values: texts(), ...newPage() }
}

function newBranchPage(): BranchPage {
  return { children: new Int32Array(PAGE_NODES * FAN_OUT), ...newPage() }
}

function newPage(): Page {
  return { hashes: new Uint8Array(PAGE_NODES * HASH_BYTES), births: new Uint32Array(PAGE_NODES) }
}

function added<Each>(pages: Each[], page: Each): Each {
  pages.push(page)
  return page
}

function absent(node: NodeRef): never {
  throw new Error(`state tree: no node ${node}`)
}
