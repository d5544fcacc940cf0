// What may stand in a note, and how numbers stand in it.

import { fromUtf8, utf8 } from '../bytes.ts'

const LINE_FEED = 0x0a
const FIRST_PRINTABLE = 0x20

/** Position of the first byte below 0x20 that is not a line feed; -1 without one. Exact for UTF-8: its tails are above. */
export function controlCharacterAt(bytes: Uint8Array): number {
  return bytes.findIndex((byte) => byte < FIRST_PRINTABLE && byte !== LINE_FEED)
}

/** Whether `text` is a line of a note: not empty, one line, no control character, no half of a surrogate pair. */
export function isLine(text: string): boolean {
  if (/^[ -~]+$/.test(text)) return true
  return text !== '' && !text.includes('\n') && isNoteText(`${text}\n`)
}

/** Whether `text` can be the text of a note: ends with a line feed, no control character, no half of a surrogate pair. */
export function isNoteText(text: string): boolean {
  const bytes = utf8(text)
  return text.endsWith('\n') && controlCharacterAt(bytes) === -1 && fromUtf8(bytes) === text
}

/** The integer, or undefined where `text` is not the decimal form (no leading zero) of one below 2^53. */
export function fromDecimal(text: string): number | undefined {
  if (!/^(?:0|[1-9][0-9]{0,15})$/.test(text)) return undefined
  const value = Number(text)
  return Number.isSafeInteger(value) ? value : undefined
}
