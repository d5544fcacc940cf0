// The core's records as those of the store, and back. Records about a slot go when the log below a snapshot is cut; those about
// none have a key, of which the newest stays:
//
//   promise, new-view     what binds this replica to its view
//   stable                the newest stable checkpoint; each is kept under its slot too, for proofs
//   new-view/N            the last NewViews, for audits
//   evidence/N            proofs of lies

import { equalBytes, type Slot, type Vote } from '../../crypto/index.ts'
import type { DurableRecord, Evidence, NewView, StableCheckpoint } from '../consensus/index.ts'
import type { Store, StoreRecord } from '../storage/index.ts'
import { ARCHIVE_KINDS, encodeOutcome, encodeRecord, RECORD_KINDS } from '../wire/index.ts'
import { KeptSeries } from './kept-series.ts'
import { AUDIT_NEW_VIEW_BYTES, AUDIT_NEW_VIEWS, EVIDENCE_BYTES, KEPT_EVIDENCE } from './limits.ts'

export const PROMISE_KEY = 'promise'
export const NEW_VIEW_KEY = 'new-view'
export const STABLE_KEY = 'stable'
export const AUDIT_KEY_PREFIX = 'new-view/'
export const EVIDENCE_KEY_PREFIX = 'evidence/'
export const HAND_OVER_KEY_PREFIX = 'hand-over/'

/** What is kept about no slot, as far as it matters while the replica runs; by N of its key. */
export interface KeptForAudit {
  readonly newViews: KeptSeries<NewView>
  readonly evidence: KeptSeries<Evidence>
}

export function emptyKept(): KeptForAudit {
  return {
    newViews: new KeptSeries({ count: AUDIT_NEW_VIEWS, bytes: AUDIT_NEW_VIEW_BYTES }),
    evidence: new KeptSeries({ count: KEPT_EVIDENCE, bytes: EVIDENCE_BYTES }),
  }
}

export interface JournalOptions {
  readonly store: Pick<Store, 'append'>
  readonly kept: KeptForAudit
  /** Bytes of the records that a restart would read. */
  readonly bytes: number
  /** A stable checkpoint as everybody can verify it; see `Epochs.signed`. */
  readonly signed: (checkpoint: StableCheckpoint) => StableCheckpoint
}

export class Journal {
  /** Bytes of records appended, and before that those that a restart has read. */
  bytes: number
  readonly kept: KeptForAudit
  private readonly store: Pick<Store, 'append'>
  private readonly signed: JournalOptions['signed']
  private waiting: StoreRecord[] = []
  private dones: (() => void)[] = []
  /** Appends that are not durable yet, and whom to tell when all of them are. */
  private open = 0
  private held: (() => void)[] = []

  constructor({ store, kept, bytes, signed }: JournalOptions) {
    this.store = store
    this.kept = kept
    this.bytes = bytes
    this.signed = signed
  }

  /** Takes the records of one `persist` effect; they go to the store with the next {@link flush}. `done`: they are durable. */
  add(records: readonly DurableRecord[], done: () => void): void {
    for (const record of records) this.addOne(record)
    this.dones.push(done)
  }

  /** True for a proof that is kept already. */
  holds(evidence: Evidence): boolean {
    return this.evidenceNumber(evidence, encodeRecord({ kind: 'evidence', evidence })) < this.kept.evidence.size
  }

  /** What came of a slot here; nothing waits for it. */
  addOutcome(slot: Slot, receipt: Vote, records: readonly Uint8Array[]): void {
    this.put({ kind: ARCHIVE_KINDS.receipt, slot, bytes: encodeOutcome({ receipt, records }) })
  }

  /** Everything taken since the last time, as one append. */
  flush(): void {
    const { waiting, dones } = this
    this.waiting = []
    this.dones = []
    this.held.push(...dones)
    // Records of which none had to be written are as durable as those before them.
    if (waiting.length === 0) return this.tell()
    const told = this.held
    this.held = []
    this.open++
    this.store.append(waiting, () => {
      this.open--
      for (const done of told) done()
      this.tell()
    })
  }

  private tell(): void {
    if (this.open > 0) return
    const { held } = this
    this.held = []
    for (const done of held) done()
  }

  private addOne(record: DurableRecord): void {
    const kind = RECORD_KINDS[record.kind]
    const bytes = encodeRecord(record)
    switch (record.kind) {
      case 'promise':
        return this.put({ kind, slot: 0, key: PROMISE_KEY, bytes })
      case 'new-view': {
        this.put({ kind, slot: 0, key: NEW_VIEW_KEY, bytes })
        const number = record.newView.view % AUDIT_NEW_VIEWS
        if (!this.kept.newViews.put(number, record.newView, bytes.length)) return
        return this.put({ kind, slot: 0, key: `${AUDIT_KEY_PREFIX}${number}`, bytes })
      }
      case 'stable': {
        const signed = encodeRecord({ ...record, checkpoint: this.signed(record.checkpoint) })
        this.put({ kind, slot: 0, key: STABLE_KEY, bytes: signed })
        return this.put({ kind, slot: record.checkpoint.slot, bytes: signed })
      }
      case 'evidence': {
        const number = this.evidenceNumber(record.evidence, bytes)
        if (!this.kept.evidence.put(number, record.evidence, bytes.length)) return
        return this.put({ kind, slot: 0, key: `${EVIDENCE_KEY_PREFIX}${number}`, bytes })
      }
      case 'hand-over':
        return this.put({ kind, slot: 0, key: `${HAND_OVER_KEY_PREFIX}${record.handOver.charter.epoch}`, bytes })
      default:
        return this.put({ kind, slot: slotOf(record), bytes })
    }
  }

  private put(record: StoreRecord): void {
    this.waiting.push(record)
    this.bytes += record.bytes.length
  }

  /** The same proof again, as after a restart, takes the place that it has. */
  private evidenceNumber(evidence: Evidence, bytes: Uint8Array): number {
    for (const [number, { item }] of this.kept.evidence.entries()) {
      if (item.accused !== evidence.accused || item.kind !== evidence.kind) continue
      if (equalBytes(encodeRecord({ kind: 'evidence', evidence: item }), bytes)) return number
    }
    return this.kept.evidence.size
  }
}

type SlotRecord = DurableRecord & { readonly kind: 'entry' | 'vote' | 'prepared' | 'chosen' | 'checkpoint' }

function slotOf(record: SlotRecord): Slot {
  switch (record.kind) {
    case 'entry':
      return record.entry.header.slot
    case 'vote':
      return record.vote.statement.slot
    case 'prepared':
    case 'chosen':
      return record.certificate.statement.slot
    case 'checkpoint':
      return record.vote.slot
  }
}

/** N of a key of a series; undefined for other keys. */
export function numberIn(key: string | undefined, prefix: string): number | undefined {
  if (key === undefined || !key.startsWith(prefix)) return undefined
  const number = Number(key.slice(prefix.length))
  return Number.isSafeInteger(number) && number >= 0 ? number : undefined
}
