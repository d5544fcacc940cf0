// What travels on simulated links: the messages of replicas, and what their shells and clients say beside the protocol.

import type { Digest, Frontier, ReplicaIndex, Slot, View, Vote } from '../../crypto/index.ts'
import type { HandOver, Message, SignedRequest } from '../consensus/index.ts'

export type Packet =
  /** In a frame of this epoch, where its sender has this position; undefined for a liar that has none there. */
  | {
      readonly kind: 'message'
      readonly epoch: number
      readonly from: ReplicaIndex | undefined
      readonly message: Message
    }
  /** What came after the epoch that the receiver spoke in, from who is at this address. */
  | { readonly kind: 'chain'; readonly address: number; readonly links: readonly HandOver[] }
  /** Asks for that, from this address, where this epoch is known. */
  | { readonly kind: 'chain-ask'; readonly epoch: number; readonly from: number }
  /** From the system: the channel to this address ended, or is there again. */
  | { readonly kind: 'link'; readonly address: number; readonly up: boolean }
  | { readonly kind: 'requests'; readonly client: number; readonly requests: readonly SignedRequest[] }
  | { readonly kind: 'reply'; readonly reply: SlotReply }
  | { readonly kind: 'refusal'; readonly replica: ReplicaIndex; readonly sequence: number; readonly code: string }
  /** Reads from a replica's own state. */
  | { readonly kind: 'read'; readonly client: number; readonly read: ReadQuestion }
  | {
      readonly kind: 'read-answer'
      readonly epoch: number
      readonly replica: ReplicaIndex
      readonly id: number
      readonly answer: ReadAnswer
    }
  | {
      readonly kind: 'snapshot-ask'
      /** Addresses, here and in chunks: who has left with an epoch has no position in the next one, and serves it all the same. */
      readonly from: number
      readonly slot: Slot
      readonly path: Uint8Array
    }
  | {
      readonly kind: 'snapshot-chunk'
      readonly from: number
      readonly slot: Slot
      readonly path: Uint8Array
      /** The log up to the snapshot. */
      readonly frontier: Frontier
      readonly chunk: Uint8Array
    }

export interface ReadQuestion {
  readonly id: number
  readonly command: Uint8Array
  readonly lease: boolean
}

/** Undefined where there is no lease to answer under. */
export type ReadAnswer = { readonly slot: Slot; readonly result: Uint8Array } | undefined

/** One replica's answers to one client's requests of one slot, under one receipt: enough for the client to check them alone. */
export interface SlotReply {
  readonly replica: ReplicaIndex
  /** A hint where to send next; nobody vouches for it. */
  readonly view: View
  readonly receipt: Vote
  /** Leaves of the results tree. */
  readonly count: number
  readonly items: readonly ReplyItem[]
}

/** A result record, where it stands among those of its slot, and its proof under the receipt. */
export interface ReplyItem {
  readonly index: number
  readonly record: Uint8Array
  readonly path: readonly Digest[]
}

/** The kind by which scenarios name a message: that of the vote where it is one. */
export function kindOf(message: Message): string {
  return message.kind === 'vote' ? message.vote.statement.kind : message.kind
}

/** View and slot that a message is about, as far as it names them. */
export function placeOf(message: Message): { readonly view?: number; readonly slot?: number } {
  switch (message.kind) {
    case 'vote':
    case 'propose':
      return message.vote.statement
    case 'view-change':
      return { view: message.viewChange.view }
    case 'new-view':
      return { view: message.newView.view }
    case 'checkpoint':
      return { slot: message.vote.slot }
    case 'stable':
      return { slot: message.checkpoint.slot }
    case 'heartbeat':
    case 'probe':
    case 'probe-answer':
    case 'lease-ask':
    case 'lease-grant':
      return { view: message.view }
    case 'fetch-entries':
      return { slot: message.from }
    default:
      return {}
  }
}
