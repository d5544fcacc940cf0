// What is known in memory of the files of the log: which slots each has records about, and what a cut may delete.

import { readU64, writeU64 } from '../../crypto/index.ts'
import { BLOCK_BYTES, SECTOR_BYTES } from './limits.ts'
import type { StoreOptions, StoreRecord } from './store.ts'

/** Whole batches of a segment from one sector to before another, and the slots of their records; 0 and 0 where there are none. */
export interface Block {
  readonly fromSector: number
  toSector: number
  minSlot: number
  maxSlot: number
}

/** Where a record lies. */
export interface Place {
  readonly fromSector: number
  readonly toSector: number
  readonly slot: number
}

export class Segment {
  readonly number: number
  /** Bytes of the file. */
  size = 0
  minSlot = 0
  maxSlot = 0
  readonly blocks: Block[] = []

  constructor(number: number) {
    this.number = number
  }

  get file(): string {
    return segmentFile(this.number)
  }

  add({ fromSector, toSector, slot }: Place): void {
    let block = this.blocks.at(-1)
    if (
      block === undefined ||
      (fromSector >= block.toSector && (fromSector - block.fromSector) * SECTOR_BYTES >= BLOCK_BYTES)
    ) {
      block = { fromSector, toSector, minSlot: 0, maxSlot: 0 }
      this.blocks.push(block)
    }
    block.toSector = Math.max(block.toSector, toSector)
    if (slot === 0) return
    for (const range of [block, this]) {
      range.minSlot = range.minSlot === 0 ? slot : Math.min(range.minSlot, slot)
      range.maxSlot = Math.max(range.maxSlot, slot)
    }
  }
}

/** `log-` and the number in 12 digits, so that a listing is in order. */
export function segmentFile(number: number): string {
  return `log-${String(number).padStart(12, '0')}`
}

/** The number of a segment by its file name; undefined where that is something else. */
export function segmentNumber(file: string): number | undefined {
  return /^log-\d{12}$/.test(file) ? Number(file.slice(4)) : undefined
}

/** What a cut left, as it stands in the log itself. */
export interface CutState {
  /** Records about slots up to this one were given up. */
  readonly slot: number
  /** Segments below this number were deleted. */
  readonly oldest: number
  /** Segments below this number have only records about slots up to the cut, and are kept for audits. */
  readonly live: number
  /** About slots from here on nothing was deleted. */
  readonly firstSlot: number
}

export const NO_CUT: CutState = Object.freeze({ slot: 0, oldest: 1, live: 1, firstSlot: 1 })

/** The kind and key of the store's own record of its {@link CutState}. */
export const OWN_KIND = 0
const CUT_KEY = 'cut'

export function cutRecord(state: CutState): StoreRecord {
  const bytes = new Uint8Array(32)
  for (const [i, value] of [state.slot, state.oldest, state.live, state.firstSlot].entries())
    writeU64(bytes, 8 * i, value)
  return { kind: OWN_KIND, slot: 0, key: CUT_KEY, bytes }
}

/** What `record` says, where it is one of {@link cutRecord}. */
export function readCutRecord({ kind, key, bytes }: StoreRecord): CutState | undefined {
  if (kind !== OWN_KIND || key !== CUT_KEY || bytes.length !== 32) return undefined
  const [slot, oldest, live, firstSlot] = [0, 8, 16, 24].map((at) => readU64(bytes, at))
  if (slot === undefined || oldest === undefined || live === undefined || firstSlot === undefined) return undefined
  return { slot, oldest, live, firstSlot }
}

/** What a cut at `slot` leaves of `segments`, oldest first; the last one is being written and stays. */
export function cutAt(
  slot: number,
  segments: readonly Segment[],
  before: CutState,
  retention: NonNullable<StoreOptions['retention']>,
): CutState {
  const closed = segments.slice(0, -1)
  const living = closed.findIndex((segment) => segment.maxSlot > slot)
  const history = living < 0 ? closed : closed.slice(0, living)
  const { slots = 0, bytes = 0 } = retention
  let kept = history.reduce((sum, { size }) => sum + size, 0)
  let deleted = 0
  let { firstSlot } = before
  for (const segment of history) {
    if (segment.maxSlot > slot - slots || kept - segment.size < bytes) break
    kept -= segment.size
    firstSlot = Math.max(firstSlot, segment.maxSlot + 1)
    deleted++
  }
  return {
    slot,
    oldest: Math.max(before.oldest, segments[deleted]?.number ?? 0),
    live: Math.max(before.live, segments[history.length]?.number ?? 0),
    firstSlot,
  }
}
