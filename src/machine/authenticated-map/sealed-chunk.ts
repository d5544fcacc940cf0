// A chunk as a replica keeps it on its own disk: with the hashes of its nodes, so that reading it back costs no hash a key and branch, and
// SHA-256 over both, so that what is read is what was written. It was written from a state that the replica had executed or proven;
// nobody takes one from anybody else.
//
//   magic     4 bytes: "QSC1", which no chunk begins with that is the first of a snapshot
//   seal      32 bytes: SHA-256 of what follows
//   length    4 bytes: of the chunk
//   chunk     see chunk.ts
//   hashes    32 bytes each: of its entries and branches, see StateChunk

import {
  concatBytes,
  equalBytes,
  failure,
  type Result,
  readU32,
  sha256,
  success,
  writeU32,
} from '../../../crypto/index.ts'
import type { ChunkFault } from './chunk.ts'
import { HASH_BYTES } from './hashing.ts'
import type { WrittenChunk } from './write-chunk.ts'

const MAGIC = Uint8Array.of(0x51, 0x53, 0x43, 0x31)
const LENGTH_BYTES = 4
const SEALED_FROM = MAGIC.length + HASH_BYTES

export interface OpenedChunk {
  readonly chunk: Uint8Array
  readonly hashes: Uint8Array
}

export function sealChunk({ bytes, hashes, next }: WrittenChunk): WrittenChunk {
  const length = new Uint8Array(LENGTH_BYTES)
  writeU32(length, 0, bytes.length)
  const sealed = concatBytes(MAGIC, new Uint8Array(HASH_BYTES), length, bytes, hashes)
  sealed.set(sha256(sealed.subarray(SEALED_FROM)), MAGIC.length)
  return { bytes: sealed, hashes, next }
}

/** True of a sealed chunk; of chunks of a snapshot that an earlier version wrote the first is not. */
export function isSealed(bytes: Uint8Array): boolean {
  return equalBytes(bytes.subarray(0, MAGIC.length), MAGIC)
}

/** What is in it, or why it is not what was written. Never throws. */
export function openChunk(bytes: Uint8Array): Result<OpenedChunk, ChunkFault> {
  if (!isSealed(bytes) || bytes.length < SEALED_FROM + LENGTH_BYTES) return failure('malformed')
  const sealed = bytes.subarray(SEALED_FROM)
  if (!equalBytes(sha256(sealed), bytes.subarray(MAGIC.length, SEALED_FROM))) return failure('seal')
  const end = LENGTH_BYTES + readU32(sealed, 0)
  if (end > sealed.length) return failure('malformed')
  return success({ chunk: sealed.subarray(LENGTH_BYTES, end), hashes: sealed.subarray(end) })
}
