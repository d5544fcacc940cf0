// The inputs on which Ed25519 libraries are known to differ, generated here, so that they run in every checkout.

import { Point } from '@noble/ed25519'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  type AdmittedKey,
  admitKey,
  concatBytes,
  GROUP_ORDER,
  isWellFormedSignature,
  utf8,
} from '../../crypto/index.ts'
import {
  challenge,
  fromLittleEndian,
  HONEST_KEY,
  IDENTITY_ENCODINGS,
  littleEndian,
  mixedOrderForgery,
  NONCE,
  SECRET_SCALAR,
  SMALL_ORDER_ENCODINGS,
  signers,
  signWith,
  TORSION,
  torsion,
  verdict,
  verifiers,
} from '../support/ed25519.ts'

const message = utf8('byzantine')
const nonce = Point.BASE.multiply(NONCE)
const honest = signWith(nonce.toBytes(), NONCE, HONEST_KEY, SECRET_SCALAR, message)
const scalar = honest.subarray(32)
const prime = Point.CURVE().p

describe.each(Object.entries(verifiers))('ed25519-strict-1, %s', (_, verifier) => {
  const honestKey = admitted(HONEST_KEY)

  it('an honest signature is accepted', () => {
    expect(verifier.verify(honestKey, message, honest)).toBe(true)
  })

  it.each([1, 2, 3, 4, 5, 6, 7])('R = rB + T%i under an honest key is refused', (index) => {
    const commitment = nonce.add(torsion(index)).toBytes()
    const signature = signWith(commitment, NONCE, HONEST_KEY, SECRET_SCALAR, message)
    expect(verifier.verify(honestKey, message, signature)).toBe(false)
  })

  it.each([1n, 2n, 3n])('S + %iL is refused', (multiple) => {
    const signature = concatBytes(
      honest.subarray(0, 32),
      littleEndian(fromLittleEndian(scalar) + multiple * GROUP_ORDER),
    )
    expect(verifier.verify(honestKey, message, signature)).toBe(false)
  })

  it('R = identity under an honest key is refused in each of its 4 encodings', () => {
    expect(IDENTITY_ENCODINGS).toHaveLength(4)
    for (const commitment of IDENTITY_ENCODINGS) {
      const signature = signWith(commitment, 0n, HONEST_KEY, SECRET_SCALAR, message)
      expect(verifier.verify(honestKey, message, signature)).toBe(false)
    }
  })

  it('R of small order under an honest key is refused in each of the 14 encodings', () => {
    for (const commitment of SMALL_ORDER_ENCODINGS) {
      const signature = signWith(commitment, 0n, HONEST_KEY, SECRET_SCALAR, message)
      expect(verifier.verify(honestKey, message, signature)).toBe(false)
    }
  })

  it.each([0, 1, 63])('%i bytes are no signature', (length) => {
    expect(verifier.verify(honestKey, message, honest.subarray(0, length))).toBe(false)
  })

  it('a valid signature with bytes after it is refused', () => {
    for (const tail of [1, 64]) {
      expect(verifier.verify(honestKey, message, concatBytes(honest, new Uint8Array(tail)))).toBe(false)
    }
  })

  it('the signature of another message, or of another key, is refused', () => {
    const other = signers.native(new Uint8Array(32)).publicKey
    expect(verifier.verify(honestKey, utf8('byzantinf'), honest)).toBe(false)
    expect(verifier.verify(other, message, honest)).toBe(false)
  })
})

describe('the form of a signature', () => {
  it('S = L - 1 is well formed and S = L is not', () => {
    const withScalar = (value: bigint) => concatBytes(nonce.toBytes(), littleEndian(value))
    expect(isWellFormedSignature(withScalar(0n))).toBe(true)
    expect(isWellFormedSignature(withScalar(GROUP_ORDER - 1n))).toBe(true)
    expect(isWellFormedSignature(withScalar(GROUP_ORDER))).toBe(false)
    expect(isWellFormedSignature(withScalar(2n ** 256n - 1n))).toBe(false)
  })
})

describe('key admission', () => {
  it('an honest key is admitted, as a copy of its bytes', () => {
    const bytes = Uint8Array.from(HONEST_KEY)
    const key = admitKey(bytes)
    bytes.fill(0)
    expect(key).toEqual(HONEST_KEY)
  })

  it('small-order keys are refused in all 14 encodings', () => {
    expect(TORSION).toHaveLength(8)
    expect(SMALL_ORDER_ENCODINGS).toHaveLength(14)
    for (const encoding of SMALL_ORDER_ENCODINGS) expect(admitKey(encoding)).toBeUndefined()
  })

  it.each([1, 2, 3, 4, 5, 6, 7])('the mixed-order key aB + T%i is refused', (index) => {
    expect(admitKey(Point.BASE.multiply(SECRET_SCALAR).add(torsion(index)).toBytes())).toBeUndefined()
  })

  it('a non-canonical y is refused for every y from p to 2^255 - 1, with either sign', () => {
    for (let y = prime; y < 2n ** 255n; y++) {
      expect(admitKey(littleEndian(y))).toBeUndefined()
      expect(admitKey(littleEndian(y | (1n << 255n)))).toBeUndefined()
    }
  })

  it('a y without a point is refused', () => {
    expect(admitKey(littleEndian(2n))).toBeUndefined()
  })

  it.each([0, 31, 33])('%i bytes are no key', (length) => {
    expect(admitKey(concatBytes(HONEST_KEY, HONEST_KEY).subarray(0, length))).toBeUndefined()
  })
})

describe('a mixed-order key, whose signatures a cofactorless check accepts for one k in eight', () => {
  it.each([0, 1, 2, 3, 4, 5, 6, 7])('is refused with k = %i mod 8', (residue) => {
    const { key, message, signature } = mixedOrderForgery(residue)
    expect(challenge(signature.subarray(0, 32), key, message) % 8n).toBe(BigInt(residue))
    for (const verifier of Object.values(verifiers)) expect(verdict(verifier, key, message, signature)).toBe(false)
  })
})

describe('agreement', () => {
  const seed = fc.uint8Array({ minLength: 32, maxLength: 32 })
  const text = fc.uint8Array({ maxLength: 300 })

  it('every signer makes the same key and the same signature, which every verifier accepts', () => {
    fc.assert(
      fc.property(seed, text, (seed, text) => {
        const [first, ...others] = Object.values(signers).map((make) => make(seed))
        if (first === undefined) throw new Error('no signer')
        const signature = first.sign(text)
        for (const other of others) {
          expect(other.publicKey).toEqual(first.publicKey)
          expect(other.sign(text)).toEqual(signature)
        }
        for (const verifier of Object.values(verifiers)) {
          expect(verifier.verify(first.publicKey, text, signature)).toBe(true)
        }
      }),
      { numRuns: 60 },
    )
  })

  it('one flipped bit anywhere in the signature is refused by every verifier', () => {
    const key = admitted(HONEST_KEY)
    for (let bit = 0; bit < 512; bit++) {
      const signature = flipped(honest, bit)
      for (const verifier of Object.values(verifiers)) expect(verifier.verify(key, message, signature)).toBe(false)
    }
  })

  it('one flipped bit in the key or in the message is refused by every verifier', () => {
    for (let bit = 0; bit < 256; bit++) {
      for (const verifier of Object.values(verifiers)) {
        expect(verdict(verifier, flipped(HONEST_KEY, bit), message, honest)).toBe(false)
      }
    }
    const key = admitted(HONEST_KEY)
    for (let bit = 0; bit < 8 * message.length; bit++) {
      for (const verifier of Object.values(verifiers)) {
        expect(verifier.verify(key, flipped(message, bit), honest)).toBe(false)
      }
    }
  })

  it('every verifier gives one verdict on what a liar can compute, and accepts some of it', () => {
    const key = admitted(HONEST_KEY)
    const scalars = fc.bigInt({ min: 1n, max: GROUP_ORDER - 1n })
    let accepted = 0
    fc.assert(
      fc.property(text, scalars, mutation, (text, nonce, mutation) => {
        const signature = forged(text, nonce, mutation)
        const verdicts = Object.values(verifiers).map((verifier) => verifier.verify(key, text, signature))
        expect(new Set(verdicts).size).toBe(1)
        if (verdicts[0] === true) accepted++
        if (!isWellFormedSignature(signature)) expect(verdicts[0]).toBe(false)
      }),
      { numRuns: 300 },
    )
    expect(accepted).toBeGreaterThan(0)
  })
})

describe('signers', () => {
  it.each(Object.entries(signers))('%s: RFC 8032 section 7.1, test 1', (_, make) => {
    const seed = Buffer.from('9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60', 'hex')
    const signer = make(seed)
    expect(Buffer.from(signer.publicKey).toString('hex')).toBe(
      'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a',
    )
    expect(Buffer.from(signer.sign(new Uint8Array())).toString('hex')).toBe(
      'e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b',
    )
  })

  it.each(Object.entries(signers))('%s: a seed of 31 bytes is refused', (_, make) => {
    expect(() => make(new Uint8Array(31))).toThrow('seed: expected 32 bytes, got 31')
  })
})

/** What is done to an honest signature: T_i added to R before S is computed, iL added to S, a flipped bit, a new length. */
type Mutation =
  | { readonly kind: 'torsion'; readonly index: number }
  | { readonly kind: 'multiple'; readonly index: number }
  | { readonly kind: 'bit'; readonly index: number }
  | { readonly kind: 'length'; readonly index: number }

const mutation: fc.Arbitrary<Mutation> = fc.oneof(
  fc.record({ kind: fc.constant('torsion'), index: fc.nat(7) }),
  fc.record({ kind: fc.constant('multiple'), index: fc.nat(15) }),
  fc.record({ kind: fc.constant('bit'), index: fc.nat(511) }),
  fc.record({ kind: fc.constant('length'), index: fc.nat(80) }),
)

function forged(text: Uint8Array, nonce: bigint, { kind, index }: Mutation): Uint8Array {
  const commitment = Point.BASE.multiply(nonce)
  const signature = signWith(commitment.toBytes(), nonce, HONEST_KEY, SECRET_SCALAR, text)
  switch (kind) {
    case 'torsion':
      return signWith(commitment.add(torsion(index)).toBytes(), nonce, HONEST_KEY, SECRET_SCALAR, text)
    case 'multiple': {
      const scalar = fromLittleEndian(signature.subarray(32)) + BigInt(index) * GROUP_ORDER
      return concatBytes(signature.subarray(0, 32), littleEndian(scalar))
    }
    case 'bit':
      return flipped(signature, index)
    case 'length':
      return concatBytes(signature, signature).subarray(0, index)
  }
}

function flipped(bytes: Uint8Array, bit: number): Uint8Array {
  const copy = Uint8Array.from(bytes)
  copy[bit >> 3] = (copy[bit >> 3] ?? 0) ^ (1 << (bit & 7))
  return copy
}

function admitted(bytes: Uint8Array): AdmittedKey {
  const key = admitKey(bytes)
  if (key === undefined) throw new Error('expected an admissible key')
  return key
}
