// What a watch is to its user.

import type { Certificate, Digest, PublicKey, ReplicaIndex } from '../../../crypto/index.ts'
import type { EntryHeader } from '../../consensus/index.ts'

/** One key, those that begin with a prefix, or those from `start` on and before `end` (to the last key without it). */
export type WatchTarget =
  | { readonly key: string | Uint8Array }
  | { readonly prefix: string | Uint8Array }
  | { readonly start: string | Uint8Array; readonly end?: string | Uint8Array }

export interface WatchOptions {
  /** What happened up to this slot is left out; without it, what the cluster had executed when the watch began. */
  readonly after?: number
  /** Listens to this replica alone, with proofs of what it says; to t that agree unless told. See docs/watches.md. */
  readonly replica?: ReplicaIndex
  /**
   * With `replica`: follows all of its log and executes it here, so that nothing can be left out or made up. Costs the whole log on the
   * wire, and the whole state in memory.
   */
  readonly wholeLog?: boolean
  /** With `wholeLog`: ends with `too-old` where the newest that the replica has to tell is older than so many milliseconds. */
  readonly maxAgeMs?: number
  readonly signal?: AbortSignal
}

export type WatchEvent =
  | ({
      readonly kind: 'put'
      readonly value: Uint8Array
      readonly createRevision: number
      readonly modRevision: number
      readonly version: number
    } & EventFacts)
  | ({ readonly kind: 'delete' } & EventFacts)

export interface EventFacts {
  readonly key: Uint8Array
  readonly slot: number
  /** Agreed time of the slot, in milliseconds since 1970. */
  readonly timestampMs: number
  /** Whose request did it; undefined where it happened by itself. */
  readonly request: { readonly client: PublicKey; readonly sequence: number; readonly id: Digest } | undefined
}

/** All events of one slot that match, in their order. */
export interface WatchedEvents {
  readonly slot: number
  readonly timestampMs: number
  readonly events: readonly WatchEvent[]
  readonly header: EntryHeader
  /** q signatures on the header's digest, checked; undefined where the genesis leaves votes unsigned. */
  readonly certificate: Certificate | undefined
}

/** Why a replica is not listened to any more: what it said was another thing than t said, or nothing that an honest one says. */
export type DropReason =
  | 'watch-contradicted'
  | 'watch-stalled'
  | 'watch-gap'
  | 'watch-malformed'
  | 'watch-overdrawn'
  | 'watch-bad-certificate'
  | 'watch-lied'

/**
 * The events of some keys, slot by slot, for one reader. Ends by throwing a {@link WatchEnded}, a `ClientError` when the client is
 * closed, or the signal's reason; quietly when it is closed or the loop is left.
 */
export interface Watch extends AsyncIterableIterator<WatchedEvents, undefined> {
  /** Resolves with the slot after which it begins, once that is known: what is asked for from then on is seen. */
  readonly started: Promise<number>
  /** All events up to this slot were handed out; undefined until it has started. `after: position` goes on from here. */
  readonly position: number | undefined
  /** Replicas that were given up, newest last. */
  readonly dropped: readonly { readonly replica: ReplicaIndex; readonly reason: DropReason }[]
  close(): void
}

/**
 * Why a watch ended by itself: the changes after its position are no longer kept, the client has too many watches, it may not watch,
 * the one replica that it listens to lied, has nothing young enough to tell, or is a member no more.
 */
export class WatchEnded extends Error {
  override readonly name = 'WatchEnded'
  readonly code: 'fell-behind' | 'too-many' | 'not-allowed' | 'lied' | 'too-old' | 'left'
  /** With `fell-behind`: the first slot that can still be had; `after: firstSlot - 1` watches from there, with a gap. */
  readonly firstSlot: number | undefined

  constructor(code: WatchEnded['code'], message: string, firstSlot?: number) {
    super(message)
    this.code = code
    this.firstSlot = firstSlot
  }
}
