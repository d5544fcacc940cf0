// The cipher of connections is the one that every libp2p has, whoever computes it, and refuses what was changed on the way.

import { nodeCrypto } from '@chainsafe/libp2p-noise/crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { noiseCrypto } from '../../net/libp2p/noise-crypto.ts'

type Sealed = ReturnType<typeof noiseCrypto.chaCha20Poly1305Encrypt>

const key = fc.uint8Array({ minLength: 32, maxLength: 32 })
const nonce = fc.uint8Array({ minLength: 12, maxLength: 12 })
/** None, as for messages, or a hash, as in the handshake. */
const associated = fc.constantFrom(0, 32).chain((length) => fc.uint8Array({ minLength: length, maxLength: length }))
/** On both sides of every boundary. */
const text = fc
  .constantFrom(0, 1, 150, 183, 184, 199, 200, 201, 216, 4095, 4097, 65_519)
  .chain((length) => fc.nat(255).map((seed) => Uint8Array.from({ length }, (_, i) => i * 7 + seed)))

const bytesOf = (sealed: Sealed) => Uint8Array.from(sealed.subarray())

/** What comes from the muxer: a list of pieces, made by noise's own code since its class is not ours to import. */
function listOf(pieces: readonly Uint8Array[]) {
  const list = nodeCrypto.chaCha20Poly1305Encrypt(
    emptyList(),
    new Uint8Array(12),
    new Uint8Array(0),
    new Uint8Array(32),
  )
  if (list instanceof Uint8Array) throw new Error('unreachable: a list is encrypted to a list')
  list.consume(list.byteLength)
  for (const piece of pieces) list.append(piece)
  return list
}

function emptyList() {
  const some = Object.assign([], { byteLength: 0 })
  return some as unknown as Exclude<Sealed, Uint8Array>
}

describe('the cipher of connections', () => {
  it('writes what noise by itself writes, of one piece and of many, and reads it back', () => {
    fc.assert(
      fc.property(text, key, nonce, associated, fc.nat(70_000), (plain, k, n, ad, cut) => {
        const expected = bytesOf(nodeCrypto.chaCha20Poly1305Encrypt(plain, n, ad, k))
        const pieces = [plain.subarray(0, cut), plain.subarray(cut)]
        for (const given of [plain, listOf(pieces)]) {
          expect(bytesOf(noiseCrypto.chaCha20Poly1305Encrypt(given, n, ad, k))).toEqual(expected)
        }
        for (const given of [expected.slice(), listOf([expected.slice(0, cut), expected.slice(cut)])]) {
          expect(bytesOf(noiseCrypto.chaCha20Poly1305Decrypt(given, n, ad, k))).toEqual(plain)
        }
      }),
      { numRuns: 60 },
    )
  })

  it('goes with the key of each message', () => {
    fc.assert(
      fc.property(fc.uniqueArray(key, { minLength: 2, maxLength: 4, comparator: 'SameValue' }), nonce, (keys, n) => {
        const plain = new Uint8Array(300)
        const none = new Uint8Array(0)
        for (const k of [...keys, ...keys.toReversed()]) {
          const sealed = noiseCrypto.chaCha20Poly1305Encrypt(plain, n, none, k)
          expect(bytesOf(sealed)).toEqual(bytesOf(nodeCrypto.chaCha20Poly1305Encrypt(plain, n, none, k)))
        }
      }),
    )
  })

  it('refuses a message of which any byte was changed, or what belongs to it', () => {
    fc.assert(
      fc.property(
        text,
        key,
        nonce,
        associated,
        fc.nat(),
        fc.integer({ min: 1, max: 255 }),
        (plain, k, n, ad, at, bits) => {
          const sealed = bytesOf(noiseCrypto.chaCha20Poly1305Encrypt(plain, n, ad, k))
          const flip = (bytes: Uint8Array) => bytes.map((byte, i) => (i === at % bytes.length ? byte ^ bits : byte))
          const open = (bytes: Uint8Array, n_: Uint8Array, ad_: Uint8Array, k_: Uint8Array) => () =>
            noiseCrypto.chaCha20Poly1305Decrypt(bytes.slice(), n_, ad_, k_)
          expect(open(sealed, n, ad, k)).not.toThrow()
          expect(open(flip(sealed), n, ad, k)).toThrow()
          expect(open(sealed, flip(n), ad, k)).toThrow()
          expect(open(sealed, n, ad.length === 0 ? new Uint8Array(1) : flip(ad), k)).toThrow()
          expect(open(sealed, n, ad, flip(k))).toThrow()
        },
      ),
      { numRuns: 60 },
    )
  })
})
