// The log after a restart: what its segments, examined one by one, say together. Nothing is written here.

import { join } from 'node:path'
import { examine, type Fault, type FoundRecord, isWhole } from './examine.ts'
import type { Files } from './files.ts'
import { type Framed, type Head, segmentSeed } from './frame.ts'
import { SECTOR_PAYLOAD_BYTES } from './limits.ts'
import { offsetOf } from './sectors.ts'
import { type CutState, NO_CUT, OWN_KIND, readCutRecord, Segment, segmentFile, segmentNumber } from './segments.ts'
import { type DamagedRecord, StoreError, type StoreRecord } from './store.ts'

export interface RecoveredLog {
  /** Above the cut, and the newest of each key, in the order of appending. The caller's only. */
  readonly records: readonly StoreRecord[]
  readonly damaged: readonly DamagedRecord[]
  readonly tornBytes: number
  /** The newest record of each key, the store's own included, by {@link nameOf}. */
  readonly newest: Map<string, Framed>
  readonly nextSequence: number
  readonly cut: CutState
  /** Oldest first, at least one. The last goes on at the sector `end`. */
  readonly segments: Segment[]
  readonly end: number
  /** The last segment is damaged: no more is written to it. */
  readonly closeLast: boolean
  /** Files that an interrupted cut left. */
  readonly leftovers: readonly string[]
}

/** Tells the records of different keys apart, and the store's own from the caller's. */
export function nameOf({ kind, key = '' }: { readonly kind: number; readonly key?: string | undefined }): string {
  return `${kind === OWN_KIND ? 'store' : 'caller'}/${key}`
}

/** Reads all segments in `folder`. @throws {StoreError} `damaged` where there is none at all, `io` where the system refuses. */
export async function recoverLog(files: Files, folder: string, salt: Uint8Array): Promise<RecoveredLog> {
  const names = (await files.list(folder)) ?? []
  const numbers = names.flatMap((name) => segmentNumber(name) ?? []).sort((a, b) => a - b)
  if (numbers.length === 0) {
    const what = `the log of ${folder} is gone, though its store is there`
    throw new StoreError('damaged', `${what}; replace this replica by one with a new key`)
  }
  const recovery = new Recovery()
  for (const number of numbers) {
    const file = files.openForReading(join(folder, segmentFile(number)))
    try {
      const bytes = file.readSync(0, file.size)
      recovery.take(number, bytes, segmentSeed(salt, number), number === numbers.at(-1))
    } finally {
      file.close()
    }
  }
  return recovery.result()
}

/** A fault, and what the records around it tell of it. */
interface Located {
  readonly segment: number
  readonly fault: Fault
  /** Sequence numbers that are missing there, from the first to before the second; undefined where that is not known. */
  missing: readonly [number, number] | undefined
}

class Recovery {
  readonly #segments: Segment[] = []
  readonly #faults: Located[] = []
  readonly #newest = new Map<string, Framed>()
  readonly #carried = new Set<number>()
  #slotted: Framed[] = []
  #cut: CutState = NO_CUT
  #newestHead: { readonly sequence: number; readonly toSector: number; readonly segment: number } | undefined
  /** Faults since then, of which nothing is known yet. */
  #unexplained: Located[] = []
  #highest = 0
  #end = 0
  #tornBytes = 0

  take(number: number, bytes: Uint8Array, seed: number, last: boolean): void {
    const previous = this.#segments.at(-1)
    for (let missing = (previous?.number ?? number - 1) + 1; missing < number; missing++) {
      this.#fault(missing, { from: 0, head: undefined })
    }
    const { found, end, tornBytes } = examine(bytes, seed, last)
    const segment = new Segment(number)
    segment.size = bytes.length
    for (const each of found) {
      const { head } = each
      if (head !== undefined) {
        segment.add(head)
        this.#highest = Math.max(this.#highest, head.sequence)
        if (!head.carried) this.#follow(head, number)
      }
      if (isWhole(each)) this.#keep(each)
      else this.#fault(number, each)
    }
    // A segment begins with a record of the store's own. The first was durable before the store was one, and another before
    // anything came behind it.
    if (found.length === 0 && (number === 1 || !last)) this.#fault(number, { from: 0, head: undefined })
    this.#segments.push(segment)
    this.#end = end
    this.#tornBytes = tornBytes
    this.#slotted = this.#slotted.filter(({ record }) => record.slot > this.#cut.slot)
  }

  result(): RecoveredLog {
    const cut = this.#cut
    const segments = this.#segments.filter(({ number }, i) => number >= cut.oldest || i === this.#segments.length - 1)
    const first = segments[0]?.number ?? cut.oldest
    // A segment may be gone as a whole from the beginning, too.
    for (let number = cut.oldest; number < first; number++) this.#fault(number, { from: 0, head: undefined })
    const faults = this.#faults.filter(({ segment }) => segment >= cut.oldest)
    this.#boundUnread(segments, faults)
    const keyed = [...this.#newest.values()].filter(({ record }) => record.kind !== OWN_KIND)
    const records = [...this.#slotted, ...keyed].sort((a, b) => a.sequence - b.sequence).map(({ record }) => record)
    return {
      records,
      damaged: faults.map((each) => this.#damage(each)),
      tornBytes: this.#tornBytes,
      newest: this.#newest,
      nextSequence: this.#highest + 1,
      cut,
      segments,
      end: this.#end,
      closeLast: faults.some(({ segment }) => segment === segments.at(-1)?.number),
      leftovers: this.#segments.filter((segment) => !segments.includes(segment)).map(({ file }) => file),
    }
  }

  #keep({ head, body }: FoundRecord): void {
    const { kind, slot, key, sequence, carried } = head
    if (carried) this.#carried.add(sequence)
    if (key === undefined) {
      if (slot > this.#cut.slot)
        this.#slotted.push({ record: { kind, slot, bytes: body.slice() }, sequence, carried: false })
      return
    }
    const record = { kind, slot, key, bytes: body.slice() }
    const name = nameOf(record)
    if ((this.#newest.get(name)?.sequence ?? 0) >= sequence) return
    this.#newest.set(name, { record, sequence, carried: true })
    this.#cut = readCutRecord(record) ?? this.#cut
  }

  /** A record with this head comes next: whatever is missing before it was lost in the faults since the one before. */
  #follow({ sequence, toSector }: Head, segment: number): void {
    const before = this.#newestHead
    if (before !== undefined && sequence > before.sequence + 1) {
      if (this.#unexplained.length === 0)
        this.#fault(before.segment, { from: before.toSector * SECTOR_PAYLOAD_BYTES, head: undefined })
      for (const fault of this.#unexplained) fault.missing = [before.sequence + 1, sequence]
    }
    this.#unexplained = []
    this.#newestHead = { sequence, toSector, segment }
  }

  #fault(segment: number, fault: Fault): void {
    const located = { segment, fault, missing: undefined }
    this.#faults.push(located)
    if (fault.head === undefined) this.#unexplained.push(located)
  }

  /** What cannot be read may be about any slot so far: its segment is as one that has records about the highest. */
  #boundUnread(segments: readonly Segment[], faults: readonly Located[]): void {
    const highest = segments.reduce((most, { maxSlot }) => Math.max(most, maxSlot), 0)
    for (const each of faults) {
      if (each.fault.head !== undefined || !this.#isNeeded(each)) continue
      const segment = segments.find(({ number }) => number === each.segment)
      if (segment !== undefined) segment.maxSlot = Math.max(segment.maxSlot, highest)
    }
  }

  #damage(located: Located): DamagedRecord {
    const { segment, fault } = located
    const [kind, slot] = [fault.head?.kind, fault.head?.slot]
    return { file: segmentFile(segment), offset: offsetOf(fault.from), kind, slot, needed: this.#isNeeded(located) }
  }

  #isNeeded({ segment, fault, missing }: Located): boolean {
    if (segment < this.#cut.live) return false
    const { head } = fault
    if (head === undefined) {
      if (missing === undefined) return true
      for (let sequence = missing[0]; sequence < missing[1]; sequence++) {
        if (!this.#carried.has(sequence)) return true
      }
      return false
    }
    // Without the store's own record of a cut more is recovered than need be, never less.
    if (head.kind === OWN_KIND) return false
    if (head.key === undefined) return head.slot > this.#cut.slot
    return (this.#newest.get(nameOf(head))?.sequence ?? 0) < head.sequence
  }
}
