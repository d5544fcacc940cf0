// What can be wrong with keysets and is the user's to repair. The message is for people: what is wrong, and what to do.

import { faultText, type GenesisFault } from './genesis/index.ts'

export type KeysErrorCode =
  /** The file or folder does not exist. */
  | 'not-found'
  /** It exists, but could not be read or written. */
  | 'unreadable'
  /** Something is already where a keyset was to be written. */
  | 'exists'
  /** A secret file that users other than its owner may read. */
  | 'too-open'
  /** Not a PKCS #8 PEM file with an Ed25519 secret key. */
  | 'not-a-key'
  /** Encrypted, and no passphrase was given. */
  | 'needs-passphrase'
  | 'wrong-passphrase'
  /** No usable passphrase where one was promised. */
  | 'bad-passphrase'
  /** A good key in the wrong place: not in this genesis, or there for something else. */
  | 'wrong-key'
  /** A list of addresses that does not fit the replicas. */
  | 'bad-addresses'
  /** See {@link KeysError.faults}. */
  | 'invalid-genesis'

export class KeysError extends Error {
  override readonly name = 'KeysError'
  readonly code: KeysErrorCode
  /** Of a genesis that was refused; otherwise empty. */
  readonly faults: readonly GenesisFault[]

  constructor(code: KeysErrorCode, message: string, faults: readonly GenesisFault[] = []) {
    super(message)
    this.code = code
    this.faults = faults
  }
}

/** The error for a genesis with `faults`, one line each; `subject` begins the sentence. */
export function invalidGenesis(subject: string, faults: readonly GenesisFault[]): KeysError {
  const lines = faults.map((fault) => `  ${faultText(fault)}`)
  const count = faults.length === 1 ? 'one fault' : `${faults.length} faults`
  return new KeysError('invalid-genesis', `${subject} has ${count}:\n${lines.join('\n')}`, faults)
}

/** The error for what the file system answered about `path`; anything but a system error is thrown as it is. */
export function fileError(path: string, error: unknown): KeysError {
  if (!(error instanceof Error && 'syscall' in error && 'code' in error)) throw error
  switch (error.code) {
    case 'ENOENT':
      return new KeysError('not-found', `${path} does not exist; check the path`)
    case 'EACCES':
    case 'EPERM':
      return new KeysError('unreadable', `${path}: permission denied; run as the user who owns it`)
    case 'EISDIR':
      return new KeysError('unreadable', `${path} is a folder; name the file in it`)
    case 'ENOTDIR':
      return new KeysError('unreadable', `${path}: a part of this path is a file, not a folder`)
    default:
      return new KeysError('unreadable', `${path}: the system answered ${String(error.code)}`)
  }
}
