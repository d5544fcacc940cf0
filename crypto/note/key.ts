// The names of keys that sign notes. A verifier key as people pass it on:
//
//   <name>+<key id, 8 lower-case hex digits>+<base64 of: type byte, public key>
//
// The key id is the first 4 bytes of SHA-256(name, 0x0a, type byte, public key): a handle for finding the key, not a digest
// to trust, since anyone can make another key with the same id. Only type 0x01, plain Ed25519, is known here.
// Ref: c2sp.org/signed-note, "Signatures"; golang.org/x/mod/sumdb/note for the textual form.

import { base64, concatBytes, fromBase64, hex, utf8 } from '../bytes.ts'
import { sha256 } from '../digest.ts'
import { type AdmittedKey, admitKey } from '../ed25519.ts'
import { failure, type Result, success } from '../result.ts'
import { isLine } from './text.ts'

export interface NoteKey {
  /** Not empty; no Unicode space, no '+', no control character. */
  readonly name: string
  /** 8 lower-case hex digits. */
  readonly id: string
  readonly publicKey: AdmittedKey
}

export type VerifierKeyFault =
  | { readonly code: 'bad-form' }
  | { readonly code: 'bad-name'; readonly name: string }
  | { readonly code: 'unknown-type'; readonly type: number }
  | { readonly code: 'bad-public-key' }
  | { readonly code: 'wrong-id'; readonly stated: string; readonly computed: string }

/** The key id in a signature line. */
export const KEY_ID_BYTES = 4
const ED25519_TYPE = 0x01

/** The key under its name. @throws {RangeError} where {@link isKeyName} says that it is none. */
export function noteKey(name: string, publicKey: AdmittedKey): NoteKey {
  if (!isKeyName(name)) {
    throw new RangeError(`key name: expected no space, '+' or control character, got ${JSON.stringify(name)}`)
  }
  return Object.freeze({ name, id: keyId(name, publicKey), publicKey })
}

export function isKeyName(name: string): boolean {
  return isLine(name) && !/[+\p{White_Space}]/u.test(name)
}

/** The verifier key as text, for configuring other tools. */
export function formatVerifierKey(key: NoteKey): string {
  return `${key.name}+${key.id}+${base64(concatBytes(Uint8Array.of(ED25519_TYPE), key.publicKey))}`
}

/** The key in `text`, which must be exactly what {@link formatVerifierKey} writes for one that `admitKey` admits. */
export function parseVerifierKey(text: string): Result<NoteKey, VerifierKeyFault> {
  const [, name, stated, encoded] = /^([^+]*)\+([0-9a-f]{8})\+(.*)$/s.exec(text) ?? []
  const typed = fromBase64(encoded ?? '')
  const type = typed?.[0]
  if (name === undefined || stated === undefined || typed === undefined || type === undefined) {
    return failure({ code: 'bad-form' })
  }
  if (!isKeyName(name)) return failure({ code: 'bad-name', name })
  if (type !== ED25519_TYPE) return failure({ code: 'unknown-type', type })
  const publicKey = admitKey(typed.subarray(1))
  if (publicKey === undefined) return failure({ code: 'bad-public-key' })
  const key = noteKey(name, publicKey)
  return key.id === stated ? success(key) : failure({ code: 'wrong-id', stated, computed: key.id })
}

function keyId(name: string, publicKey: AdmittedKey): string {
  const named = concatBytes(utf8(`${name}\n`), Uint8Array.of(ED25519_TYPE), publicKey)
  return hex(sha256(named).subarray(0, KEY_ID_BYTES))
}
