// What replicas say to one another. Verb: a vote (Prepare, Accept); noun: its certificate. A message that holds signed
// statements may be relayed by anyone; the others (heartbeats, requests for data, probes) count only for the peer at the other
// end of the channel, and are hints: no safety rests on them.

import type { Certificate, Digest, ReplicaIndex, Signature, Slot, View, Vote } from '../../crypto/index.ts'
import type { Charter } from '../../keys/charter/index.ts'
import type { Entry } from './entry.ts'
import type { SignedRequest } from './request.ts'

/** State agreed by q replicas after `slot` entries; the start of the epoch carries no signatures (M7). */
export interface StableCheckpoint {
  readonly slot: Slot
  readonly logRoot: Digest
  readonly stateRoot: Digest
  /** The membership digest of the next epoch, where this one ends with the slot: with it the checkpoint is a hand-over. */
  readonly next: Digest | undefined
  /** Signatures of exactly q members on the checkpoint note, ascending by replica; none for the start of the epoch. */
  readonly signatures: readonly CheckpointSignature[]
}

export interface CheckpointSignature {
  readonly replica: ReplicaIndex
  readonly signature: Signature
}

/** One replica's word on the state after `slot`: its signature on the C2SP checkpoint note of these values. */
export interface CheckpointVote {
  readonly slot: Slot
  readonly logRoot: Digest
  readonly stateRoot: Digest
  /** As in a stable checkpoint. */
  readonly next: Digest | undefined
  readonly replica: ReplicaIndex
  readonly signature: Signature
}

/** What ends one epoch and begins the next: a quorum of the one that ends signed it, and nobody of the other has a say. */
export interface HandOver {
  /** Of the last slot of the epoch, with `next`. */
  readonly checkpoint: StableCheckpoint
  /** That of the next epoch; `next` is the digest of its membership. */
  readonly charter: Charter
}

/** "Nothing below `view` any more from me, and this is what I have prepared." */
export interface ViewChange {
  readonly view: View
  readonly stable: StableCheckpoint
  /** The highest prepare certificate of each slot above the stable checkpoint that has one, ascending by slot. */
  readonly prepared: readonly Certificate[]
  /** The sender's signature; its digest is that of all of the above. */
  readonly vote: Vote
}

/** q ViewChanges that justify every value re-proposed in `view`; the selection itself is recomputed by everyone. */
export interface NewView {
  readonly view: View
  /** From q distinct replicas, ascending. */
  readonly viewChanges: readonly ViewChange[]
  /** The leader's signature; its digest is that of the view and of the ViewChanges. */
  readonly vote: Vote
  /** The leader's Prepare votes for the selected values, ascending by slot. */
  readonly proposals: readonly Vote[]
}

/** Two things that no honest replica signs both of; see evidence.ts. */
export type Evidence =
  | { readonly kind: 'two-votes'; readonly accused: ReplicaIndex; readonly first: Vote; readonly second: Vote }
  | {
      readonly kind: 'two-checkpoints'
      readonly accused: ReplicaIndex
      readonly first: CheckpointVote
      readonly second: CheckpointVote
    }
  | {
      readonly kind: 'hidden-prepared'
      readonly accused: ReplicaIndex
      readonly accept: Vote
      readonly viewChange: ViewChange
    }
  | {
      readonly kind: 'against-new-view'
      readonly accused: ReplicaIndex
      readonly vote: Vote
      readonly newView: NewView
    }
  | {
      readonly kind: 'wrong-receipt'
      readonly accused: ReplicaIndex
      readonly receipt: Vote
      readonly certificate: Certificate
    }
  | {
      readonly kind: 'past-the-end'
      readonly accused: ReplicaIndex
      /** A note that ends the epoch. */
      readonly end: CheckpointVote
      readonly late: LateStatement
    }

/** What was said in an epoch about a slot after its last. */
export type LateStatement =
  | { readonly kind: 'vote'; readonly vote: Vote }
  | { readonly kind: 'checkpoint'; readonly vote: CheckpointVote }

export type Message =
  | { readonly kind: 'requests'; readonly requests: readonly SignedRequest[] }
  | { readonly kind: 'propose'; readonly vote: Vote; readonly entry: Entry }
  | { readonly kind: 'vote'; readonly vote: Vote }
  | { readonly kind: 'view-change'; readonly viewChange: ViewChange }
  | { readonly kind: 'new-view'; readonly newView: NewView }
  | { readonly kind: 'checkpoint'; readonly vote: CheckpointVote }
  | { readonly kind: 'stable'; readonly checkpoint: StableCheckpoint }
  | { readonly kind: 'entries'; readonly entries: readonly ChosenEntry[] }
  | { readonly kind: 'bodies'; readonly entries: readonly Entry[] }
  | { readonly kind: 'evidence'; readonly evidence: Evidence }
  | ChannelMessage

/** Counts for the channel's peer alone, and is never relayed. */
export type ChannelMessage =
  | Heartbeat
  | { readonly kind: 'fetch-entries'; readonly from: Slot; readonly to: Slot }
  | { readonly kind: 'fetch-bodies'; readonly digests: readonly { readonly slot: Slot; readonly digest: Digest }[] }
  | { readonly kind: 'probe'; readonly view: View }
  | { readonly kind: 'probe-answer'; readonly view: View }
  /** Crash mode, from a leader: promise not to leave me for a while. Its clocks, whole milliseconds, come back in the grant. */
  | { readonly kind: 'lease-ask'; readonly view: View; readonly monotonicMs: number; readonly wallMs: number }
  | { readonly kind: 'lease-grant'; readonly view: View; readonly monotonicMs: number; readonly wallMs: number }

export interface Heartbeat {
  readonly kind: 'heartbeat'
  readonly view: View
  /** False between leaving one view and entering the next. */
  readonly active: boolean
  readonly chosen: Slot
  readonly executed: Slot
  readonly stable: Slot
  /** Members that the sender has heard from lately, directly. */
  readonly heard: readonly ReplicaIndex[]
}

export type MessageKind = Message['kind']

/** An entry with the proof that it was chosen. */
export interface ChosenEntry {
  readonly entry: Entry
  readonly certificate: Certificate
}
