// What is said about watches: a client asks one replica for the changes under a range of the machine's keys, and the replica tells
// them slot by slot, without a gap, for as long as the client's credit lasts.

import type { Certificate, Digest, PublicKey, Slot } from '../../crypto/index.ts'
import type { EntryHeader } from '../consensus/index.ts'

/** Machine keys from `start` on and before `end`; without `end`, to the last key. */
export interface WatchRange {
  readonly start: Uint8Array
  readonly end: Uint8Array | undefined
}

export interface WatchRequest extends WatchRange {
  /** The client's own, for this link. */
  readonly id: number
  /** What happened up to this slot is not told. */
  readonly after: Slot
  /** {@link watchCost} that may be told; the slot that reaches it is told whole. */
  readonly credit: number
  /** Whether requests come with what proves them, for a client that trusts no other replica. */
  readonly single: boolean
}

export interface WatchCredit {
  readonly id: number
  readonly more: number
}

/**
 * Why a watch ended at one replica: the changes after its position are no longer there; the replica has too many watches, or the
 * client has; or it may not watch.
 */
export type WatchEndCode = 'fell-behind' | 'busy' | 'not-allowed' | 'too-many'

/** Everything that matches in the slots above `after` and up to `upTo`; often nothing. */
export interface WatchBatch {
  readonly after: Slot
  readonly upTo: Slot
  /** Those with changes that match, ascending. */
  readonly slots: readonly WatchedSlot[]
}

export type WatchUpdate =
  | ({ readonly kind: 'batch'; readonly id: number } & WatchBatch)
  /** `firstSlot`: with `fell-behind` the first slot whose changes are still there; 0 otherwise. */
  | { readonly kind: 'ended'; readonly id: number; readonly code: WatchEndCode; readonly firstSlot: Slot }

export interface WatchedSlot {
  readonly slot: Slot
  readonly header: EntryHeader
  /** q Accept votes for the entry. */
  readonly certificate: Certificate
  /** The agreed time of the slot. */
  readonly timestampMs: number
  /** Those that the changes name, ascending by index. */
  readonly requests: readonly WatchedRequest[]
  /** In the order in which they happened. */
  readonly changes: readonly WatchedChange[]
}

export interface WatchedRequest {
  /** Position in the entry. */
  readonly index: number
  readonly client: PublicKey
  readonly sequence: number
  /** Its identity, or what it is computed from and its inclusion proof under the header's root. */
  readonly identity:
    | { readonly kind: 'id'; readonly id: Digest }
    | { readonly kind: 'proof'; readonly command: Uint8Array; readonly path: readonly Digest[] }
}

export interface WatchedChange {
  /** Of the request that did it; undefined where it happened by itself. */
  readonly index: number | undefined
  /** The machine's key. */
  readonly key: Uint8Array
  /** What the machine stored; undefined where it deleted. */
  readonly value: Uint8Array | undefined
}

const SLOT_COST = 512
const REQUEST_COST = 128
const HASH_COST = 32
const CHANGE_COST = 64

/** Roughly the bytes of a slot on the wire: what it takes from a watch's credit. The same for all replicas that say the same. */
export function watchCost({ requests, changes }: Pick<WatchedSlot, 'requests' | 'changes'>): number {
  let cost = SLOT_COST
  for (const { identity } of requests) {
    cost += REQUEST_COST
    if (identity.kind === 'proof') cost += identity.command.length + HASH_COST * identity.path.length
  }
  for (const { key, value } of changes) cost += CHANGE_COST + key.length + (value?.length ?? 0)
  return cost
}
