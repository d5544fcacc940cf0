// How records lie in a segment. A batch is what is written and synced as one: whole sectors (see sectors.ts), whose payload is
// records, one behind another, and zeros to the end:
//
//   offset  bytes  all numbers big-endian
//        0      4  magic "QLR1"
//        4      4  checksum of the head from offset 8 on, the key included
//        8      4  checksum of the body
//       12      1  kind; 0 for the store's own records
//       13      1  bytes of the key
//       14      1  flags: 1 last of its batch, 2 carried over from an older segment
//       15      1  zero
//       16      4  bytes of the body
//       20      4  sector at which the batch begins
//       24      4  sectors of the batch
//       28      8  sequence number, that of its first writing where it is carried over
//       36      8  slot
//       44         key, body
//
// Every head says where its batch lies, so that one readable head is enough to judge the whole batch. The checksums are CRC-32,
// begun with a secret number of the store, the segment and the position: bytes of a client that look like a record, or a
// record in another place than its own, fail them.

import { crc32 } from 'node:zlib'
import { fromUtf8, readU32, readU64, utf8, writeU32, writeU64 } from '../../crypto/index.ts'
import { SECTOR_PAYLOAD_BYTES } from './limits.ts'
import { pack, sectorsFor } from './sectors.ts'
import type { StoreRecord } from './store.ts'

export const MAGIC = 0x514c5231
const HEAD_BYTES = 44
const FLAG_LAST = 1
const FLAG_CARRIED = 2

/** A record with its place in the order of appending. */
export interface Framed {
  readonly record: StoreRecord
  /** From 1 up, without gaps. */
  readonly sequence: number
  readonly carried: boolean
}

/** What stands before a record's body. */
export interface Head {
  readonly kind: number
  readonly slot: number
  readonly key: string | undefined
  readonly sequence: number
  readonly carried: boolean
  readonly last: boolean
  /** The batch: its first sector, and the one behind its last. */
  readonly fromSector: number
  readonly toSector: number
  /** Positions in the payload of the segment. */
  readonly bodyFrom: number
  readonly bodyTo: number
  readonly bodyCheck: number
}

/** What the checksums of one segment of one store begin with. `salt` is the store's secret. */
export function segmentSeed(salt: Uint8Array, segment: number): number {
  const text = new Uint8Array(8)
  writeU64(text, 0, segment)
  return crc32(text, crc32(salt))
}

/** Bytes of payload that one record takes. */
export function framedBytes({ key, bytes }: StoreRecord): number {
  return HEAD_BYTES + (key === undefined ? 0 : utf8(key).length) + bytes.length
}

/** The sectors of a batch of `records`, at least one, to be written at the sector `at` of the segment whose seed is `seed`. */
export function encodeBatch(records: readonly Framed[], at: number, seed: number): Uint8Array {
  const bytes = records.reduce((sum, { record }) => sum + framedBytes(record), 0)
  const payload = new Uint8Array(bytes)
  const base = at * SECTOR_PAYLOAD_BYTES
  let from = 0
  for (const [i, { record, sequence, carried }] of records.entries()) {
    const key = record.key === undefined ? undefined : utf8(record.key)
    const head = payload.subarray(from, from + HEAD_BYTES + (key?.length ?? 0))
    writeU32(head, 0, MAGIC)
    writeU32(head, 8, check(record.bytes, base + from, seed))
    head[12] = record.kind
    head[13] = key?.length ?? 0
    head[14] = (i === records.length - 1 ? FLAG_LAST : 0) | (carried ? FLAG_CARRIED : 0)
    writeU32(head, 16, record.bytes.length)
    writeU32(head, 20, at)
    writeU32(head, 24, sectorsFor(bytes))
    writeU64(head, 28, sequence)
    writeU64(head, 36, record.slot)
    if (key !== undefined) head.set(key, HEAD_BYTES)
    writeU32(head, 4, check(head.subarray(8), base + from, seed))
    payload.set(record.bytes, from + head.length)
    from += head.length + record.bytes.length
  }
  return pack(payload)
}

/**
 * The head at `at` of `payload`, which begins at the position `base` of its segment; undefined where there is no whole one.
 * A head that is returned was written there by this store.
 */
export function readHead(payload: Uint8Array, at: number, base: number, seed: number): Head | undefined {
  if (at + HEAD_BYTES > payload.length || readU32(payload, at) !== MAGIC) return undefined
  const headBytes = HEAD_BYTES + (payload[at + 13] ?? 0)
  const head = payload.subarray(at, at + headBytes)
  if (head.length < headBytes || readU32(head, 4) !== check(head.subarray(8), base + at, seed)) return undefined
  const [sequence, slot] = [readU64(head, 28), readU64(head, 36)]
  const key = fromUtf8(head.subarray(HEAD_BYTES))
  if (sequence === undefined || slot === undefined || key === undefined) return undefined
  const flags = head[14] ?? 0
  const fromSector = readU32(head, 20)
  const toSector = fromSector + readU32(head, 24)
  const bodyFrom = base + at + headBytes
  const bodyTo = bodyFrom + readU32(head, 16)
  // A checksum may be right by chance. A walk from head to head must go forward all the same.
  if (base + at < fromSector * SECTOR_PAYLOAD_BYTES || bodyTo > toSector * SECTOR_PAYLOAD_BYTES) return undefined
  return {
    kind: head[12] ?? 0,
    slot,
    key: key === '' ? undefined : key,
    sequence,
    carried: (flags & FLAG_CARRIED) !== 0,
    last: (flags & FLAG_LAST) !== 0,
    fromSector,
    toSector,
    bodyFrom,
    bodyTo,
    bodyCheck: readU32(head, 8),
  }
}

/** The body of the record whose head is at `at`, a view of `payload`; undefined where it is cut short or damaged. */
export function readBody(
  payload: Uint8Array,
  head: Head,
  at: number,
  base: number,
  seed: number,
): Uint8Array | undefined {
  const body = payload.subarray(head.bodyFrom - base, head.bodyTo - base)
  if (body.length < head.bodyTo - head.bodyFrom) return undefined
  return check(body, base + at, seed) === head.bodyCheck ? body : undefined
}

function check(bytes: Uint8Array, position: number, seed: number): number {
  return crc32(bytes, (seed ^ position) >>> 0)
}
