// What a client counts: peers' mistakes and lies never become errors, but are not passed over in silence either.

import type { ReceiptFault } from './receipts.ts'
import type { DropReason } from './watch/types.ts'

export type ClientCounter =
  | ReceiptFault
  /** A frame that is none. */
  | 'frame-malformed'
  /** From an index that is no member's. */
  | 'frame-foreign'
  /** About a request that is not under way. */
  | 'refusal-not-needed'
  /** A replica had no room just now. */
  | 'refusal-busy'
  /** To a question that was not asked, or of another kind. */
  | 'answer-not-needed'
  /** A replica that a watch gave up. */
  | DropReason
  /** About a watch that is over, or was never opened there. */
  | 'watch-not-needed'
  /** Bundles signed. */
  | 'bundles'
  /** Requests sent again, to everybody. */
  | 'retries'
  /** Reads that no quorum answered alike, or not in time, and that went through the log. */
  | 'read-fallbacks'
  /** A proof of a value that proves nothing, which no honest replica sends. */
  | 'proof-wrong'
  /** A hand-over that is none, which no honest replica shows. */
  | 'link-wrong'
  /** Two chains of epochs that part. */
  | 'chain-ambiguous'
  /** Epochs that were gone over to. */
  | 'epochs-followed'

export class Counters {
  private readonly counts = new Map<ClientCounter, number>()

  readonly add = (counter: ClientCounter, by = 1): void => {
    this.counts.set(counter, (this.counts.get(counter) ?? 0) + by)
  }

  get all(): Readonly<Partial<Record<ClientCounter, number>>> {
    return Object.fromEntries(this.counts)
  }
}
