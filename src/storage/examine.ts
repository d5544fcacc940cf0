// One segment after a restart: its good records, what is damaged, and whether its last batch was torn.
//
// Only one write is under way at a time, and the next begins when it is synced. So a batch with anything behind it was durable,
// and may have been acknowledged: what is wrong with it is damage. Of the last batch of the last segment a power cut may have
// left a part, and then nobody was told of it; but it may as well have been acknowledged and damaged later. It was torn, and
// goes as a whole, where it shows that a part of it never reached the disk (see sectors.ts):
//
//   - the file ends before the batch does, or the mark of its last sector is not there; or
//   - one of its sectors is all zeros; or
//   - none of its heads is readable, and its first sector is all zeros, or its last byte is not the mark of a sector.
//
// A last batch that has all its sectors and fails its checksums counts as damaged. Taking it for torn would be convenient and
// unsafe: a vote that was sent would be forgotten. The other mistake only keeps a replica out until it has caught up.

import type { Head } from './frame.ts'
import { SECTOR_BYTES, SECTOR_PAYLOAD_BYTES } from './limits.ts'
import { type Found, scan } from './scan.ts'
import { isUnwritten, unpack } from './sectors.ts'

/** A whole record, where it lies in the payload of the segment. */
export interface FoundRecord {
  readonly from: number
  readonly head: Head
  /** A view of the segment's payload. */
  readonly body: Uint8Array
}

export interface Fault {
  readonly from: number
  /** Undefined where not even a head is readable. */
  readonly head: Head | undefined
}

export interface Examined {
  /** In the order in which they lie there. */
  readonly found: readonly (FoundRecord | Fault)[]
  /** The sector at which the next batch may begin: behind everything that is not zero, or where what was torn began. */
  readonly end: number
  readonly tornBytes: number
}

export function isWhole(each: FoundRecord | Fault): each is FoundRecord {
  return 'body' in each
}

/** `bytes` is the whole file; `last` says that no segment comes after it. */
export function examine(bytes: Uint8Array, seed: number, last: boolean): Examined {
  const items = [...scan(unpack(bytes), 0, seed)]
  const tail = tailOf(items)
  const written = lengthWithoutZeros(bytes)
  const before = items.flatMap((item) => faultOrRecord(item, 0, tail.from))
  const within = items.flatMap((item) => faultOrRecord(item, tail.from, tail.to))
  // Behind the last batch that is known of: zeros, or a batch that cannot be read.
  const unread = written > tail.to * SECTOR_BYTES
  if (last && unread && isTornUnread(bytes, tail.to, written)) {
    return { found: [...before, ...within], end: tail.to, tornBytes: written - tail.to * SECTOR_BYTES }
  }
  if (last && !unread && !tail.complete && isTorn(bytes, tail)) {
    return { found: before, end: tail.from, tornBytes: Math.max(0, written - tail.from * SECTOR_BYTES) }
  }
  const found = [...before, ...within]
  // Where a file was cut between two records of a batch, no byte is left that could be seen to be wrong.
  if (unread || (!tail.complete && within.every(isWhole))) {
    found.push({ from: tail.to * SECTOR_PAYLOAD_BYTES, head: undefined })
  }
  return { found, end: Math.max(Math.ceil(written / SECTOR_BYTES), tail.to), tornBytes: 0 }
}

/** The last batch: its first sector, the one behind its last, and whether all its records are whole. */
interface Tail {
  readonly from: number
  readonly to: number
  readonly complete: boolean
}

/** What its heads say of the last batch. Without any head there is none, which is a complete nothing at the beginning. */
function tailOf(items: readonly Found[]): Tail {
  const heads = items.flatMap((item) => (item.kind === 'record' ? [item] : []))
  const newest = heads.at(-1)?.head
  if (newest === undefined) return { from: 0, to: 0, complete: true }
  const { fromSector: from, toSector: to } = newest
  let expected: number | undefined = from * SECTOR_PAYLOAD_BYTES
  for (const { from: position, head, body } of heads) {
    if (head.fromSector !== from) continue
    expected = position === expected && body !== undefined ? head.bodyTo : undefined
  }
  return { from, to, complete: expected !== undefined && newest.last }
}

function isTorn(bytes: Uint8Array, { from, to }: Tail): boolean {
  if (bytes.length < to * SECTOR_BYTES || bytes[to * SECTOR_BYTES - 1] === 0) return true
  for (let sector = from; sector < to; sector++) if (isUnwritten(bytes, sector)) return true
  return false
}

/** Whether what lies from the sector `from` to `written`, without a readable head, was torn. */
function isTornUnread(bytes: Uint8Array, from: number, written: number): boolean {
  return isUnwritten(bytes, from) || written % SECTOR_BYTES !== 0
}

/** The part of `item` between two sectors, as a record or a fault. */
function faultOrRecord(item: Found, fromSector: number, toSector: number): (FoundRecord | Fault)[] {
  const [from, to] = [fromSector * SECTOR_PAYLOAD_BYTES, toSector * SECTOR_PAYLOAD_BYTES]
  if (item.kind === 'record') {
    if (item.from < from || item.from >= to) return []
    const { from: position, head, body } = item
    return [body === undefined ? { from: position, head } : { from: position, head, body }]
  }
  const begins = Math.max(item.from, from)
  return begins < Math.min(item.to, to) ? [{ from: begins, head: undefined }] : []
}

/** Bytes up to the last one that is not zero. */
function lengthWithoutZeros(bytes: Uint8Array): number {
  let length = bytes.length
  while (length > 0 && bytes[length - 1] === 0) length--
  return length
}
