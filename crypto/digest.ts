// SHA-256, the one hash of the protocol.

import { sha256 as nobleSha256 } from '@noble/hashes/sha2.js'
import { DIGEST_BYTES, type Digest, digest } from './brands.ts'

/** 32 zero bytes: the justification of the very first view, and of statements that rely on no NewView. */
export const ZERO_DIGEST: Digest = digest(new Uint8Array(DIGEST_BYTES))

/** SHA-256 of `bytes`. Ref: FIPS 180-4. */
export function sha256(bytes: Uint8Array): Digest {
  return nobleSha256(bytes) as Uint8Array as Digest
}
