// The rule `ed25519-strict-1` on OpenSSL, for the hot path of replicas and clients.
//
// OpenSSL's equation is cofactorless and compares bytes (S4), and it refuses S >= L (S2). Length, S2 and S3 are checked by
// our own code nevertheless, and keys are admitted by ours (K1-K4): what OpenSSL and Node refuse beyond S4 has changed
// between releases (pitfall P34), and with these checks in front no such change alters a verdict.

import { createPrivateKey, createPublicKey, KeyObject, sign, verify } from 'node:crypto'
import {
  type AdmittedKey,
  admitKey,
  isWellFormedSignature,
  SEED_BYTES,
  type Signature,
  type SignatureVerifier,
  type Signer,
  signature as signatureOf,
} from '../../crypto/index.ts'

/** DER up to the 32 key bytes: SubjectPublicKeyInfo and PKCS #8 of an Ed25519 key. Ref: RFC 8410 sections 4 and 7. */
const PUBLIC_KEY_PREFIX = Buffer.from('302a300506032b6570032100', 'hex')
const SECRET_KEY_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex')

const keyObjects = new WeakMap<AdmittedKey, KeyObject>()

/** Checks S1-S4 on OpenSSL. Keeps one key object for as long as the {@link AdmittedKey} itself is kept. */
export const nativeVerifier: SignatureVerifier = Object.freeze({
  verify(key: AdmittedKey, message: Uint8Array, signature: Uint8Array): boolean {
    return verifyWithKeyObject(keyObjectOf(key), message, signature)
  },
})

/**
 * Signs with a private Ed25519 key object, or with a 32-byte seed; byte for byte like the portable signer.
 * @throws {TypeError} where the key object is not a private Ed25519 key.
 * @throws {RangeError} where the seed has another length.
 */
export function nativeSigner(secret: KeyObject | Uint8Array): Signer {
  const secretKey = secret instanceof KeyObject ? secret : secretKeyObject(secret)
  if (secretKey.type !== 'private' || secretKey.asymmetricKeyType !== 'ed25519') {
    const actual = secretKey.asymmetricKeyType ?? 'symmetric'
    throw new TypeError(`secret key: expected a private ed25519 key, got a ${secretKey.type} ${actual} key`)
  }
  const der = createPublicKey(secretKey).export({ type: 'spki', format: 'der' })
  const publicKey = admitKey(der.subarray(PUBLIC_KEY_PREFIX.length))
  if (publicKey === undefined) throw new Error('OpenSSL derived a public key that was not admitted')
  return Object.freeze({
    publicKey,
    sign(message: Uint8Array): Signature {
      return signatureOf(sign(null, message, secretKey))
    },
  })
}

/** OpenSSL's form of a public key. Requires the bytes of an admitted key. */
export function publicKeyObject(keyBytes: Uint8Array): KeyObject {
  return createPublicKey({ key: Buffer.concat([PUBLIC_KEY_PREFIX, keyBytes]), format: 'der', type: 'spki' })
}

/** S1-S4 for a key whose object the caller keeps. Requires an object made of an admitted key's bytes. */
export function verifyWithKeyObject(key: KeyObject, message: Uint8Array, signature: Uint8Array): boolean {
  return isWellFormedSignature(signature) && verify(null, message, key, signature)
}

function keyObjectOf(key: AdmittedKey): KeyObject {
  const known = keyObjects.get(key)
  if (known !== undefined) return known
  const keyObject = publicKeyObject(key)
  keyObjects.set(key, keyObject)
  return keyObject
}

function secretKeyObject(seed: Uint8Array): KeyObject {
  if (seed.length !== SEED_BYTES) throw new RangeError(`seed: expected ${SEED_BYTES} bytes, got ${seed.length}`)
  const der = Buffer.concat([SECRET_KEY_PREFIX, seed])
  try {
    return createPrivateKey({ key: der, format: 'der', type: 'pkcs8' })
  } finally {
    der.fill(0)
  }
}
