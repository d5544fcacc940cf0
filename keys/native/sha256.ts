// SHA-256 on OpenSSL.

import { hash } from 'node:crypto'
import { DIGEST_BYTES, freshBytes } from '../../crypto/index.ts'

/** SHA-256 of `bytes`, as text and back: half of what it costs Node to make a Buffer. */
export function nativeSha256(bytes: Uint8Array): Uint8Array {
  const text = hash('sha256', bytes, 'binary')
  const digest = freshBytes(DIGEST_BYTES)
  for (let i = 0; i < DIGEST_BYTES; i++) digest[i] = text.charCodeAt(i)
  return digest
}
