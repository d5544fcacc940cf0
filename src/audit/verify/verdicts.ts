// What an audit says of each item of a bundle, and of all of it.

import type { MemberId, SignatureVerifier } from '../../../crypto/index.ts'
import type { EpochChain } from '../../consensus/index.ts'
import type { StateMachine } from '../../machine/index.ts'
import type { Doubt, EpochTrust, Standing } from './epochs.ts'
import type { AuditFault, PlacedFault } from './fault.ts'
import type { BatchVerifier } from './gather.ts'
import type {
  BundleItem,
  CheckpointItem,
  EntryItem,
  EpochItem,
  EvidenceItem,
  NewViewItem,
  ReceiptItem,
  StateItem,
} from './items.ts'
import type { AuditLevel } from './log-walk.ts'
import type { BundleContents } from './records.ts'

export interface AuditOptions extends EpochTrust {
  readonly level: AuditLevel
  readonly verifier: SignatureVerifier
  /** Checks signatures in batches, such as by other threads, with the same verdicts as `verifier`. */
  readonly batch?: BatchVerifier
  /** What `replay` executes; the key-value store unless told. */
  readonly machine?: StateMachine
}

/** One item, judged. It holds where `faults` is empty. */
export type AuditVerdict =
  | { readonly kind: 'head'; readonly contents: BundleContents; readonly faults: readonly AuditFault[] }
  | (Judged<EpochItem> & {
      /** The epochs up to and with this one; without it where it is no good. */
      readonly chain: EpochChain
    })
  | (Judged<CheckpointItem> & { readonly slot: number })
  | (Judged<EntryItem> & {
      /** Members by their ids, as everywhere here. */
      readonly signers: readonly MemberId[]
      /** Of the results, where there are any. */
      readonly resultSigners: readonly MemberId[] | undefined
      /** Slot of the checkpoint that the entry's inclusion proof is for. */
      readonly checkpoint: number | undefined
    })
  | (Judged<ReceiptItem> & {
      readonly signers: readonly MemberId[]
      /** Whether the epoch of its slot is over. */
      readonly retired: boolean
    })
  | (Judged<StateItem> & {
      /** Of the checkpoint whose state it is, and who signed that; empty where it is no good. */
      readonly checkpoint: number | undefined
      readonly signers: readonly MemberId[]
    })
  | Judged<NewViewItem>
  | (Judged<EvidenceItem> & {
      /** Who is accused; undefined where the epoch has no such member. */
      readonly member: MemberId | undefined
    })

type Judged<Item extends BundleItem> = Item & { readonly faults: readonly AuditFault[] }

export interface AuditSummary {
  readonly kind: 'summary'
  readonly level: AuditLevel
  /** Everything in the bundle holds, it holds what it claims, and it is not ambiguous. */
  readonly valid: boolean
  readonly standing: Standing
  /** Undefined unless it is ambiguous. */
  readonly doubt: Doubt | undefined
  readonly contents: BundleContents | undefined
  /** Hand-overs. */
  readonly epochs: number
  readonly entries: number
  /** Entries with results that rest on keys of epochs that are over: whatever is pinned, execution alone settles those. */
  readonly retiredResults: number
  /** Entries with a fault. */
  readonly refused: number
  /** Entries that no checkpoint covers. */
  readonly uncheckpointed: number
  readonly checkpoints: number
  readonly receipts: number
  readonly states: number
  readonly newViews: number
  readonly evidence: number
  /** Who is convicted for certain by evidence that holds, ascending. */
  readonly convicted: readonly MemberId[]
  /** Against whom evidence holds by keys that may have been stolen since: of an epoch that is over, or that nothing fixes. */
  readonly suspected: readonly MemberId[]
  /** How many, and the first of them. */
  readonly faultCount: number
  readonly faults: readonly PlacedFault[]
}

/** Where the item of a verdict stands, for people. */
export function placeOf(verdict: AuditVerdict, line: number): string {
  switch (verdict.kind) {
    case 'entry':
      return `slot ${verdict.entry.header.slot}`
    case 'checkpoint':
      return `checkpoint ${verdict.slot}`
    case 'head':
      return 'the bundle'
    case 'epoch':
      return `epoch ${verdict.chain.last.charter.epoch + (verdict.faults.length > 0 ? 1 : 0)}`
    case 'receipt':
      return 'the receipt'
    case 'state':
      return 'the key of the state'
    case 'new-view':
      return `NewView of view ${verdict.newView.view} (line ${line})`
    case 'evidence':
      return `evidence against replica ${verdict.member ?? verdict.evidence.accused} (line ${line})`
  }
}
