// How the state is hashed. The state is a tree over the SHA-256 of its keys ("paths"), four children a branch:
//
//   path(key)        SHA-256(0x22 || key)
//   leaf             SHA-256(0x20 || path || SHA-256(0x23 || value))
//   branch           SHA-256(0x21 || child 0 || child 1 || child 2 || child 3)
//   empty            32 zero bytes
//
// At depth d a branch follows bits 2d and 2d + 1 of the path, most significant first. A subtree without keys is empty,
// one with a single key is that key's leaf, wherever it stands, and any other is a branch. So the root is a function of
// the content alone. The first bytes differ from one another and from those of RFC 6962 (0x00, 0x01): nothing hashed
// for one purpose can be taken for another.

import { type Digest, sha256, writeKey, ZERO_DIGEST } from '../../../crypto/index.ts'
import type { Text } from './text.ts'

/** SHA-256, replaceable by a native one: it must give the same 32 bytes, and not keep its argument. */
export type Hash = (bytes: Uint8Array) => Digest

/** The hash of a subtree without keys, and the root of the empty state. */
export const EMPTY_HASH: Digest = ZERO_DIGEST
export const HASH_BYTES = 32
/** Children of a branch. */
export const FAN_OUT = 4

/** First bytes of what is hashed. */
export const TAG = Object.freeze({ leaf: 0x20, branch: 0x21, key: 0x22, value: 0x23 })

export interface StateHasher {
  /** Where `key` stands in the tree. */
  path(key: Uint8Array | Text): Digest
  value(value: Uint8Array | Text): Digest
  leaf(path: Uint8Array | Text, valueHash: Uint8Array): Digest
  /** Of the four hashes in `children`, 128 bytes. */
  branch(children: Uint8Array): Digest
}

export function stateHasher(hash: Hash = sha256): StateHasher {
  const leaf = new Uint8Array(1 + 2 * HASH_BYTES)
  const branch = new Uint8Array(1 + FAN_OUT * HASH_BYTES)
  leaf[0] = TAG.leaf
  branch[0] = TAG.branch
  return {
    path: (key) => hash(tagged(TAG.key, key)),
    value: (value) => hash(tagged(TAG.value, value)),
    leaf(path, valueHash) {
      write(path, leaf)
      leaf.set(valueHash, 1 + HASH_BYTES)
      return hash(leaf)
    },
    branch(children) {
      branch.set(children, 1)
      return hash(branch)
    },
  }
}

/** Which child of a branch at `depth` leads to `path`: 0 to 3. */
export function digitAt(path: Uint8Array, depth: number): number {
  return ((path[depth >>> 2] ?? 0) >>> (6 - 2 * (depth & 3))) & 3
}

/** Writes `digit` at `depth` into `path` and leaves the other bits. */
export function setDigit(path: Uint8Array, depth: number, digit: number): void {
  const shift = 6 - 2 * (depth & 3)
  path[depth >>> 2] = ((path[depth >>> 2] ?? 0) & ~(3 << shift)) | (digit << shift)
}

/** Negative, zero or positive: how the first `digits` digits of two paths compare. */
export function comparePrefix(a: Uint8Array, b: Uint8Array, digits: number): number {
  for (let depth = 0; depth < digits; depth++) {
    const difference = digitAt(a, depth) - digitAt(b, depth)
    if (difference !== 0) return difference
  }
  return 0
}

/** `path` + 1 as a 256-bit number, or undefined after the last. */
export function pathAfter(path: Uint8Array): Uint8Array | undefined {
  const next = Uint8Array.from(path)
  for (let i = next.length - 1; i >= 0; i--) {
    next[i] = ((next[i] ?? 0) + 1) & 0xff
    if (next[i] !== 0) return next
  }
  return undefined
}

/** A view of `scratch` where it is long enough: allocating would cost about as much as hashing. */
function tagged(tag: number, content: Uint8Array | Text): Uint8Array {
  const length = 1 + content.length
  const bytes = length <= scratch.length ? scratch.subarray(0, length) : new Uint8Array(length)
  bytes[0] = tag
  write(content, bytes)
  return bytes
}

/** Writes `content` behind the tag. */
function write(content: Uint8Array | Text, bytes: Uint8Array): void {
  if (typeof content !== 'string') bytes.set(content, 1)
  else writeKey(content, bytes, 1)
}

const scratch = new Uint8Array(4096)
