// Ed25519 by the one rule `ed25519-strict-1`, named in every genesis: replicas on native code, and auditors in a browser,
// give the same verdict on every input (pitfalls P33-P36).
//
//   A key is admitted once:        K1  exactly 32 bytes
//                                  K2  canonical: y < p, not (x = 0 with the sign bit), encode(decode(A)) = A
//                                  K3  [8]A is not the identity (not of small order)
//                                  K4  [L]A is the identity (of prime order)
//   A signature is then accepted:  S1  exactly 64 bytes
//                                  S2  S < L
//                                  S3  R is not the encoding of the identity
//                                  S4  encode([S]B - [k]A) = R, byte for byte; k = SHA-512(R || A || M) mod L
//
// Given K1-K4, the point in S4 lies in the prime-order subgroup, so S4 alone forces R to be canonical and free of torsion;
// "cofactored or not", "small-order R" and "non-canonical R" then have one answer. Never verify in batches: a cofactorless
// batch equation accepts what S4 refuses. Ref: RFC 8032 section 5.1.7, stricter in K2-K4 and S3; eprint 2020/1244.

import { Point } from '@noble/ed25519'
import { type Brand, type PublicKey, publicKey, SIGNATURE_BYTES, type Signature } from './brands.ts'
import { equalBytes } from './bytes.ts'

/** The name of the rule, part of every genesis and of every membership digest. */
export const SIGNATURE_RULE = 'ed25519-strict-1'

/** A public key that passed K1-K4; its bytes must not be changed. */
export type AdmittedKey = Brand<PublicKey, 'AdmittedKey'>

/** Checks S1-S4. Implementations must agree on every input; the vectors of the test suite hold them to it. */
export interface SignatureVerifier {
  /** True where `signature` is `key`'s on `message`; false otherwise, whatever the bytes. Never throws. */
  verify(key: AdmittedKey, message: Uint8Array, signature: Uint8Array): boolean
}

/** One secret key, ready to sign. Deterministic (RFC 8032), so the pure core may call it. */
export interface Signer {
  readonly publicKey: AdmittedKey
  sign(message: Uint8Array): Signature
}

/** L: the order of the base point. */
export const GROUP_ORDER: bigint = Point.CURVE().n

const IDENTITY_ENCODING = new Point(0n, 1n, 1n, 0n).toBytes()

/**
 * Rules K1-K4: the key as an {@link AdmittedKey} of its own bytes, or undefined. Costs about 0.7 ms,
 * as much as ten native signature checks, so admit a key once and keep the result.
 */
export function admitKey(bytes: Uint8Array): AdmittedKey | undefined {
  if (bytes.length !== 32) return undefined
  try {
    const point = Point.fromBytes(bytes, false)
    if (!equalBytes(point.toBytes(), bytes) || point.isSmallOrder() || !point.isTorsionFree()) return undefined
    return publicKey(bytes) as AdmittedKey
  } catch {
    return undefined
  }
}

/** Rules S1-S3, which every implementation applies itself, whatever its library checks beside. */
export function isWellFormedSignature(signature: Uint8Array): boolean {
  return signature.length === SIGNATURE_BYTES && scalarIsReduced(signature) && !startsWithIdentity(signature)
}

/** L as 32 little-endian bytes. */
const GROUP_ORDER_BYTES = Uint8Array.from({ length: 32 }, (_, i) => Number((GROUP_ORDER >> BigInt(8 * i)) & 0xffn))

function scalarIsReduced(signature: Uint8Array): boolean {
  for (let i = 31; i >= 0; i--) {
    const difference = (signature[32 + i] ?? 0) - (GROUP_ORDER_BYTES[i] ?? 0)
    if (difference !== 0) return difference < 0
  }
  return false
}

function startsWithIdentity(signature: Uint8Array): boolean {
  return equalBytes(signature.subarray(0, 32), IDENTITY_ENCODING)
}
