// What travels beside the protocol's own messages: between clients and replicas, and between replicas that transfer snapshots.

import type { Digest, Epoch, Frontier, ReplicaIndex, Slot, View, Vote } from '../../crypto/index.ts'
import type { ChosenEntry, Evidence, HandOver, NewView, SignedRequest, StableCheckpoint } from '../consensus/index.ts'
import type { ProvenValue, ReadResult } from '../machine/index.ts'
import type { WatchCredit, WatchRequest, WatchUpdate } from './watches.ts'

/** Client to replica. */
export type ClientFrame =
  | { readonly kind: 'requests'; readonly requests: readonly SignedRequest[] }
  /** `id` is the client's own and comes back with the answers. */
  | { readonly kind: 'ask'; readonly id: number; readonly question: Question }
  /** Asks for changes from a slot on; answered by `watched` until `unwatch`, or the end of the link. */
  | ({ readonly kind: 'watch' } & WatchRequest)
  | { readonly kind: 'credit'; readonly credits: readonly WatchCredit[] }
  | { readonly kind: 'unwatch'; readonly id: number }

export type Question =
  | { readonly kind: 'status' }
  /** Kept slots from `from` to `to`, in several answers. */
  | { readonly kind: 'slots'; readonly from: Slot; readonly to: Slot }
  /** Kept stable checkpoints for slots from `from` to `to`. */
  | { readonly kind: 'checkpoints'; readonly from: Slot; readonly to: Slot }
  | { readonly kind: 'new-views' }
  | { readonly kind: 'evidence' }
  /** Commands that only read, for the replica's own state once it holds everything that the replica helped to decide. */
  | { readonly kind: 'read'; readonly commands: readonly Uint8Array[]; readonly lease: boolean }
  /** Values of keys of the whole state, with proofs under a stable checkpoint. */
  | { readonly kind: 'prove'; readonly keys: readonly Uint8Array[] }
  /** The chunk that begins at `path` of the newest state of a stable checkpoint up to the slot `atMost`. */
  | { readonly kind: 'state'; readonly atMost: Slot; readonly path: Uint8Array }
  /** Hand-overs, ascending, from the one on that ended the epoch `from`: {@link MAX_LINKS} at most, in several answers. */
  | { readonly kind: 'chain'; readonly from: Epoch }

/** Replica to client. */
export type ReplicaFrame =
  | { readonly kind: 'replies'; readonly replies: readonly SlotReply[] }
  | { readonly kind: 'refusal'; readonly request: Digest; readonly code: RefusalCode }
  /** One of several answers to a question; `last` on the final one, which may be empty. */
  | { readonly kind: 'answer'; readonly id: number; readonly last: boolean; readonly answer: Answer }
  /** News of any number of watches. */
  | { readonly kind: 'watched'; readonly updates: readonly WatchUpdate[] }

/**
 * Why a replica did not take a request. It is one replica's word: a client believes it when t replicas say it. `busy` is no
 * verdict, and the request may be sent again.
 */
export type RefusalCode = 'busy' | 'unknown-client' | 'too-large' | 'bad-signature' | 'malformed' | 'not-allowed'

/** One replica's answers to one client's requests of one slot, under one receipt. */
export interface SlotReply {
  /** A hint where to send next; nobody vouches for it. */
  readonly view: View
  /** The replica's signature on the results root of the slot. */
  readonly receipt: Vote
  /** Leaves of the results tree. */
  readonly count: number
  /** Ascending by index. */
  readonly items: readonly ReplyItem[]
  /** What proves all items together under the receipt's digest; see `multiProof`. */
  readonly hashes: Uint8Array
}

export interface ReplyItem {
  /** Where the record stands among those of its slot. */
  readonly index: number
  /** The result record, see src/machine/result-record.ts. */
  readonly record: Uint8Array
}

export type Answer =
  | { readonly kind: 'status'; readonly status: ReplicaStatus }
  | { readonly kind: 'slots'; readonly slots: readonly ArchivedSlot[] }
  | { readonly kind: 'checkpoints'; readonly checkpoints: readonly ArchivedCheckpoint[] }
  | { readonly kind: 'new-views'; readonly newViews: readonly NewView[] }
  | { readonly kind: 'evidence'; readonly evidence: readonly Evidence[] }
  /** Nothing is said to this client, or the question makes no sense here. */
  | { readonly kind: 'refused'; readonly reason: string }
  /**
   * Some of the results, from the command at `first` on, of the state after `slot`, by a replica that was of `epoch` then; the others
   * come in other answers.
   */
  | {
      readonly kind: 'read'
      readonly epoch: Epoch
      readonly slot: Slot
      readonly first: number
      readonly results: readonly ReadResult[]
    }
  /** Undefined before the first stable checkpoint. */
  | { readonly kind: 'prove'; readonly state: ProvenState | undefined }
  /** Undefined where there is no such state here. */
  | { readonly kind: 'state'; readonly part: StatePart | undefined }
  | { readonly kind: 'chain'; readonly links: readonly HandOver[] }

/** A chunk of the state of a stable checkpoint; see `MapRestoration`. Nothing in it is verified. */
export interface StatePart extends ArchivedCheckpoint {
  readonly chunk: Uint8Array
}

/** Parts of the state under a stable checkpoint. Nothing in it is verified. */
export interface ProvenState extends ArchivedCheckpoint {
  /** Of the state's own position: the slot, and its agreed time. */
  readonly position: ProvenValue
  /** One for each key asked for, in their order. */
  readonly values: readonly ProvenValue[]
}

/** What one replica keeps of a slot: the entry, why it counts, and what came of it there. */
export interface ArchivedSlot extends ChosenEntry {
  /** This replica's receipt; undefined where it took the slot over from a snapshot, or has not signed it yet. */
  readonly receipt: Vote | undefined
  /** One result record a request; empty where there is no receipt. */
  readonly records: readonly Uint8Array[]
}

/** A stable checkpoint and the log's frontier after its slot, from which inclusion proofs of later slots are made. */
export interface ArchivedCheckpoint {
  readonly checkpoint: StableCheckpoint
  readonly frontier: Frontier
}

/** Where one replica stands, by its own account. */
export interface ReplicaStatus {
  readonly replica: ReplicaIndex
  /** To which its index, view and leader belong. */
  readonly epoch: Epoch
  readonly view: View
  readonly leader: ReplicaIndex
  /** False between leaving one view and entering the next. */
  readonly active: boolean
  readonly chosen: Slot
  readonly executed: Slot
  readonly stable: Slot
  /** Root of the state at `stable`. */
  readonly stateRoot: Digest
  /** The first slot that is kept for audits. */
  readonly firstSlot: Slot
  readonly pending: number
  readonly transferring: boolean
  /** Requests executed since it started. */
  readonly requests: number
  readonly uptimeMs: number
  /** Members that it is connected to. */
  readonly connected: readonly ReplicaIndex[]
  /** Who was proved to have lied, by what kind of evidence, and how often. */
  readonly lies: readonly { readonly accused: ReplicaIndex; readonly kind: string; readonly count: number }[]
  /** Its own behaviour where it lies on purpose; empty otherwise. */
  readonly liar: string
  readonly alarms: readonly string[]
  readonly version: string
}

/** Replica to replica, on the transfer channel. */
export type TransferFrame =
  /** Asks for the chunk of the snapshot of `slot` that begins at `path`. */
  | { readonly kind: 'ask'; readonly slot: Slot; readonly path: Uint8Array }
  | {
      readonly kind: 'chunk'
      readonly slot: Slot
      readonly path: Uint8Array
      readonly frontier: Frontier
      readonly timestampMs: number
      readonly chunk: Uint8Array
    }
  /** The snapshot is not here. */
  | { readonly kind: 'none'; readonly slot: Slot }
