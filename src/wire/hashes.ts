// Inclusion proofs as one string of bytes.

import { DIGEST_BYTES, type Digest, digest } from '../../crypto/index.ts'
import { Malformed } from './malformed.ts'

export function joined(hashes: readonly Digest[]): Uint8Array {
  const bytes = new Uint8Array(hashes.length * DIGEST_BYTES)
  for (const [i, hash] of hashes.entries()) bytes.set(hash, i * DIGEST_BYTES)
  return bytes
}

/** @throws {Malformed} where `bytes` are no whole hashes. */
export function hashesOf(bytes: Uint8Array, what: string): Digest[] {
  if (bytes.length % DIGEST_BYTES !== 0) throw new Malformed(`${what}: no multiple of 32 bytes`)
  const hashes: Digest[] = []
  for (let at = 0; at < bytes.length; at += DIGEST_BYTES) hashes.push(digest(bytes.subarray(at, at + DIGEST_BYTES)))
  return hashes
}
