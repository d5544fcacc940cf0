// The passphrase of secret key files: from a file, or from the environment. Never from the command line, which other
// users of the machine can see.

import { fromUtf8 } from '../crypto/index.ts'
import { KeysError } from './errors.ts'
import { readSecretFile } from './files.ts'

export const PASSPHRASE_VARIABLE = 'QUORATE_PASSPHRASE'
/** What OpenSSL's own reader takes. */
export const MAX_PASSPHRASE_BYTES = 1024

export interface PassphraseSources {
  /** A file that only its owner can read; one line break at its end is not part of the passphrase. */
  readonly file?: string | undefined
  readonly environment?: Readonly<Record<string, string | undefined>> | undefined
}

/**
 * The passphrase of the file where one is named, else of {@link PASSPHRASE_VARIABLE}, else undefined.
 * @throws {KeysError} where it is empty, too long, not text, or in a file that others can read.
 */
export async function readPassphrase({ file, environment = {} }: PassphraseSources): Promise<string | undefined> {
  const value = environment[PASSPHRASE_VARIABLE]
  if (file === undefined) return value === undefined ? undefined : checked(value, PASSPHRASE_VARIABLE)
  const text = fromUtf8(await readSecretFile(file))
  if (text === undefined)
    throw new KeysError('bad-passphrase', `${file} is not UTF-8 text; a passphrase is one line of it`)
  return checked(text.replace(/\r?\n$/, ''), file)
}

function checked(passphrase: string, source: string): string {
  if (passphrase === '') {
    throw new KeysError('bad-passphrase', `${source} is empty; remove it, or put a passphrase into it`)
  }
  if (/[\r\n\0]/.test(passphrase)) {
    throw new KeysError('bad-passphrase', `${source} has more than one line; a passphrase is one line`)
  }
  if (Buffer.byteLength(passphrase) > MAX_PASSPHRASE_BYTES) {
    throw new KeysError('bad-passphrase', `${source} is longer than ${MAX_PASSPHRASE_BYTES} bytes`)
  }
  return passphrase
}
