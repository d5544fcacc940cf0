// The lines of an audit bundle as values; docs/audit-format.md describes them byte by byte. A bundle is
//
//   head, epoch*, (checkpoint | entry | receipt | state)*, (new-view | evidence)*, end
//
// where an entry is followed by its requests and results, a receipt by one of each, and a NewView by its ViewChanges.

import type { Certificate, Digest, Epoch, Frontier, ReplicaIndex, View, Vote } from '../../../crypto/index.ts'
import type { CheckpointVote, EntryHeader, LateStatement, SignedRequest, ViewChange } from '../../consensus/index.ts'
import type { StateProof } from '../../machine/index.ts'

/** Of the first epoch alone. */
export const BUNDLE_FORMAT = 'quorate-audit-1'
/** With the hand-over to every later epoch, of which there is at least one. */
export const EPOCHS_BUNDLE_FORMAT = 'quorate-audit-2'
export type BundleFormat = typeof BUNDLE_FORMAT | typeof EPOCHS_BUNDLE_FORMAT

/** What a bundle claims to hold; the auditor holds it to that. */
export type BundleContents =
  /** Every entry from one slot to another. */
  | { readonly kind: 'slots'; readonly from: number; readonly to: number }
  /** Entries of which a command names this key of the key-value machine; that none is missing is not claimed. */
  | { readonly kind: 'key'; readonly key: Uint8Array }
  /** One receipt. */
  | { readonly kind: 'receipt' }
  /**
   * This key of the whole state, under one checkpoint. Named here too: that a key is absent is proven by the same bytes for others
   * that would lie near it, and a changed file should not pass for what it was made for.
   */
  | { readonly kind: 'state'; readonly key: Uint8Array }
  /** Nothing but NewViews and evidence. */
  | { readonly kind: 'evidence' }

export interface HeadRecord {
  readonly kind: 'head'
  readonly format: BundleFormat
  readonly cluster: Digest
  readonly contents: BundleContents
}

/** One more epoch: the charter of it, and the note with which the epoch before handed over to it. */
export interface EpochRecord {
  readonly kind: 'epoch'
  readonly charter: Uint8Array
  readonly note: string
}

/** Covers the entries that follow, up to its slot. */
export interface CheckpointRecord {
  readonly kind: 'checkpoint'
  /** The signed note, as it is shown to other tools. */
  readonly note: string
  /** Of the log after its slot: its root is the note's. */
  readonly frontier: Frontier
  /** Proof that its log is a beginning of that which the last epoch began with; undefined where none is given. */
  readonly consistency: readonly Digest[] | undefined
}

export interface EntryRecord {
  readonly kind: 'entry'
  readonly header: EntryHeader
  /** q Accept votes. */
  readonly certificate: Certificate
  /** t receipts of the results that follow; none follow where it is undefined. */
  readonly receipt: Certificate | undefined
  /** Inclusion proof under the checkpoint above; undefined where no checkpoint covers the entry yet. */
  readonly path: readonly Digest[] | undefined
}

export interface RequestRecord {
  readonly kind: 'request'
  readonly request: SignedRequest
}

export interface ResultLine {
  readonly kind: 'result'
  /** See src/machine/result-record.ts. */
  readonly record: Uint8Array
}

/** A client's receipt: t signatures on the results root of the slot, and the place of one result under it. */
export interface ReceiptRecord {
  readonly kind: 'receipt'
  readonly certificate: Certificate
  readonly index: number
  readonly count: number
  readonly path: readonly Digest[]
}

/** The value of one key in the state of the checkpoint above, or that there is none. */
export interface StateRecord {
  readonly kind: 'state'
  readonly proof: StateProof
}

export interface NewViewRecord {
  readonly kind: 'new-view'
  readonly view: View
  /** How many ViewChanges follow. */
  readonly viewChanges: number
  readonly vote: Vote
  readonly proposals: readonly Vote[]
}

export interface ViewChangeRecord {
  readonly kind: 'view-change'
  readonly viewChange: ViewChange
}

/** Evidence as a line holds it: a NewView is named by its digest, and is the last one above. */
export type Proof =
  | { readonly kind: 'two-votes'; readonly first: Vote; readonly second: Vote }
  | { readonly kind: 'two-checkpoints'; readonly first: CheckpointVote; readonly second: CheckpointVote }
  | { readonly kind: 'hidden-prepared'; readonly accept: Vote; readonly viewChange: ViewChange }
  | { readonly kind: 'against-new-view'; readonly vote: Vote; readonly newView: Digest }
  | { readonly kind: 'wrong-receipt'; readonly receipt: Vote; readonly certificate: Certificate }
  | { readonly kind: 'past-the-end'; readonly end: CheckpointVote; readonly late: LateStatement }

export interface EvidenceRecord {
  readonly kind: 'evidence'
  /** In which the accused is a member, by that index. */
  readonly epoch: Epoch
  readonly accused: ReplicaIndex
  readonly proof: Proof
}

/** SHA-256 of all bytes before this line. */
export interface EndRecord {
  readonly kind: 'end'
  readonly sha256: Digest
}

export type BundleRecord =
  | HeadRecord
  | EpochRecord
  | CheckpointRecord
  | EntryRecord
  | RequestRecord
  | ResultLine
  | ReceiptRecord
  | StateRecord
  | NewViewRecord
  | ViewChangeRecord
  | EvidenceRecord
  | EndRecord

export type RecordKind = BundleRecord['kind']
