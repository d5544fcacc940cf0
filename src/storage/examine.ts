// One segment after a restart: its good records, what is damaged, and whether its last batch was torn.
//
// Only one write is under way at a time, and the next begins when it is synced. So a batch with anything behind it was durable,
// and may have been acknowledged: what is wrong with it is damage. Of the last batch of the last segment a power cut may have
// left a part, and then nobody was told of it; but it may as well have been acknowledged and damaged later. A disk writes
// sectors whole or not at all, in any order, over zeros. So the batch was torn, and goes as a whole, where it shows that:
//
//   - the file ends before the batch does, or the batch ends in a zero though it was to end in a filling byte; or
//   - more of its sectors are all zeros than were meant to be: sectors with 8 bytes or fewer that are not zero ("blank") were
//     counted when it was written, so no handful of flipped bits makes this true of a whole batch; or
//   - none of its heads is readable and its first sector is all zeros, or its last byte stands where no batch ends.
//
// A last batch that looks complete and fails its checksums counts as damaged. Taking it for torn would be convenient and unsafe:
// a vote that was sent would be forgotten. The other mistake only keeps a replica out until it has caught up.

import { ALIGNMENT, countSectors, type Head, roundUp } from './frame.ts'
import { SECTOR_BYTES } from './limits.ts'
import { type Found, scan } from './scan.ts'

/** A whole record, where it lies. */
export interface FoundRecord {
  readonly from: number
  readonly head: Head
  /** A view of the segment's bytes. */
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
  /** Where the next batch may begin: behind everything that is not zero, or where what was torn began. */
  readonly end: number
  readonly tornBytes: number
}

export function isWhole(each: FoundRecord | Fault): each is FoundRecord {
  return 'body' in each
}

/** `bytes` is a whole segment; `last` says that no segment comes after it. */
export function examine(bytes: Uint8Array, seed: number, last: boolean): Examined {
  const items = [...scan(bytes, 0, seed)]
  const tailFrom = items.reduce((from, item) => (item.kind === 'record' ? item.head.batchFrom : from), 0)
  const tail = tailOf(items, tailFrom)
  const written = lengthWithoutZeros(bytes)
  const before = items.flatMap((item) => faultOrRecord(item, 0, tailFrom))
  const within = items.flatMap((item) => faultOrRecord(item, tailFrom, tail.to))
  // Behind the last batch that is known of: zeros, or a batch that cannot be read.
  const trailing = written > tail.to ? [{ from: tail.to, head: undefined }] : []
  if (last && trailing.length === 0 && tail.faulty && isTorn(bytes, tailFrom, tail.to, tail.blankSectors)) {
    return { found: before, end: tailFrom, tornBytes: written - tailFrom }
  }
  if (last && trailing.length > 0 && isTornUnread(bytes, tail.to, written)) {
    return { found: [...before, ...within], end: tail.to, tornBytes: written - tail.to }
  }
  const end = roundUp(Math.max(written, tail.to), SECTOR_BYTES)
  const found = [...before, ...within, ...trailing]
  // Where a file was cut between two records of a batch, no byte is left that could be seen to be wrong.
  if (tail.faulty && within.every(isWhole)) found.push({ from: tail.to, head: undefined })
  return { found, end, tornBytes: 0 }
}

interface Tail {
  readonly to: number
  readonly faulty: boolean
  readonly blankSectors: number
}

/** What the heads of the last batch say of it. Without any head there is no batch: nothing, at the beginning. */
function tailOf(items: readonly Found[], from: number): Tail {
  let [to, blankSectors, complete] = [from, 0, false]
  let expected = from
  for (const item of items) {
    if (item.kind === 'gap' || item.from < from) continue
    const { head } = item
    complete = head.last && item.body !== undefined && item.from === expected
    if (!complete && (item.body === undefined || item.from !== expected)) {
      return { to: head.batchTo, faulty: true, blankSectors: head.blankSectors }
    }
    expected = roundUp(head.bodyTo, ALIGNMENT)
    ;[to, blankSectors] = [head.batchTo, head.blankSectors]
  }
  return { to, faulty: to > from && !complete, blankSectors }
}

function isTorn(bytes: Uint8Array, from: number, to: number, blankSectors: number): boolean {
  if (bytes.length < to || bytes[to - 1] === 0) return true
  return countSectors(bytes.subarray(from, to), 0) > blankSectors
}

/** Whether what lies from `from` to `written`, without a readable head, was torn. */
function isTornUnread(bytes: Uint8Array, from: number, written: number): boolean {
  const first = bytes.subarray(from, from + SECTOR_BYTES)
  return first.length < SECTOR_BYTES || countSectors(first, 0) === 1 || written % SECTOR_BYTES !== 0
}

/** The part of `item` between two positions, as a record or a fault. */
function faultOrRecord(item: Found, from: number, to: number): (FoundRecord | Fault)[] {
  if (item.kind === 'record') {
    if (item.from < from || item.from >= to) return []
    return [item.body === undefined ? { from: item.from, head: item.head } : { ...item, body: item.body }]
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
