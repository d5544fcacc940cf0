// What the machine changed lately, slot by slot, with the entries and certificates that account for it: what watches are served
// from. Slots in which nothing changed cost nothing. Bounded; what falls out is gone for watches, though the log may still have it.

import {
  type Certificate,
  type Digest,
  inclusionProof,
  type MerkleTree,
  merkleTree,
  type Slot,
} from '../../crypto/index.ts'
import { commandBytes, type Entry, type EntryHeader, packEntry, type SignedRequest } from '../consensus/index.ts'
import type { StateChange } from '../machine/index.ts'
import { CHANGE_LOG_BYTES, CHANGE_LOG_SLOTS, CHANGED_SLOT_BYTES, CHANGED_SLOT_CHANGES } from './limits.ts'
import { PackedChanges } from './packed-changes.ts'
import { holds, type KeyRange } from './range-index.ts'

/** A slot in which something changed. */
export class ChangedSlot {
  readonly certificate: Certificate
  readonly timestampMs: number
  private entry: Entry
  private kept: readonly StateChange[] | PackedChanges
  /** Kept in memory for it, roughly; the entry's requests included. */
  readonly bytes: number
  private sorted: readonly number[] | undefined
  private tree: MerkleTree | undefined

  constructor(executed: ExecutedSlot) {
    const { entry, certificate, timestampMs, changes } = executed
    this.entry = entry
    this.certificate = certificate
    this.timestampMs = timestampMs
    this.kept = changes
    const stored = changes.reduce((sum, { key, value }) => sum + key.length + (value?.length ?? 0), 0)
    this.bytes =
      stored + CHANGE_BYTES * changes.length + commandBytes(entry) + REQUEST_BYTES * entry.requests.length + SLOT_BYTES
  }

  get header(): EntryHeader {
    return this.entry.header
  }

  get slot(): Slot {
    return this.header.slot
  }

  /** All of the entry, made anew once it is packed. */
  get requests(): readonly SignedRequest[] {
    return this.entry.requests
  }

  /** In their order. */
  get changes(): readonly StateChange[] {
    return this.kept instanceof PackedChanges ? this.kept.open() : this.kept
  }

  /** Hardly anybody asks for it any more. */
  pack(): void {
    if (this.kept instanceof PackedChanges) return
    this.kept = new PackedChanges(this.kept)
    this.entry = packEntry(this.entry)
    this.sorted = undefined
    this.tree = undefined
  }

  /** The changes of keys in the range, in their order; found among many without looking at each. */
  within(range: KeyRange): readonly StateChange[] {
    const { changes } = this
    const order = this.order(changes)
    const keyAt = (place: number) => changes[order[place] ?? 0]?.key ?? ''
    let [low, high] = [0, order.length]
    while (low < high) {
      const middle = (low + high) >>> 1
      if (keyAt(middle) < range.start) low = middle + 1
      else high = middle
    }
    const found: number[] = []
    for (let i = low; i < order.length && holds(range, keyAt(i)); i++) found.push(order[i] ?? 0)
    return found.sort((a, b) => a - b).flatMap((index) => changes[index] ?? [])
  }

  /** The places of the changes, sorted by key. */
  private order(changes: readonly StateChange[]): readonly number[] {
    const order =
      this.sorted ?? changes.map((_, i) => i).sort((a, b) => compareText(changes[a]?.key ?? '', changes[b]?.key ?? ''))
    if (!(this.kept instanceof PackedChanges)) this.sorted = order
    return order
  }

  /** Makes inclusion proofs of requests under the header's root; `requests` are those of this slot. */
  proofs(requests: readonly SignedRequest[]): (index: number) => readonly Digest[] {
    const tree = this.tree ?? merkleTree(requests.map(({ id }) => id))
    if (!(this.kept instanceof PackedChanges)) this.tree = tree
    return (index) => inclusionProof(tree.read, index, requests.length)
  }
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : Number(a > b)
}

export interface ExecutedSlot {
  readonly entry: Entry
  readonly certificate: Certificate
  /** The agreed time. */
  readonly timestampMs: number
  readonly changes: readonly StateChange[]
}

export interface ChangeLogLimits {
  readonly bytes: number
  readonly slots: number
}

/** Beside their content, once they are packed; of a slot with header, certificate and the objects that hold it all. */
const CHANGE_BYTES = 16
const REQUEST_BYTES = 64
const SLOT_BYTES = 2048
/** Forgotten slots at the front of the list before it is cut. */
const COMPACT_AT = 1024

export class ChangeLog {
  /** The first slot whose changes are here, and the last; `last + 1` and `last` where there are none. */
  first = 1
  last = 0
  private readonly limits: ChangeLogLimits
  /** Ascending by slot; those before `head` are forgotten, and held no more. */
  private list: (ChangedSlot | undefined)[] = []
  private head = 0
  private held = 0

  constructor(limits: ChangeLogLimits = { bytes: CHANGE_LOG_BYTES, slots: CHANGE_LOG_SLOTS }) {
    this.limits = limits
  }

  /** Bytes of what is kept. */
  get bytes(): number {
    return this.held
  }

  /** Takes what the next slot changed. */
  append(executed: ExecutedSlot): void {
    const { slot } = executed.entry.header
    if (slot !== this.last + 1) throw new RangeError(`slot: expected ${this.last + 1}, got ${slot}`)
    this.last = slot
    // Those who watch at this moment have been told of it.
    this.list.at(-1)?.pack()
    if (executed.changes.length > 0) {
      const made = new ChangedSlot(executed)
      // Too much for one frame: whoever watches is told that it fell behind, and begins after it.
      if (made.bytes > CHANGED_SLOT_BYTES || made.changes.length > CHANGED_SLOT_CHANGES) return this.restart(slot)
      this.list.push(made)
      this.held += made.bytes
    }
    this.first = Math.max(this.first, this.last - this.limits.slots + 1)
    this.forget()
  }

  /** The machine is now in the state after `slot`, and what led to it is not known. */
  restart(slot: number): void {
    this.first = slot + 1
    this.last = slot
    this.list = []
    this.head = 0
    this.held = 0
  }

  /** The slots with changes above `slot`, ascending. */
  *after(slot: number): Generator<ChangedSlot> {
    let [low, high] = [this.head, this.list.length]
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.list[middle]?.slot ?? 0) > slot) high = middle
      else low = middle + 1
    }
    for (let i = low; i < this.list.length; i++) {
      const found = this.list[i]
      if (found !== undefined) yield found
    }
  }

  private forget(): void {
    for (;;) {
      const oldest = this.list[this.head]
      if (oldest === undefined || (oldest.slot >= this.first && this.held <= this.limits.bytes)) break
      this.list[this.head++] = undefined
      this.held -= oldest.bytes
      this.first = Math.max(this.first, oldest.slot + 1)
    }
    if (this.head < COMPACT_AT && this.head < this.list.length) return
    this.list = this.list.slice(this.head)
    this.head = 0
  }
}
