// The rule `ed25519-strict-1` without native code: what an auditor runs in a browser. Built on the point arithmetic of
// @noble/ed25519 only. Its `verify` is cofactored in both modes and would count votes with R + a torsion point that every
// replica refuses (pitfall P33), so it must never be called here; the edge vectors of the test suite notice when it is.

import { Point } from '@noble/ed25519'
import { sha512 } from '@noble/hashes/sha2.js'
import { type Signature, signature as signatureOf } from './brands.ts'
import { concatBytes, copyOf, equalBytes } from './bytes.ts'
import {
  type AdmittedKey,
  admitKey,
  GROUP_ORDER,
  isWellFormedSignature,
  type SignatureVerifier,
  type Signer,
} from './ed25519.ts'

/** Secret keys are the 32-byte seeds of RFC 8032. */
export const SEED_BYTES = 32

/** Checks S1-S4 in plain JavaScript. Keeps about 8 KiB per key for as long as the {@link AdmittedKey} itself is kept. */
export const portableVerifier: SignatureVerifier = Object.freeze({
  verify(key: AdmittedKey, message: Uint8Array, signature: Uint8Array): boolean {
    if (!isWellFormedSignature(signature)) return false
    const commitment = signature.subarray(0, 32)
    const scalar = littleEndian(signature.subarray(32))
    const challenge = scalarOfHash(commitment, key, message)
    // S4. Bytes are compared, never points: R is not decoded, so no lenient decoding of it can creep in.
    const expected = Point.BASE.multiply(scalar, false).subtract(multiplyByComb(combOf(key), challenge))
    return equalBytes(expected.toBytes(), commitment)
  },
})

/**
 * Signs with the key of `seed`, which is copied. Not constant in time, as no JavaScript is: replicas sign natively.
 * @throws {RangeError} unless `seed` is {@link SEED_BYTES} long. Ref: RFC 8032 sections 5.1.5 and 5.1.6.
 */
export function portableSigner(seed: Uint8Array): Signer {
  if (seed.length !== SEED_BYTES) throw new RangeError(`seed: expected ${SEED_BYTES} bytes, got ${seed.length}`)
  const expanded = sha512(copyOf(seed))
  const prefix = expanded.slice(32)
  const secret = clampedScalar(expanded)
  const key = admitKey(Point.BASE.multiply(secret).toBytes())
  if (key === undefined) throw new Error('a multiple of the base point was not admitted as a key')
  return Object.freeze({
    publicKey: key,
    sign(message: Uint8Array): Signature {
      const nonce = scalarOfHash(prefix, message)
      const commitment = Point.BASE.multiply(nonce).toBytes()
      const scalar = (nonce + scalarOfHash(commitment, key, message) * secret) % GROUP_ORDER
      return signatureOf(concatBytes(commitment, littleEndianBytes(scalar)))
    },
  })
}

function clampedScalar(expanded: Uint8Array): bigint {
  const head = expanded.slice(0, 32)
  head[0] = (head[0] ?? 0) & 0xf8
  head[31] = ((head[31] ?? 0) & 0x7f) | 0x40
  return littleEndian(head) % GROUP_ORDER
}

function scalarOfHash(...parts: readonly Uint8Array[]): bigint {
  return littleEndian(sha512(concatBytes(...parts))) % GROUP_ORDER
}

// [k]A by a comb: the 255 bits of k are written as 5 rows of 51, so that one step handles 5 bits with one doubling and one
// addition out of 31 prepared points. Preparing them costs 229 point operations and a multiplication 102, together fewer
// than the 380 of double-and-add: the comb pays off from a key's first signature on. Timing may depend on k, which is public.
// Ref: Lim and Lee, "More flexible exponentiation with precomputation", 1994.
const COMB_ROWS = 5
const COMB_COLUMNS = 51

/** At index m: the sum of [2^(51 i)]A over the bits i set in m. */
type Comb = readonly Point[]

const combs = new WeakMap<AdmittedKey, Comb>()

function combOf(key: AdmittedKey): Comb {
  const known = combs.get(key)
  if (known !== undefined) return known
  const comb = makeComb(Point.fromBytes(key, false))
  combs.set(key, comb)
  return comb
}

function makeComb(point: Point): Comb {
  const comb = [Point.ZERO]
  let power = point
  for (let row = 0; row < COMB_ROWS; row++) {
    if (row > 0) for (let i = 0; i < COMB_COLUMNS; i++) power = power.double()
    comb.push(...comb.map((sum) => sum.add(power)))
  }
  return comb
}

function multiplyByComb(comb: Comb, scalar: bigint): Point {
  const bits = scalar.toString(2).padStart(COMB_ROWS * COMB_COLUMNS, '0')
  let product = Point.ZERO
  for (let column = 0; column < COMB_COLUMNS; column++) {
    let index = 0
    for (let row = 0; row < COMB_ROWS; row++) {
      index = 2 * index + (bits.charCodeAt(row * COMB_COLUMNS + column) & 1)
    }
    product = product.double()
    const sum = comb[index]
    if (index !== 0 && sum !== undefined) product = product.add(sum)
  }
  return product
}

function littleEndian(bytes: Uint8Array): bigint {
  let digits = ''
  for (let i = bytes.length - 1; i >= 0; i--) digits += (bytes[i] ?? 0).toString(16).padStart(2, '0')
  return BigInt(`0x${digits}`)
}

function littleEndianBytes(scalar: bigint): Uint8Array {
  return Uint8Array.from({ length: 32 }, (_, i) => Number((scalar >> BigInt(8 * i)) & 0xffn))
}
