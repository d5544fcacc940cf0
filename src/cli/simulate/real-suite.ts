// Real Ed25519 for simulated clusters: OpenSSL signs and verifies, by the strict rule as on replicas.

import { hashes, Point, verify } from '@noble/ed25519'
import { sha512 } from '@noble/hashes/sha2.js'
import { concatBytes, type Signature, type Signer, signature } from '../../../crypto/index.ts'
import { nativeSigner, nativeVerifier } from '../../../keys/native/index.ts'
import { keySeed, type SignatureSuite } from '../../simulation/index.ts'

// Only the lenient verifier below hashes by this; our own code never calls noble's `verify`.
hashes.sha512 = sha512

/** A point of order 8. Ref: eprint 2020/1244, table 5. */
const TORSION = Point.fromHex('26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05')
const ORDER = Point.CURVE().n

export const realSuite: SignatureSuite = Object.freeze({
  name: 'ed25519',
  verifier: nativeVerifier,
  lenientVerifier: Object.freeze({
    verify: (key: Uint8Array, message: Uint8Array, bytes: Uint8Array) => verify(bytes, message, key, { zip215: false }),
  }),
  signer: (label: string) => nativeSigner(keySeed(label)),
  torsionSigner: (label: string) => torsionSigner(keySeed(label)),
})

/** Signs with R + T: what a cofactored verifier takes, and rule S4 refuses (pitfall P33). */
function torsionSigner(seed: Uint8Array): Signer {
  const { publicKey } = nativeSigner(seed)
  const expanded = sha512(seed)
  const head = expanded.slice(0, 32)
  head[0] = (head[0] ?? 0) & 0xf8
  head[31] = ((head[31] ?? 0) & 0x7f) | 0x40
  const secret = littleEndian(head) % ORDER
  return Object.freeze({
    publicKey,
    sign(message: Uint8Array): Signature {
      const nonce = littleEndian(sha512(concatBytes(expanded.slice(32), message))) % ORDER
      const commitment = Point.BASE.multiply(nonce).add(TORSION).toBytes()
      const challenge = littleEndian(sha512(concatBytes(commitment, publicKey, message))) % ORDER
      return signature(concatBytes(commitment, scalarBytes((nonce + challenge * secret) % ORDER)))
    },
  })
}

function littleEndian(bytes: Uint8Array): bigint {
  return BigInt(`0x${Buffer.from(bytes).reverse().toString('hex')}`)
}

function scalarBytes(scalar: bigint): Uint8Array {
  return Uint8Array.from({ length: 32 }, (_, i) => Number((scalar >> BigInt(8 * i)) & 0xffn))
}
