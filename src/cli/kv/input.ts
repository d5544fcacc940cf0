// What the commands on keys read: keys from the command line, values and transactions from standard input or a file.

import { open } from 'node:fs/promises'
import type { Readable } from 'node:stream'
import { MAX_KV_KEY_BYTES } from '../../machine/index.ts'
import { type Input, UsageError } from '../command.ts'
import { bytesOf } from './bytes.ts'

/** More than any request may have. */
export const MAX_INPUT_BYTES = 16 * 1024 * 1024

/** @throws {UsageError} where the key is empty, too long, or not the base64 that it should be. */
export function keyArgument(input: Input, name: string): Uint8Array {
  return keyOf(name, input.argument(name), input.flag('base64'))
}

export function keyOf(subject: string, text: string, inBase64: boolean): Uint8Array {
  const key = bytesOf(subject, text, inBase64)
  if (key.length === 0) throw new UsageError(`${subject} is empty; a key has at least one byte`)
  if (key.length > MAX_KV_KEY_BYTES) {
    throw new UsageError(`${subject} has ${key.length} bytes; a key has at most ${MAX_KV_KEY_BYTES}`)
  }
  return key
}

/** All of standard input, as it is. */
export function standardInput(): Promise<Uint8Array> {
  return readAll('standard input', process.stdin)
}

/** A file, or standard input for `-`. @throws {UsageError} */
export async function fileOrInput(path: string, most = MAX_INPUT_BYTES): Promise<Uint8Array> {
  if (path === '-') return standardInput()
  const file = await open(path).catch((error: unknown) => {
    const reason = error instanceof Error && 'code' in error ? String(error.code) : String(error)
    throw new UsageError(`${path} cannot be read: ${reason === 'ENOENT' ? 'there is no such file' : reason}`)
  })
  return readAll(path, file.createReadStream(), most)
}

async function readAll(subject: string, stream: Readable, most = MAX_INPUT_BYTES): Promise<Uint8Array> {
  const parts: Buffer[] = []
  let length = 0
  for await (const part of stream) {
    const bytes = Buffer.from(part)
    length += bytes.length
    if (length > most) throw new UsageError(`${subject} has more than ${most} bytes`)
    parts.push(bytes)
  }
  return new Uint8Array(Buffer.concat(parts))
}
