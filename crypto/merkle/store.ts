// A tree in memory that can prove: it keeps the hash of every complete subtree, level by level, 64 to 128 bytes a leaf in
// all. Appending costs one node hash on average, a proof reads O(log n) hashes.

import { DIGEST_BYTES, type Digest, digest } from '../brands.ts'
import { freshBytes } from '../bytes.ts'
import { nodeHash } from './hash.ts'
import { isOdd } from './index-math.ts'
import { rootAt, type SubtreeReader } from './proof.ts'

/** An append-only tree. What it is given and what it hands out are copies. */
export interface MerkleTree {
  /** Leaves so far. */
  readonly size: number
  /** Adds the next leaf. @throws {RangeError} unless it is 32 bytes. */
  append(leaf: Digest): void
  /** The root of the first `size` leaves, all of them unless told. @throws {RangeError} where there are not so many. */
  root(size?: number): Digest
  /** For `inclusionProof` and `consistencyProof`. */
  readonly read: SubtreeReader
}

/** A tree with these leaf hashes to begin with. */
export function merkleTree(leafHashes: Iterable<Digest> = []): MerkleTree {
  const leaves = hashList()
  const levels = [leaves]

  function append(leaf: Digest): void {
    let hash = digest(leaf)
    for (let level = 0; ; level++) {
      const list = levels[level] ?? hashList()
      levels[level] = list
      list.push(hash)
      const left = isOdd(list.length) ? undefined : list.at(list.length - 2)
      if (left === undefined) return
      hash = nodeHash(left, hash)
    }
  }

  function read(level: number, index: number): Digest {
    const hash = levels[level]?.at(index)
    if (hash !== undefined) return hash
    throw new RangeError(`subtree: expected one within ${leaves.length} leaves, got level ${level} index ${index}`)
  }

  for (const leaf of leafHashes) append(leaf)
  return Object.freeze({
    get size() {
      return leaves.length
    },
    append,
    root: (size = leaves.length) => rootAt(read, size),
    read,
  })
}

interface HashList {
  readonly length: number
  push(hash: Digest): void
  /** A copy; undefined outside of the list. */
  at(index: number): Digest | undefined
}

/** Hashes end to end in one buffer that doubles, since two million small arrays would burden the garbage collector. */
function hashList(): HashList {
  let bytes: Uint8Array = new Uint8Array(DIGEST_BYTES)
  let length = 0
  return {
    get length() {
      return length
    },
    push(hash) {
      if (length * DIGEST_BYTES === bytes.length) {
        const larger = freshBytes(2 * bytes.length)
        larger.set(bytes)
        bytes = larger
      }
      bytes.set(hash, length * DIGEST_BYTES)
      length++
    },
    at(index) {
      if (!Number.isInteger(index) || index < 0 || index >= length) return undefined
      return digest(bytes.subarray(index * DIGEST_BYTES, (index + 1) * DIGEST_BYTES))
    },
  }
}
