// Reads and writes the files of a keyset: whole, bounded, and durable before anyone relies on them.

import { type FileHandle, open } from 'node:fs/promises'
import { concatBytes } from '../crypto/index.ts'
import { fileError, KeysError } from './errors.ts'

export const SECRET_FILE_MODE = 0o600
export const SECRET_FOLDER_MODE = 0o700
/** A key file has about 300 bytes; whatever is much larger is something else. */
export const MAX_SECRET_BYTES = 64 * 1024

/**
 * The bytes of `path`: at most one more than `most`, by which the caller sees that it is too large.
 * @throws {KeysError} where the system refuses.
 */
export async function readPublicFile(path: string, most: number): Promise<Uint8Array> {
  return withFile(path, (file) => readUpTo(file, most + 1))
}

/**
 * The bytes of a file that only its owner can read. The mode is taken from the open file, so it is that of the bytes
 * read. Windows has no such modes; there the folder's access list must guard it.
 * @throws {KeysError} where others can read it, or where the system refuses.
 */
export async function readSecretFile(path: string): Promise<Uint8Array> {
  return withFile(path, async (file) => {
    const mode = (await file.stat()).mode & 0o777
    if (process.platform !== 'win32' && (mode & 0o077) !== 0) {
      const shown = mode.toString(8).padStart(4, '0')
      throw new KeysError('too-open', `${path} is open to other users (mode ${shown}); run: chmod 600 ${path}`)
    }
    const bytes = await readUpTo(file, MAX_SECRET_BYTES + 1)
    if (bytes.length > MAX_SECRET_BYTES) throw new KeysError('not-a-key', `${path} is too large to be a secret file`)
    return bytes
  })
}

/** Writes a new file and waits until it is on disk; fails where something is there already. */
export async function writeNewFile(path: string, text: string, mode: number): Promise<void> {
  const file = await open(path, 'wx', mode)
  try {
    await file.writeFile(text)
    await file.sync()
  } finally {
    await file.close()
  }
}

/** Waits until the entries of a folder are on disk. Windows neither needs nor permits it. */
export async function syncFolder(path: string): Promise<void> {
  if (process.platform === 'win32') return
  const folder = await open(path, 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}

async function withFile<Value>(path: string, use: (file: FileHandle) => Promise<Value>): Promise<Value> {
  let file: FileHandle | undefined
  try {
    file = await open(path, 'r')
    return await use(file)
  } catch (error) {
    throw error instanceof KeysError ? error : fileError(path, error)
  } finally {
    await file?.close()
  }
}

async function readUpTo(file: FileHandle, most: number): Promise<Uint8Array> {
  const parts: Uint8Array[] = []
  let length = 0
  while (length < most) {
    const { bytesRead, buffer } = await file.read(new Uint8Array(Math.min(most - length, 64 * 1024)))
    if (bytesRead === 0) break
    parts.push(buffer.subarray(0, bytesRead))
    length += bytesRead
  }
  return concatBytes(...parts)
}
