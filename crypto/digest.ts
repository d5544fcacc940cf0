// SHA-256, the one hash of the protocol. All of it is noble's; only the object that does it is kept from call to call. noble's
// one-shot function makes one each time, with a buffer that V8 must move off its heap, and for the short inputs of this protocol
// that takes three times as long as the hashing.

import { _SHA256 } from '@noble/hashes/sha2.js'
import { DIGEST_BYTES, type Digest, digest } from './brands.ts'

/** 32 zero bytes: the justification of the very first view, and of statements that rely on no NewView. */
export const ZERO_DIGEST: Digest = digest(new Uint8Array(DIGEST_BYTES))

const FRESH = new _SHA256()

class Hasher extends _SHA256 {
  hash(parts: readonly Uint8Array[]): Uint8Array {
    FRESH._cloneInto(this)
    for (const part of parts) this.update(part)
    // Into the hasher's own buffer, of which it has a view already; and a copy of that for the caller.
    this.digestInto(this.buffer)
    return this.buffer.slice(0, DIGEST_BYTES)
  }
}

const hasher = new Hasher()

/** SHA-256 of `bytes`. Ref: FIPS 180-4. */
export function sha256(bytes: Uint8Array): Digest {
  return hasher.hash([bytes]) as Digest
}

/** SHA-256 of `parts` one after another, as if they were one byte string. */
export function sha256Of(...parts: readonly Uint8Array[]): Digest {
  return hasher.hash(parts) as Digest
}
