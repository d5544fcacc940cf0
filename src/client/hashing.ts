// The two hashes of RFC 6962 on OpenSSL, four times as fast as the portable ones: a busy client computes two or three for every
// request. Test/client/hashing.test.ts holds both to the same digests.

import { hash } from 'node:crypto'
import { DIGEST_BYTES, type Digest, digest } from '../../crypto/index.ts'

const nodeInput = new Uint8Array(1 + 2 * DIGEST_BYTES)
nodeInput[0] = 1

/** SHA-256(0x00 || parts). */
export function fastLeafHash(...parts: readonly Uint8Array[]): Digest {
  let length = 1
  for (const part of parts) length += part.length
  const bytes = new Uint8Array(length)
  let offset = 1
  for (const part of parts) {
    bytes.set(part, offset)
    offset += part.length
  }
  return digest(hash('sha256', bytes, 'buffer'))
}

/** SHA-256(0x01 || left || right). */
export function fastNodeHash(left: Digest, right: Digest): Digest {
  nodeInput.set(left, 1)
  nodeInput.set(right, 1 + DIGEST_BYTES)
  return digest(hash('sha256', nodeInput, 'buffer'))
}
