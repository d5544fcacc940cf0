// Keys and values as a command line and JSON show them: text where they are text, base64 where they are not or where it is asked for.

import { base64, fromBase64, fromUtf8, utf8 } from '../../../crypto/index.ts'
import type { KeyValue } from '../../machine/index.ts'
import { UsageError } from '../command.ts'

/** The bytes that an argument stands for. @throws {UsageError} where it should be base64 and is not. */
export function bytesOf(subject: string, text: string, inBase64: boolean): Uint8Array {
  if (!inBase64) return utf8(text)
  const bytes = fromBase64(text)
  if (bytes === undefined) throw new UsageError(`${subject} is not padded base64, which --base64 says it is`)
  return bytes
}

/** `{ <name>: text }`, or `{ <name>Base64: ... }` for bytes that are no text or are to be shown so. */
export function shown(name: string, bytes: Uint8Array, inBase64: boolean): Readonly<Record<string, string>> {
  const text = inBase64 ? undefined : fromUtf8(bytes)
  return text === undefined ? { [`${name}Base64`]: base64(bytes) } : { [name]: text }
}

/** Text for a terminal; bytes that are no text as base64, and said so. */
export function lineOf(bytes: Uint8Array, inBase64: boolean): string {
  if (inBase64) return base64(bytes)
  return fromUtf8(bytes) ?? `base64:${base64(bytes)}`
}

export function entryValue(entry: KeyValue, inBase64: boolean): object {
  const { key, value, createRevision, modRevision, version, lease } = entry
  const numbers = { createRevision, modRevision, version, ...(lease === 0 ? {} : { lease }) }
  return { ...shown('key', key, inBase64), ...shown('value', value, inBase64), ...numbers }
}
