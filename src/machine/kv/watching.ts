// What watchers need to know of the key-value machine: which keys of the state a user's keys are, what a change of the state means,
// and whether a command accounts for it.

import { assertNever, compareBytes, equalBytes } from '../../../crypto/index.ts'
import type { KvCommand } from './command.ts'
import { decodeEntry, ENTRIES_END, entryKey, type KeyValue } from './record.ts'

/** Machine keys from `start` on and before `end`. */
export interface EntryRange {
  readonly start: Uint8Array
  readonly end: Uint8Array
}

/** A put, with the entry as it is now, or a deletion. */
export type KvChange =
  | { readonly kind: 'put'; readonly entry: KeyValue }
  | { readonly kind: 'delete'; readonly key: Uint8Array }

/** The machine's keys for the users' keys from `start` on and before `end`; without `end`, to the last. */
export function entryRange(start: Uint8Array, end: Uint8Array | undefined): EntryRange {
  return { start: entryKey(start), end: end === undefined ? ENTRIES_END : entryKey(end) }
}

/** What it means that the machine stored `value` under `key` of an {@link entryRange}, or deleted it; undefined for no entry. */
export function kvChange(key: Uint8Array, value: Uint8Array | undefined): KvChange | undefined {
  const user = key.slice(1)
  if (value === undefined) return { kind: 'delete', key: user }
  const entry = decodeEntry(user, value)
  return entry === undefined ? undefined : { kind: 'put', entry }
}

/** Whether executing `command` may have led to this change; of a transaction either branch may have been taken. */
export function explains(command: KvCommand, change: KvChange): boolean {
  switch (command.kind) {
    case 'put':
      return (
        change.kind === 'put' &&
        equalBytes(command.key, change.entry.key) &&
        equalBytes(command.value, change.entry.value) &&
        (command.lease ?? 0) === change.entry.lease
      )
    case 'delete':
      return change.kind === 'delete' && equalBytes(command.key, change.key)
    case 'delete-range':
      return change.kind === 'delete' && isWithin(change.key, command.start, command.end)
    case 'lease-revoke':
      // Which keys go with a lease, a command does not say.
      return change.kind === 'delete'
    case 'get':
    case 'range':
    case 'lease-grant':
    case 'lease-keep-alive':
      return false
    case 'txn':
      return [...command.success, ...command.failure].some((operation) => explains(operation, change))
    default:
      return assertNever(command)
  }
}

function isWithin(key: Uint8Array, start: Uint8Array, end: Uint8Array | undefined): boolean {
  return compareBytes(start, key) <= 0 && (end === undefined || compareBytes(key, end) < 0)
}
