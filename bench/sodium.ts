// The rule `ed25519-strict-1` on libsodium (sodium-native): compared by measurement only, see
// docs/decisions/001-ed25519-backend.md. The length check of S1 is vital here: libsodium ignores bytes after the 64th.

import sodium from 'sodium-native'
import {
  type AdmittedKey,
  admitKey,
  isWellFormedSignature,
  SEED_BYTES,
  type Signature,
  type SignatureVerifier,
  type Signer,
  signature as signatureOf,
} from '../crypto/index.ts'

export const sodiumVerifier: SignatureVerifier = Object.freeze({
  verify(key: AdmittedKey, message: Uint8Array, signature: Uint8Array): boolean {
    return isWellFormedSignature(signature) && sodium.crypto_sign_verify_detached(signature, message, key)
  },
})

/** @throws {RangeError} unless `seed` is 32 bytes long. */
export function sodiumSigner(seed: Uint8Array): Signer {
  if (seed.length !== SEED_BYTES) throw new RangeError(`seed: expected ${SEED_BYTES} bytes, got ${seed.length}`)
  const keyBytes = new Uint8Array(32)
  const secretKey = new Uint8Array(64)
  sodium.crypto_sign_seed_keypair(keyBytes, secretKey, seed)
  const publicKey = admitKey(keyBytes)
  if (publicKey === undefined) throw new Error('libsodium derived a public key that was not admitted')
  return Object.freeze({
    publicKey,
    sign(message: Uint8Array): Signature {
      const signature = new Uint8Array(64)
      sodium.crypto_sign_detached(signature, message, secretKey)
      return signatureOf(signature)
    },
  })
}
