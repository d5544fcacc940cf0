// Who signed a note. Existing tools accept one known signature and leave thresholds to their callers; here the threshold is
// part of the question, so that nobody counts lines instead of keys.
// Ref: c2sp.org/signed-note, "Signatures".

import type { Verified } from '../brands.ts'
import { hex, utf8 } from '../bytes.ts'
import type { SignatureVerifier, Signer } from '../ed25519.ts'
import { failure, type Result, success } from '../result.ts'
import { markVerified } from '../verified.ts'
import { type NoteKey, noteKey } from './key.ts'
import { type Note, type NoteFault, type NoteSignature, parseNote } from './note.ts'
import { isNoteText } from './text.ts'

export interface NotePolicy {
  /** The known keys, each of another signer. */
  readonly keys: readonly NoteKey[]
  /** How many of them must have signed: from 1 to their number. */
  readonly threshold: number
}

/** A text and the known keys that signed it. */
export interface SignedText {
  readonly text: string
  /** In the order of their first lines. */
  readonly signers: readonly NoteKey[]
}

export type NoteRefusal =
  | NoteFault
  | { readonly code: 'bad-signature'; readonly name: string; readonly id: string }
  | { readonly code: 'too-few-signers'; readonly have: number; readonly need: number }

/**
 * The signature line of `signer` under `name`, on `text`.
 * @throws {RangeError} where `name` is no key name, or `text` no text of a note. Without that check the bytes of a vote,
 * which begin with a control character so that no note can hold them, could be signed as if they were a note's (pitfall P37).
 */
export function signNote(text: string, name: string, signer: Signer): NoteSignature {
  if (!isNoteText(text)) throw new RangeError('note text: expected printable lines that end with a line feed')
  const key = noteKey(name, signer.publicKey)
  return { name: key.name, id: key.id, signature: signer.sign(utf8(text)) }
}

/**
 * The text of the note in `bytes`, where at least `threshold` of the known keys signed it. Lines whose name and id together
 * name no known key are ignored; one bad line of a known key refuses the note; further good lines of a key count for nothing.
 * Checks at most MAX_NOTE_SIGNATURES signatures.
 * @throws {RangeError} where the policy is malformed: a threshold out of range, or two keys that share (name, id) or the
 * public key, so that one signer could count twice.
 */
export function verifyNote(
  bytes: Uint8Array,
  policy: NotePolicy,
  verifier: SignatureVerifier,
): Result<Verified<SignedText>, NoteRefusal> {
  const keys = keyTable(policy)
  const parsed = parseNote(bytes)
  return parsed.ok ? verifySignatures(parsed.value, keys, policy.threshold, verifier) : parsed
}

/** The known keys by (name, id). @throws {RangeError} as said at {@link verifyNote}. */
export function keyTable({ keys, threshold }: NotePolicy): ReadonlyMap<string, NoteKey> {
  if (!Number.isInteger(threshold) || threshold < 1 || threshold > keys.length) {
    throw new RangeError(`threshold: expected an integer from 1 to ${keys.length}, got ${threshold}`)
  }
  const table = new Map(keys.map((key) => [handle(key), key]))
  if (table.size !== keys.length) throw new RangeError('keys: expected distinct names and ids, got one pair twice')
  if (new Set(keys.map((key) => hex(key.publicKey))).size !== keys.length) {
    throw new RangeError('keys: expected distinct public keys, got one twice')
  }
  return table
}

/** {@link verifyNote} for a note that {@link parseNote} made: a hand-made text could stand for other bytes. */
export function verifySignatures(
  note: Note,
  keys: ReadonlyMap<string, NoteKey>,
  threshold: number,
  verifier: SignatureVerifier,
): Result<Verified<SignedText>, NoteRefusal> {
  const message = utf8(note.text)
  const signers = new Set<NoteKey>()
  for (const line of note.signatures) {
    const key = keys.get(handle(line))
    if (key === undefined) continue
    if (!verifier.verify(key.publicKey, message, line.signature)) {
      return failure({ code: 'bad-signature', name: key.name, id: key.id })
    }
    signers.add(key)
  }
  if (signers.size < threshold) return failure({ code: 'too-few-signers', have: signers.size, need: threshold })
  return success(markVerified({ text: note.text, signers: [...signers] }))
}

/** A name holds no space, so the two can't be confused. */
function handle({ name, id }: { readonly name: string; readonly id: string }): string {
  return `${name} ${id}`
}
