import { createPublicKey, createSecretKey, generateKeyPairSync } from 'node:crypto'
import { describe, expect, it, vi } from 'vitest'
import { concatBytes, GROUP_ORDER, portableVerifier, utf8 } from '../../../crypto/index.ts'
import { nativeSigner, nativeVerifier } from '../../../keys/native/index.ts'
import { littleEndian } from '../../support/ed25519.ts'

const openssl = vi.hoisted(() => ({ accepts: vi.fn<() => boolean>() }))

/** An OpenSSL, or a Node around it, that checks only what it is told to: what a later release may do. */
vi.mock('node:crypto', async (original) => ({
  ...(await original<typeof import('node:crypto')>()),
  verify: openssl.accepts,
}))

describe('the native verifier', () => {
  const signer = nativeSigner(new Uint8Array(32).fill(1))
  const message = utf8('a vote')
  const signature = signer.sign(message)

  it('takes the verdict on a well-formed signature from OpenSSL', () => {
    for (const verdict of [true, false]) {
      openssl.accepts.mockReset().mockReturnValue(verdict)
      expect(nativeVerifier.verify(signer.publicKey, message, signature)).toBe(verdict)
      expect(openssl.accepts).toHaveBeenCalledOnce()
    }
  })

  it.each([
    ['63 bytes (S1)', signature.subarray(0, 63)],
    ['65 bytes (S1)', concatBytes(signature, new Uint8Array(1))],
    ['S = L (S2)', concatBytes(signature.subarray(0, 32), littleEndian(GROUP_ORDER))],
    ['R = identity (S3)', concatBytes(littleEndian(1n), signature.subarray(32))],
  ])('refuses %s by itself, whatever OpenSSL would say', (_, malformed) => {
    openssl.accepts.mockReset().mockReturnValue(true)
    expect(nativeVerifier.verify(signer.publicKey, message, malformed)).toBe(false)
    expect(openssl.accepts).not.toHaveBeenCalled()
  })
})

describe('the native signer', () => {
  it('signs with a key object as the portable verifier expects, under the key that the object holds', () => {
    const { privateKey, publicKey } = generateKeyPairSync('ed25519')
    const signer = nativeSigner(privateKey)
    const message = utf8('a vote')
    expect(Buffer.from(signer.publicKey).toString('base64url')).toBe(publicKey.export({ format: 'jwk' }).x)
    expect(portableVerifier.verify(signer.publicKey, message, signer.sign(message))).toBe(true)
  })

  it('a public key, a symmetric key, and a private key of another kind are refused, and none is shown', () => {
    const { privateKey } = generateKeyPairSync('ed25519')
    const refused = 'secret key: expected a private ed25519 key, got a'
    expect(() => nativeSigner(createPublicKey(privateKey))).toThrow(`${refused} public ed25519 key`)
    expect(() => nativeSigner(createSecretKey(new Uint8Array(32)))).toThrow(`${refused} secret symmetric key`)
    expect(() => nativeSigner(generateKeyPairSync('x25519').privateKey)).toThrow(`${refused} private x25519 key`)
  })
})
