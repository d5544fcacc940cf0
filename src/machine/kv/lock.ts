// Locks and elections as the store sees them: which key they are, and the one transaction that takes them. Both the client that takes
// a lock and whoever checks its fencing token later go by this file alone.
//
// The transaction succeeds only where the key does not exist, and puts it attached to a lease; so the receipt of a success shows who
// held the lock from which slot on. The next success needs the key to be gone first, and so comes later in the log.

import { equalBytes, fromUtf8, utf8 } from '../../../crypto/index.ts'
import { encodeKvCommand, type KvCommand, type Transaction } from './command.ts'
import { MAX_LOCK_NAME_BYTES } from './limits.ts'

/** A token of one kind is none of the other. */
export type LockKind = 'lock' | 'election'

/** What a lock transaction is about. */
export interface LockClaim {
  readonly kind: LockKind
  readonly name: string
  /** What whoever takes it says about itself. */
  readonly value: Uint8Array
  readonly lease: number
}

const PREFIXES: Readonly<Record<LockKind, string>> = Object.freeze({
  lock: 'quorate/lock/',
  election: 'quorate/election/',
})
const KINDS: readonly LockKind[] = ['lock', 'election']

/** The key of a lock or an election. @throws {RangeError} unless the name has from 1 to {@link MAX_LOCK_NAME_BYTES} bytes of UTF-8. */
export function lockKey(kind: LockKind, name: string): Uint8Array {
  const bytes = utf8(name)
  // Half a surrogate pair would become another name.
  if (bytes.length < 1 || bytes.length > MAX_LOCK_NAME_BYTES || fromUtf8(bytes) !== name) {
    throw new RangeError(`name: expected from 1 to ${MAX_LOCK_NAME_BYTES} bytes of text, got ${bytes.length}`)
  }
  return utf8(`${PREFIXES[kind]}${name}`)
}

/** The transaction that takes it; where it is taken, the answer shows by whom. @throws {RangeError} as {@link lockKey}. */
export function lockTransaction({ kind, name, value, lease }: LockClaim): Transaction {
  const key = lockKey(kind, name)
  return {
    kind: 'txn',
    compares: [{ target: 'create-revision', relation: '=', key, number: 0 }],
    success: [{ kind: 'put', key, value, previous: false, lease }],
    failure: [{ kind: 'get', key }],
  }
}

/** What `command` takes, or undefined where it is not exactly a {@link lockTransaction}. */
export function lockClaimOf(command: KvCommand): LockClaim | undefined {
  if (command.kind !== 'txn') return undefined
  const [put] = command.success
  if (put?.kind !== 'put' || put.lease === undefined) return undefined
  const text = fromUtf8(put.key) ?? ''
  const kind = KINDS.find((each) => text.startsWith(PREFIXES[each]))
  if (kind === undefined) return undefined
  const name = text.slice(PREFIXES[kind].length)
  if (name === '' || put.key.length > MAX_LOCK_NAME_BYTES + PREFIXES[kind].length) return undefined
  const claim = { kind, name, value: put.value, lease: put.lease }
  // Encoding is canonical, so whatever else the command may compare, put or answer shows here.
  return equalBytes(encodeKvCommand(lockTransaction(claim)), encodeKvCommand(command)) ? claim : undefined
}
