// What callers may hand to a store; anything else is the caller's own mistake and throws.

import { utf8 } from '../../crypto/index.ts'
import {
  MAX_APPEND_BYTES,
  MAX_KEY_BYTES,
  MAX_RECORD_BYTES,
  MAX_SNAPSHOT_CHUNK_BYTES,
  MAX_SNAPSHOT_META_BYTES,
} from './limits.ts'
import type { StoreRecord } from './store.ts'

/** @throws {RangeError} where one of the records, or all together, cannot be stored. */
export function checkRecords(records: readonly StoreRecord[]): void {
  let bytes = 0
  for (const record of records) {
    checkRecord(record)
    bytes += record.bytes.length
  }
  atMost('bytes of one append', bytes, MAX_APPEND_BYTES)
}

/** @throws {RangeError} unless `slot` can be the slot of a snapshot and `meta` stand beside it. */
export function checkSnapshot(slot: number, meta: Uint8Array): void {
  checkSlot('slot of a snapshot', slot)
  atMost('bytes beside a snapshot', meta.length, MAX_SNAPSHOT_META_BYTES)
}

/** @throws {RangeError} where the chunk is too large. */
export function checkChunk(chunk: Uint8Array): void {
  atMost('bytes of a snapshot chunk', chunk.length, MAX_SNAPSHOT_CHUNK_BYTES)
}

/** @throws {RangeError} unless `slot` is a whole number from 0 to 2^53 - 1. */
export function checkSlot(name: string, slot: number): void {
  if (!Number.isSafeInteger(slot) || slot < 0) throw new RangeError(`${name}: expected a whole number, got ${slot}`)
}

function checkRecord({ kind, slot, key, bytes }: StoreRecord): void {
  if (!Number.isInteger(kind) || kind < 1 || kind > 255) {
    throw new RangeError(`kind of a record: expected a whole number from 1 to 255, got ${kind}`)
  }
  checkSlot('slot of a record', slot)
  if (slot === 0 && (key === undefined || key === '')) throw new RangeError('a record about no slot needs a key')
  if (slot > 0 && key !== undefined) throw new RangeError(`a record about slot ${slot} has no key, got ${key}`)
  if (key !== undefined) atMost('bytes of a key', utf8(key).length, MAX_KEY_BYTES)
  atMost('bytes of a record', bytes.length, MAX_RECORD_BYTES)
}

function atMost(name: string, value: number, most: number): void {
  if (value > most) throw new RangeError(`${name}: at most ${most}, got ${value}`)
}
