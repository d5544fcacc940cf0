// Secret keys as PKCS #8 PEM, which openssl and every other tool reads: `PRIVATE KEY` in the clear, or `ENCRYPTED
// PRIVATE KEY` under a passphrase. What Node writes for the latter is PBES2: PBKDF2 with HMAC-SHA-256, 16 bytes of salt
// and only 2048 iterations, then AES-256-CBC; nobody can choose a larger count, so docs/keys.md says what a passphrase
// must bear. Whatever OpenSSL decrypts is read, scrypt too. Ref: RFC 5958, RFC 7468, RFC 8018, RFC 8410.

import { createPrivateKey, type KeyObject } from 'node:crypto'
import { fromUtf8 } from '../crypto/index.ts'
import { KeysError } from './errors.ts'

const PLAIN = pemPattern('PRIVATE KEY')
const ENCRYPTED = pemPattern('ENCRYPTED PRIVATE KEY')

/** The PEM text of `key`, encrypted where a passphrase is given. */
export function secretKeyPem(key: KeyObject, passphrase?: string): string {
  const form = { type: 'pkcs8', format: 'pem' } as const
  const text = key.export(passphrase === undefined ? form : { ...form, cipher: 'aes-256-cbc', passphrase })
  return text.toString()
}

/**
 * The Ed25519 secret key in a PEM file's bytes; `path` is for messages. A passphrase that is not needed is not used.
 * @throws {KeysError} for anything else, and where the passphrase is missing or wrong.
 */
export function secretKeyOfPem(bytes: Uint8Array, path: string, passphrase?: string): KeyObject {
  const text = fromUtf8(bytes)?.trim() ?? ''
  const encrypted = ENCRYPTED.test(text)
  if (!encrypted && !PLAIN.test(text)) {
    throw new KeysError('not-a-key', `${path} is not a secret key in PKCS #8 PEM form; keygen writes such files`)
  }
  if (encrypted && passphrase === undefined) {
    throw new KeysError(
      'needs-passphrase',
      `${path} is encrypted; give its passphrase with --passphrase-file or in QUORATE_PASSPHRASE`,
    )
  }
  const key = decode(text, path, encrypted ? passphrase : undefined)
  if (key.asymmetricKeyType !== 'ed25519') {
    throw new KeysError('not-a-key', `${path} holds a ${key.asymmetricKeyType} key; an Ed25519 key is needed`)
  }
  return key
}

/** The 32-byte seed of an Ed25519 secret key: the end of its 48-byte PKCS #8 form. */
export function seedOf(key: KeyObject): Uint8Array {
  const der = key.export({ type: 'pkcs8', format: 'der' })
  const seed = Uint8Array.from(der.subarray(-32))
  der.fill(0)
  return seed
}

function decode(text: string, path: string, passphrase: string | undefined): KeyObject {
  try {
    return createPrivateKey(passphrase === undefined ? text : { key: text, passphrase })
  } catch {
    // There is no authentication in PBES2: one wrong passphrase in 256 decrypts, to bytes that are then no key.
    if (passphrase !== undefined) {
      throw new KeysError('wrong-passphrase', `${path}: the passphrase is wrong, or the file is damaged`)
    }
    throw new KeysError('not-a-key', `${path} is damaged: its PEM text does not hold a secret key`)
  }
}

function pemPattern(label: string): RegExp {
  return new RegExp(`^-----BEGIN ${label}-----\\r?\\n[A-Za-z0-9+/=\\r\\n]+\\n-----END ${label}-----$`)
}
