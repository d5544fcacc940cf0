// The form of a signed note, without judging its signatures:
//
//   <text: any lines, empty ones too; ends with a line feed>
//   <empty line>
//   — <key name> <base64 of: key id (4 bytes), signature>        one or more lines
//
// UTF-8 without control characters but the line feed. The last empty line ends the text; signatures are over the text with
// its final line feed, without the empty line. What parses is written back to the same bytes; but a note's bytes are still
// no identity, as lines can be added and reordered by anyone: for that, hash the text (pitfall P35).
// Ref: c2sp.org/signed-note, "Format".

import { base64, concatBytes, equalBytes, fromBase64, fromHex, fromUtf8, hex, utf8 } from '../bytes.ts'
import { failure, type Result, success } from '../result.ts'
import { isKeyName, KEY_ID_BYTES } from './key.ts'
import { controlCharacterAt } from './text.ts'

export interface NoteSignature {
  readonly name: string
  /** 8 lower-case hex digits. */
  readonly id: string
  /** At least 1 byte; 64 for a plain Ed25519 key. */
  readonly signature: Uint8Array
}

/** A note in form; nothing is known about its signatures. */
export interface Note {
  /** Ends with a line feed. */
  readonly text: string
  readonly signatures: readonly NoteSignature[]
}

export type NoteFault =
  | { readonly code: 'too-large'; readonly bytes: number; readonly limit: number }
  | { readonly code: 'control-character'; readonly offset: number }
  | { readonly code: 'not-utf8' }
  | { readonly code: 'no-signatures' }
  | { readonly code: 'too-many-signatures'; readonly lines: number; readonly limit: number }
  | { readonly code: 'bad-signature-line'; readonly line: number }

/** Signature lines; the existing tools read as many. A checkpoint of ours has at most MAX_REPLICAS. */
export const MAX_NOTE_SIGNATURES = 100
/** Bytes of a note. 100 lines of the largest known signature (5 kB, in base64 6.7 kB) and a text of 300 kB fit in. */
export const MAX_NOTE_BYTES = 1_000_000

const LINE_START = '\u2014 '

/** The note in `bytes`, or what keeps them from being one. {@link formatNote} gives the same bytes back. */
export function parseNote(bytes: Uint8Array): Result<Note, NoteFault> {
  if (bytes.length > MAX_NOTE_BYTES) return failure({ code: 'too-large', bytes: bytes.length, limit: MAX_NOTE_BYTES })
  const offset = controlCharacterAt(bytes)
  if (offset !== -1) return failure({ code: 'control-character', offset })
  const content = fromUtf8(bytes)
  if (content === undefined) return failure({ code: 'not-utf8' })

  const textEnd = content.lastIndexOf('\n\n') + 1
  const block = content.slice(textEnd + 1)
  if (textEnd === 0 || !block.endsWith('\n')) return failure({ code: 'no-signatures' })
  const lines = block.slice(0, -1).split('\n')
  if (lines.length > MAX_NOTE_SIGNATURES) {
    return failure({ code: 'too-many-signatures', lines: lines.length, limit: MAX_NOTE_SIGNATURES })
  }
  const signatures: NoteSignature[] = []
  for (const line of lines) {
    const signature = parseLine(line)
    if (signature === undefined) return failure({ code: 'bad-signature-line', line: signatures.length + 1 })
    signatures.push(signature)
  }
  return success({ text: content.slice(0, textEnd), signatures })
}

/**
 * The bytes of `note`.
 * @throws {RangeError} where they would not parse as this note: the text does not end with a line feed or holds control
 * characters, there is no signature or more than {@link MAX_NOTE_SIGNATURES}, a name or an id is malformed.
 */
export function formatNote(note: Note): Uint8Array {
  const bytes = utf8(`${note.text}\n${note.signatures.map(formatLine).join('')}`)
  const parsed = parseNote(bytes)
  if (!parsed.ok) throw new RangeError(`note: expected one that parses, got ${parsed.fault.code}`)
  if (!sameNote(parsed.value, note)) throw new RangeError('note: expected one that parses as itself, got another')
  return bytes
}

function parseLine(line: string): NoteSignature | undefined {
  if (!line.startsWith(LINE_START)) return undefined
  const [name = '', encoded = '', ...more] = line.slice(LINE_START.length).split(' ')
  const payload = fromBase64(encoded)
  if (more.length > 0 || !isKeyName(name) || payload === undefined || payload.length <= KEY_ID_BYTES) return undefined
  return { name, id: hex(payload.subarray(0, KEY_ID_BYTES)), signature: payload.slice(KEY_ID_BYTES) }
}

function formatLine({ name, id, signature }: NoteSignature): string {
  return `${LINE_START}${name} ${base64(concatBytes(fromHex(id) ?? new Uint8Array(0), signature))}\n`
}

function sameNote(a: Note, b: Note): boolean {
  return a.text === b.text && a.signatures.length === b.signatures.length && a.signatures.every(sameAsIn(b))
}

function sameAsIn(note: Note): (signature: NoteSignature, i: number) => boolean {
  return ({ name, id, signature }, i) => {
    const other = note.signatures[i]
    return other !== undefined && name === other.name && id === other.id && equalBytes(signature, other.signature)
  }
}
