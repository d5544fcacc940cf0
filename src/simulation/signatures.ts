// Signatures for simulated clusters: real admitted keys, but signatures that cost nanoseconds instead of milliseconds. They
// can be made only through the signer of a key, which stays inside this module: whoever is not handed a signer cannot forge,
// which is all that the protocol asks of a signature. Runs on real Ed25519 get another suite from outside.
//
// A simulated signature is a keyed mix over the message, 64 bytes of the shape that rules S1-S3 want.

import {
  type AdmittedKey,
  equalBytes,
  hex,
  portableSigner,
  SIGNATURE_BYTES,
  type Signature,
  type SignatureVerifier,
  type Signer,
  sha256,
  signature,
  utf8,
} from '../../crypto/index.ts'

/** One way to sign for all of a cluster. */
export interface SignatureSuite {
  readonly name: string
  readonly verifier: SignatureVerifier
  /** The same key for the same label. */
  signer(label: string): Signer
  /** The same key, but signatures with a torsion point added to R: lenient verifiers take them, ours must not (P33). */
  torsionSigner(label: string): Signer
  /** A verifier with the defect that {@link torsionSigner} preys on; for the mutant that accepts torsion. */
  readonly lenientVerifier: SignatureVerifier
}

type Secret = readonly [number, number, number, number]

const signers = new Map<string, Signer>()
/** By the bytes of the key, for copies of it; by the object, since a copy is looked up only once. */
const secretsByText = new Map<string, Secret>()
const secretsByKey = new WeakMap<AdmittedKey, Secret>()

export const simulatedSuite: SignatureSuite = Object.freeze({
  name: 'simulated',
  verifier: Object.freeze({
    verify: (key: AdmittedKey, message: Uint8Array, bytes: Uint8Array) => isGood(key, message, bytes),
  }),
  lenientVerifier: Object.freeze({
    verify: (key: AdmittedKey, message: Uint8Array, bytes: Uint8Array) =>
      isGood(key, message, bytes) || (bytes.length === SIGNATURE_BYTES && isGood(key, message, twisted(bytes))),
  }),
  signer,
  torsionSigner: (label: string) => {
    const { publicKey, sign } = signer(label)
    return Object.freeze({ publicKey, sign: (message: Uint8Array) => signature(twisted(sign(message))) })
  },
})

/** The seed of the Ed25519 key of this label, alike in every suite. */
export function keySeed(label: string): Uint8Array {
  return sha256(utf8(`quorate simulation key ${label}`))
}

function signer(label: string): Signer {
  const known = signers.get(label)
  if (known !== undefined) return known
  // The key is a real one and costs milliseconds to make; a process keeps it.
  const { publicKey } = portableSigner(keySeed(label))
  const words = wordsOf(sha256(keySeed(`secret of ${label}`)))
  const secret: Secret = [words[0] ?? 0, words[1] ?? 0, words[2] ?? 0, words[3] ?? 0]
  secretsByText.set(hex(publicKey), secret)
  const made: Signer = Object.freeze({
    publicKey,
    sign: (message: Uint8Array): Signature => signature(mix(secret, message)),
  })
  signers.set(label, made)
  return made
}

function isGood(key: AdmittedKey, message: Uint8Array, bytes: Uint8Array): boolean {
  const secret = secretsByKey.get(key) ?? secretsByText.get(hex(key))
  if (secret === undefined) return false
  secretsByKey.set(key, secret)
  return equalBytes(mix(secret, message), bytes)
}

function twisted(bytes: Uint8Array): Uint8Array {
  const copy = Uint8Array.from(bytes)
  copy[31] = (copy[31] ?? 0) ^ 0x80
  return copy
}

/** Four lanes of 32 bits over the message, then stretched to 64 bytes. The top bits are cleared, so that S < L (rule S2). */
function mix(secret: Secret, message: Uint8Array): Uint8Array {
  let [a, b, c, d] = secret
  for (let i = 0; i < message.length; i += 4) {
    const word =
      (message[i] ?? 0) |
      ((message[i + 1] ?? 0x100) << 8) |
      ((message[i + 2] ?? 0x100) << 16) |
      ((message[i + 3] ?? 0x80) << 24)
    a = Math.imul(a ^ word, 0x85ebca6b)
    b = Math.imul(b ^ ((a >>> 15) | (a << 17)), 0xc2b2ae35)
    c = Math.imul(c ^ b ^ word, 0x27d4eb2f)
    d = Math.imul(d ^ ((c >>> 13) | (c << 19)), 0x165667b1)
    a = (a + d) | 0
  }
  a = Math.imul(a ^ message.length, 0x9e3779b1)
  const bytes = new Uint8Array(SIGNATURE_BYTES)
  for (let i = 0; i < SIGNATURE_BYTES; i += 4) {
    a = Math.imul(a ^ (b >>> 16), 0x85ebca6b)
    b = Math.imul(b ^ (c >>> 13), 0xc2b2ae35)
    c = Math.imul(c ^ (d >>> 16), 0x27d4eb2f)
    d = (Math.imul(d ^ (a >>> 15), 0x165667b1) + i) | 0
    bytes[i] = a ^ c
    bytes[i + 1] = (a ^ c) >>> 8
    bytes[i + 2] = (b ^ d) >>> 16
    bytes[i + 3] = (b ^ d) >>> 24
  }
  bytes[63] = (bytes[63] ?? 0) & 0x0f
  return bytes
}

function wordsOf(bytes: Uint8Array): Int32Array {
  return new Int32Array(Uint8Array.from(bytes).buffer)
}
