// Noise's cipher, on OpenSSL with key objects. Given the bytes of a key, Node makes an object of them for each message, which takes three
// times as long as the message itself: some 30 of 40 µs (Node 24). A connection has two keys as long as it lives.

import { createCipheriv, createDecipheriv, createSecretKey, type KeyObject } from 'node:crypto'
import type { ICryptoInterface } from '@chainsafe/libp2p-noise'
import { defaultCrypto } from '@chainsafe/libp2p-noise/crypto'

type Bytes = Parameters<ICryptoInterface['chaCha20Poly1305Encrypt']>[0]

const CIPHER = 'chacha20-poly1305'
const TAG_BYTES = 16
/** Below, noise's own WebAssembly is quicker. */
const SHORT_BYTES = 200
/** Pieces that have more bytes together are not worth a copy. */
const JOINED_BYTES = 4096

/** By the array that noise holds a key in, whose content it never changes. */
const keyObjects = new WeakMap<Uint8Array, KeyObject>()

/** What noise uses by itself, with the same bytes on the wire; only the cipher is another implementation. Ref: RFC 8439 section 2.8. */
export const noiseCrypto: ICryptoInterface = {
  ...defaultCrypto,

  chaCha20Poly1305Encrypt(plaintext, nonce, ad, key) {
    if (plaintext.byteLength < SHORT_BYTES) return defaultCrypto.chaCha20Poly1305Encrypt(plaintext, nonce, ad, key)
    const cipher = createCipheriv(CIPHER, keyObjectOf(key), nonce, { authTagLength: TAG_BYTES })
    if (ad.length > 0) cipher.setAAD(ad, { plaintextLength: plaintext.byteLength })
    const pieces = Array.from(piecesOf(plaintext), (piece) => cipher.update(piece))
    // A stream cipher keeps nothing back.
    cipher.final()
    return Buffer.concat([...pieces, cipher.getAuthTag()], plaintext.byteLength + TAG_BYTES)
  },

  /** @throws {Error} where the tag is not that of the message. */
  chaCha20Poly1305Decrypt(ciphertext, nonce, ad, key, dst) {
    const length = ciphertext.byteLength - TAG_BYTES
    if (length < SHORT_BYTES) return defaultCrypto.chaCha20Poly1305Decrypt(ciphertext, nonce, ad, key, dst)
    const decipher = createDecipheriv(CIPHER, keyObjectOf(key), nonce, { authTagLength: TAG_BYTES })
    decipher.setAuthTag(ciphertext.subarray(length))
    if (ad.length > 0) decipher.setAAD(ad, { plaintextLength: length })
    const text = ciphertext instanceof Uint8Array ? ciphertext.subarray(0, length) : ciphertext.sublist(0, length)
    const [first = new Uint8Array(0), ...rest] = Array.from(piecesOf(text), (piece) => decipher.update(piece))
    decipher.final()
    return rest.length === 0 ? first : Buffer.concat([first, ...rest], length)
  },
}

function piecesOf(bytes: Bytes): Iterable<Uint8Array> {
  if (bytes instanceof Uint8Array) return [bytes]
  return bytes.byteLength <= JOINED_BYTES ? [bytes.subarray()] : bytes
}

function keyObjectOf(key: Uint8Array): KeyObject {
  const known = keyObjects.get(key)
  if (known !== undefined) return known
  const made = createSecretKey(key)
  keyObjects.set(key, made)
  return made
}
