// What a replica answers to one request, as the bytes that receipts are about: the leaf of an entry's results tree.
//
//   offset  length  field
//        0       1  format: 1
//        1       1  outcome
//        2      32  client key
//       34       8  sequence number
//       42      32  identity of the request: RFC 6962 leaf hash of client key, sequence number (u64) and command
//       74       8  slot in which the request was executed; 0 where it was not, or nobody knows any more
//       82       -  result: see Outcome
//
// A repeated request is answered with the very record of its first execution, so receipts of either are the same.

import { type Digest, digest, freshBytes, writeU64 } from '../../crypto/index.ts'
import { ByteReader, ByteWriter } from './bytes-codec.ts'
import { MAX_RESULT_BYTES } from './limits.ts'

/**
 * How a request ended. The sequence number is spent by the first five, not by the others:
 * - `done`: the result is the machine's.
 * - `refused`: the machine said no; the result is its code (ASCII).
 * - `failed`: the machine threw something else; the result is empty, and nothing was changed.
 * - `limit`: the command broke a limit of limits.ts; the result is empty, and nothing was changed.
 * - `forbidden`: the client's role does not allow it; the result is empty, and nothing was changed.
 * - `conflict`: another request with this sequence number was first; the result is its identity. This one never
 *   executes.
 * - `expired`: the number is below the client's window; the result is the lowest and the highest number of the window
 *   (u64 each). The request may have been executed long ago, and will not be now.
 * - `unknown-client`: nobody knows the key; the result is empty. It may be executed if the client is added later.
 * - `forgotten`: executed in the slot named, but its result was too long to be kept; the result is the SHA-256 of it.
 */
export type Outcome =
  | 'done'
  | 'refused'
  | 'failed'
  | 'limit'
  | 'forbidden'
  | 'conflict'
  | 'expired'
  | 'unknown-client'
  | 'forgotten'

export const OUTCOME_BYTES: Readonly<Record<Outcome, number>> = Object.freeze({
  done: 0,
  refused: 1,
  failed: 2,
  limit: 3,
  forbidden: 4,
  conflict: 5,
  expired: 6,
  'unknown-client': 7,
  forgotten: 8,
})
const outcomes = Object.keys(OUTCOME_BYTES) as readonly Outcome[]

export interface ResultRecord {
  readonly outcome: Outcome
  readonly client: Uint8Array
  readonly sequence: number
  readonly request: Digest
  readonly slot: number
  readonly result: Uint8Array
}

const FORMAT = 1
const HEAD_BYTES = 82

export function outcomeFromByte(byte: number): Outcome | undefined {
  return outcomes.find((outcome) => OUTCOME_BYTES[outcome] === byte)
}

export function encodeResultRecord(record: ResultRecord): Uint8Array {
  const bytes = freshBytes(HEAD_BYTES + record.result.length)
  bytes[0] = FORMAT
  bytes[1] = OUTCOME_BYTES[record.outcome]
  bytes.set(record.client, 2)
  writeU64(bytes, 34, record.sequence)
  bytes.set(record.request, 42)
  writeU64(bytes, 74, record.slot)
  bytes.set(record.result, HEAD_BYTES)
  return bytes
}

/** The identity in an encoded record; shares its memory. */
export function recordRequest(record: Uint8Array): Uint8Array {
  return record.subarray(42, 74)
}

/** The record in `bytes`, or undefined where they are not exactly what {@link encodeResultRecord} writes for one. */
export function decodeResultRecord(bytes: Uint8Array): ResultRecord | undefined {
  if (bytes.length < HEAD_BYTES || bytes.length > HEAD_BYTES + MAX_RESULT_BYTES) return undefined
  const reader = new ByteReader(bytes)
  const format = reader.u8()
  const outcome = outcomeFromByte(reader.u8())
  const client = reader.take(32)
  const sequence = reader.u64()
  const request = reader.take(32)
  const slot = reader.u64()
  const result = reader.rest()
  if (!reader.done || format !== FORMAT || outcome === undefined) return undefined
  return { outcome, client, sequence, request: digest(request), slot, result }
}

/** The bounds in the result of an `expired` record. */
export function encodeWindow(lowest: number, highest: number): Uint8Array {
  return new ByteWriter().u64(lowest).u64(highest).finish()
}
