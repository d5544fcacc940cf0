// How the key-value machine lies in the state, for those who check a state proof of a user's key.

import { ByteReader, ByteWriter } from '../bytes-codec.ts'
import { machineStateKey } from '../keyspace.ts'
import { MAX_KV_VALUE_BYTES } from './limits.ts'

/** A stored entry; revisions are etcd's. */
export interface KeyValue {
  readonly key: Uint8Array
  readonly value: Uint8Array
  /** Revision in which the key came to be. */
  readonly createRevision: number
  /** Revision of the last put. */
  readonly modRevision: number
  /** Puts since the key came to be, that one included: 1 or more. */
  readonly version: number
  /** The lease that the key goes with; 0 for none. */
  readonly lease: number
}

/** First byte of the machine's keys; from 2 on they are those of lease-record.ts. */
const REVISION_SPACE = 0x00
const ENTRY_SPACE = 0x01

/** Under this key stands the revision (u64). */
export const REVISION_KEY = Uint8Array.of(REVISION_SPACE)
/** Where the entries end. */
export const ENTRIES_END = Uint8Array.of(ENTRY_SPACE + 1)
const HEAD_BYTES = 32

/** The machine's key for a user's key. */
export function entryKey(key: Uint8Array): Uint8Array {
  const all = new Uint8Array(1 + key.length)
  all[0] = ENTRY_SPACE
  all.set(key, 1)
  return all
}

/** The key of the whole state under which a user's key stands: to be given to `verifyStateProof`. */
export function kvStateKey(key: Uint8Array): Uint8Array {
  return machineStateKey(entryKey(key))
}

/** What the state holds for an entry: create revision, mod revision, version, lease (u64 each), value. */
export function encodeEntry({ value, createRevision, modRevision, version, lease }: KeyValue): Uint8Array {
  return new ByteWriter().u64(createRevision).u64(modRevision).u64(version).u64(lease).raw(value).finish()
}

/** The entry in a value of the state, or undefined where {@link encodeEntry} never writes such. */
export function decodeEntry(key: Uint8Array, bytes: Uint8Array): KeyValue | undefined {
  if (bytes.length > HEAD_BYTES + MAX_KV_VALUE_BYTES) return undefined
  const reader = new ByteReader(bytes)
  const createRevision = reader.u64()
  const modRevision = reader.u64()
  const version = reader.u64()
  const lease = reader.u64()
  const value = reader.rest()
  return reader.done ? { key, value, createRevision, modRevision, version, lease } : undefined
}
