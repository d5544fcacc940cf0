import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  admitKey,
  hex,
  isWellFormedSignature,
  portableSigner,
  portableVerifier,
  publicKey,
} from '../../crypto/index.ts'
import { simulatedSuite } from '../../src/simulation/index.ts'

const { signer, torsionSigner, verifier, lenientVerifier } = simulatedSuite
const alice = signer('alice')
const bob = signer('bob')
const message = new Uint8Array(161).fill(7)

describe('a simulated signature', () => {
  it('is good for its key and message, also under a copy of the key', () => {
    const signature = alice.sign(message)
    const copy = admitKey(publicKey(alice.publicKey))
    expect(verifier.verify(alice.publicKey, message, signature)).toBe(true)
    expect(copy !== undefined && verifier.verify(copy, message, signature)).toBe(true)
    expect(isWellFormedSignature(signature)).toBe(true)
  })

  it('is good for no other key, and for no key that nobody made a signer for', () => {
    const stranger = portableSigner(new Uint8Array(32).fill(9)).publicKey
    expect(verifier.verify(bob.publicKey, message, alice.sign(message))).toBe(false)
    expect(verifier.verify(stranger, message, alice.sign(message))).toBe(false)
  })

  it('is good for no other message and with no other byte', () => {
    const signature = alice.sign(message)
    fc.assert(
      fc.property(fc.nat({ max: 160 }), fc.nat({ max: 63 }), fc.integer({ min: 1, max: 255 }), (at, where, flip) => {
        const otherMessage = Uint8Array.from(message)
        otherMessage[at] = (otherMessage[at] ?? 0) ^ flip
        const otherSignature = Uint8Array.from(signature)
        otherSignature[where] = (otherSignature[where] ?? 0) ^ flip
        return (
          !verifier.verify(alice.publicKey, otherMessage, signature) &&
          !verifier.verify(alice.publicKey, message, otherSignature)
        )
      }),
    )
    expect(verifier.verify(alice.publicKey, message.subarray(1), signature)).toBe(false)
    expect(verifier.verify(alice.publicKey, message, signature.subarray(1))).toBe(false)
  })

  it('differs for messages of zeros that differ in length alone', () => {
    const seen = new Set(Array.from({ length: 64 }, (_, length) => hex(alice.sign(new Uint8Array(length)))))
    expect(seen.size).toBe(64)
  })

  it('is no Ed25519 signature', () => {
    expect(portableVerifier.verify(alice.publicKey, message, alice.sign(message))).toBe(false)
  })

  it('with torsion is refused by the rule and taken by a lenient verifier', () => {
    const twisted = torsionSigner('alice').sign(message)
    expect(verifier.verify(alice.publicKey, message, twisted)).toBe(false)
    expect(lenientVerifier.verify(alice.publicKey, message, twisted)).toBe(true)
    expect(lenientVerifier.verify(alice.publicKey, message, alice.sign(message))).toBe(true)
    expect(lenientVerifier.verify(bob.publicKey, message, twisted)).toBe(false)
  })
})
