// How records lie in a segment. A batch is what is written and synced as one. It begins at a sector and ends at one, with at least
// one filling byte, and holds records, each at a multiple of 8 bytes:
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
//       20      4  sectors of the batch
//       24      8  sequence number, of its first writing where it is carried over
//       32      8  slot
//       40      4  sector at which the batch begins
//       44      4  blank sectors of the batch, see tail.ts
//       48         key, body, zeros up to a multiple of 8
//
// Every head says where its batch lies, so that one readable head is enough to judge the whole batch. The checksums are CRC-32,
// begun with a secret number of the store, the segment and the offset: bytes of a client that look like a record, or a record
// in another place than its own, fail them.

import { crc32 } from 'node:zlib'
import { fromUtf8, readU32, readU64, utf8, writeU32, writeU64 } from '../../crypto/index.ts'
import { SECTOR_BYTES } from './limits.ts'
import type { StoreRecord } from './store.ts'

export const HEAD_BYTES = 48
export const ALIGNMENT = 8
export const MAGIC = 0x514c5231
/** Ends a batch: never zero, so that a batch that ends in a zero was not written to its end. */
const FILLING = 0xff
const FLAG_LAST = 1
const FLAG_CARRIED = 2
/** A sector with so few bytes that are not zero counts as blank: some flipped bits could make it all zeros. */
const BLANK_BYTES = 8

/** A record with its place in the order of appending. */
export interface Framed {
  readonly record: StoreRecord
  /** From 1 up, without gaps. */
  readonly sequence: number
  readonly carried: boolean
}

/** What stands before a record's body. Positions are bytes from the beginning of the segment. */
export interface Head {
  readonly kind: number
  readonly slot: number
  readonly key: string | undefined
  readonly sequence: number
  readonly carried: boolean
  readonly last: boolean
  readonly bodyFrom: number
  readonly bodyTo: number
  readonly batchFrom: number
  readonly batchTo: number
  readonly blankSectors: number
  readonly bodyCheck: number
}

/** What the checksums of one segment of one store begin with. `salt` is the store's secret. */
export function segmentSeed(salt: Uint8Array, segment: number): number {
  const text = new Uint8Array(8)
  writeU64(text, 0, segment)
  return crc32(text, crc32(salt))
}

/** Bytes that `records` take as one batch: whole sectors. */
export function batchBytes(records: readonly Framed[]): number {
  let bytes = 1
  for (const { record } of records) bytes += framedBytes(record)
  return roundUp(bytes, SECTOR_BYTES)
}

/** Bytes of one record with its head. */
export function framedBytes({ key, bytes }: StoreRecord): number {
  return roundUp(HEAD_BYTES + (key === undefined ? 0 : utf8(key).length) + bytes.length, ALIGNMENT)
}

/** The batch of `records`, at least one, to be written at `position` of the segment whose seed is `seed`. */
export function encodeBatch(records: readonly Framed[], position: number, seed: number): Uint8Array {
  const batch = new Uint8Array(batchBytes(records))
  const heads: { readonly at: number; readonly head: Uint8Array; readonly body: Uint8Array }[] = []
  let at = 0
  for (const { record, sequence, carried } of records) {
    const key = record.key === undefined ? undefined : utf8(record.key)
    const head = batch.subarray(at, at + HEAD_BYTES + (key?.length ?? 0))
    writeU32(head, 0, MAGIC)
    head[12] = record.kind
    head[13] = key?.length ?? 0
    head[14] = (heads.length === records.length - 1 ? FLAG_LAST : 0) | (carried ? FLAG_CARRIED : 0)
    writeU32(head, 16, record.bytes.length)
    writeU32(head, 20, batch.length / SECTOR_BYTES)
    writeU64(head, 24, sequence)
    writeU64(head, 32, record.slot)
    writeU32(head, 40, position / SECTOR_BYTES)
    if (key !== undefined) head.set(key, HEAD_BYTES)
    batch.set(record.bytes, at + head.length)
    heads.push({ at, head, body: record.bytes })
    at = roundUp(at + head.length + record.bytes.length, ALIGNMENT)
  }
  batch.fill(FILLING, at)
  const blank = countSectors(batch, BLANK_BYTES)
  for (const { at: offset, head, body } of heads) {
    writeU32(head, 44, blank)
    writeU32(head, 8, crc32(body, (seed ^ (position + offset)) >>> 0))
    writeU32(head, 4, headCheck(head, position + offset, seed))
  }
  return batch
}

/**
 * The head at `at` of `bytes`, which begin at the position `base` of their segment; undefined where there is no whole one.
 * A head that is returned was written there by this store.
 */
export function readHead(bytes: Uint8Array, at: number, base: number, seed: number): Head | undefined {
  if (at + HEAD_BYTES > bytes.length || readU32(bytes, at) !== MAGIC) return undefined
  const headBytes = HEAD_BYTES + (bytes[at + 13] ?? 0)
  const head = bytes.subarray(at, at + headBytes)
  const position = base + at
  if (head.length < headBytes || readU32(head, 4) !== headCheck(head, position, seed)) return undefined
  const sequence = readU64(head, 24)
  const slot = readU64(head, 32)
  const key = fromUtf8(head.subarray(HEAD_BYTES))
  if (sequence === undefined || slot === undefined || key === undefined) return undefined
  const flags = head[14] ?? 0
  const batchFrom = readU32(head, 40) * SECTOR_BYTES
  return {
    kind: head[12] ?? 0,
    slot,
    key: key === '' ? undefined : key,
    sequence,
    carried: (flags & FLAG_CARRIED) !== 0,
    last: (flags & FLAG_LAST) !== 0,
    bodyFrom: position + headBytes,
    bodyTo: position + headBytes + readU32(head, 16),
    batchFrom,
    batchTo: batchFrom + readU32(head, 20) * SECTOR_BYTES,
    blankSectors: readU32(head, 44),
    bodyCheck: readU32(head, 8),
  }
}

/** The body that belongs to `head`, a view of `bytes`; undefined where it is cut short or damaged. */
export function readBody(
  bytes: Uint8Array,
  head: Head,
  at: number,
  base: number,
  seed: number,
): Uint8Array | undefined {
  const body = bytes.subarray(head.bodyFrom - base, head.bodyTo - base)
  if (body.length < head.bodyTo - head.bodyFrom) return undefined
  return crc32(body, (seed ^ (base + at)) >>> 0) === head.bodyCheck ? body : undefined
}

/** Sectors of `bytes` with at most `most` bytes that are not zero. */
export function countSectors(bytes: Uint8Array, most: number): number {
  let count = 0
  for (let from = 0; from < bytes.length; from += SECTOR_BYTES) {
    const to = Math.min(from + SECTOR_BYTES, bytes.length)
    let left = most
    for (let at = from; at < to && left >= 0; at++) if (bytes[at] !== 0) left--
    if (left >= 0) count++
  }
  return count
}

export function roundUp(value: number, multiple: number): number {
  return Math.ceil(value / multiple) * multiple
}

function headCheck(head: Uint8Array, position: number, seed: number): number {
  return crc32(head.subarray(8), (seed ^ position) >>> 0)
}
