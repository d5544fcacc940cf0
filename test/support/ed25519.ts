// The implementations of `ed25519-strict-1` that must agree, and forged inputs made with the point arithmetic of
// @noble/ed25519: what a liar can compute with its ordinary secret key.

import { Point } from '@noble/ed25519'
import { sha512 } from '@noble/hashes/sha2.js'
import { sodiumSigner, sodiumVerifier } from '../../bench/sodium.ts'
import {
  admitKey,
  concatBytes,
  GROUP_ORDER,
  hex,
  portableSigner,
  portableVerifier,
  type SignatureVerifier,
  type Signer,
  signature,
  utf8,
} from '../../crypto/index.ts'
import { nativeSigner, nativeVerifier } from '../../keys/native/index.ts'
import { createPreparedVerifier, type PreparedJob, type PreparedVerifier } from '../../keys/native/prepared/index.ts'

export const verifiers: Readonly<Record<'portable' | 'native' | 'prepared' | 'sodium', SignatureVerifier>> = {
  portable: portableVerifier,
  native: nativeVerifier,
  prepared: { verify: verifyPrepared },
  sodium: sodiumVerifier,
}

export const signers: Readonly<Record<'portable' | 'native' | 'sodium', (seed: Uint8Array) => Signer>> = {
  portable: portableSigner,
  native: nativeSigner,
  sodium: sodiumSigner,
}

const preparedKeys = new Map<string, (job: Omit<PreparedJob, 'key'>) => boolean>()
let roomy: PreparedVerifier | undefined

/** Prepares whatever key it is given, with verifiers as many as that takes. */
function verifyPrepared(key: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  const known = preparedKeys.get(hex(key))
  if (known !== undefined) return known({ message, signature })
  const verifier = roomy ?? createPreparedVerifier()
  const prepared = verifier?.prepare(key)
  roomy = prepared && verifier
  if (prepared !== undefined)
    preparedKeys.set(hex(key), (job) => verifier?.verify([{ ...job, key: prepared }])[0] === true)
  return verifyPrepared(key, message, signature)
}

/** The rule on bytes as they come from outside: an inadmissible key refuses every signature. */
export function verdict(verifier: SignatureVerifier, key: Uint8Array, message: Uint8Array, signature: Uint8Array) {
  const admitted = admitKey(key)
  return admitted !== undefined && verifier.verify(admitted, message, signature)
}

/** A public key with a signature under it. */
export interface Forgery {
  readonly name: string
  readonly key: Uint8Array
  readonly message: Uint8Array
  readonly signature: Uint8Array
}

export const SECRET_SCALAR = 0x3a9f21n ** 9n % GROUP_ORDER
export const NONCE = 0x5eed5n ** 11n % GROUP_ORDER
export const HONEST_KEY = Point.BASE.multiply(SECRET_SCALAR).toBytes()

/** The points of order 1, 2, 4 and 8: index i holds [i] of one of order 8. */
export const TORSION: readonly Point[] = torsionPoints()

/** All byte strings that some lenient decoder takes for a point of order 1, 2, 4 or 8: 14 of them. */
export const SMALL_ORDER_ENCODINGS: readonly Uint8Array[] = smallOrderEncodings()

/** The encodings of the identity among them: y = 1, y = p + 1, each also with the sign bit. */
export const IDENTITY_ENCODINGS: readonly Uint8Array[] = SMALL_ORDER_ENCODINGS.filter((bytes) =>
  Point.fromBytes(bytes, true).is0(),
)

/** S = r + ka for the given R, key and message: what makes [S]B = [r]B + [k][a]B. */
export function signWith(
  commitment: Uint8Array,
  nonce: bigint,
  key: Uint8Array,
  secret: bigint,
  message: Uint8Array,
): Uint8Array {
  const scalar = (nonce + challenge(commitment, key, message) * secret) % GROUP_ORDER
  return concatBytes(commitment, littleEndian(scalar))
}

export function challenge(commitment: Uint8Array, key: Uint8Array, message: Uint8Array): bigint {
  return fromLittleEndian(sha512(concatBytes(commitment, key, message))) % GROUP_ORDER
}

/** A key aB + T with T of order 8, and a signature on the first numbered message with k = `residue` mod 8. */
export function mixedOrderForgery(residue: number): Forgery {
  const key = Point.BASE.multiply(SECRET_SCALAR).add(torsion(1)).toBytes()
  const commitment = Point.BASE.multiply(NONCE).toBytes()
  for (let number = 0; ; number++) {
    const message = utf8(`message ${number}`)
    if (challenge(commitment, key, message) % 8n !== BigInt(residue)) continue
    const signature = signWith(commitment, NONCE, key, SECRET_SCALAR, message)
    return { name: `key aB + T, k = ${residue} mod 8`, key, message, signature }
  }
}

export function torsion(index: number): Point {
  const point = TORSION[index]
  if (point === undefined) throw new RangeError(`torsion point: expected 0 to 7, got ${index}`)
  return point
}

export function littleEndian(value: bigint): Uint8Array {
  return Uint8Array.from({ length: 32 }, (_, i) => Number((value >> BigInt(8 * i)) & 0xffn))
}

export function fromLittleEndian(bytes: Uint8Array): bigint {
  return bytes.reduceRight((sum, byte) => sum * 256n + BigInt(byte), 0n)
}

/** [L]P of a point P outside the prime-order subgroup is a torsion point; the first of order 8 generates them all. */
function torsionPoints(): Point[] {
  for (let y = 2n; ; y++) {
    const point = decodeOrNone(littleEndian(y))
    const generator = point?.multiply(GROUP_ORDER - 1n, false).add(point)
    if (generator === undefined || generator.multiply(4n, false).is0()) continue
    return Array.from({ length: 8 }, (_, i) => generator.multiply(BigInt(i), false))
  }
}

function smallOrderEncodings(): Uint8Array[] {
  const prime = Point.CURVE().p
  const texts = new Set<string>()
  for (const { x, y } of TORSION.map((point) => point.toAffine())) {
    for (const encodedY of [y, y + prime]) {
      if (encodedY >= 2n ** 255n) continue
      const signs = x === 0n ? [0n, 1n] : [x & 1n]
      for (const sign of signs) texts.add((encodedY | (sign << 255n)).toString())
    }
  }
  return [...texts].map((text) => littleEndian(BigInt(text)))
}

function decodeOrNone(bytes: Uint8Array): Point | undefined {
  try {
    return Point.fromBytes(bytes, false)
  } catch {
    return undefined
  }
}

/** The key of this seed (RFC 8032), with a torsion point added to every R: what only lenient verifiers take (pitfall P33). */
export function torsionSigner(seed: Uint8Array): Signer {
  const { publicKey } = nativeSigner(seed)
  const clamped = sha512(seed).subarray(0, 32)
  clamped[0] = (clamped[0] ?? 0) & 0xf8
  clamped[31] = ((clamped[31] ?? 0) & 0x7f) | 0x40
  const secret = fromLittleEndian(clamped) % GROUP_ORDER
  return {
    publicKey,
    sign: (message) => {
      const nonce = (fromLittleEndian(sha512(concatBytes(seed, message))) % (GROUP_ORDER - 1n)) + 1n
      const commitment = Point.BASE.multiply(nonce).add(torsion(1)).toBytes()
      return signature(signWith(commitment, nonce, publicKey, secret, message))
    },
  }
}
