// The store with which somebody begins who is no member of the first epoch: how all epochs up to its own began, and, where it has one, a
// state to go on from. From there on it is a store like any other, and its replica gets the rest from the others.

import { EMPTY_FRONTIER, type Frontier } from '../../crypto/index.ts'
import type { HandOver, StableCheckpoint } from '../consensus/index.ts'
import type { Store } from '../storage/index.ts'
import { encodeRecord } from '../wire/index.ts'
import { emptyKept, Journal } from './journal.ts'

/** The state of a stable checkpoint, verified by whoever fetched it. */
export interface JoinState {
  readonly checkpoint: StableCheckpoint
  /** The log up to there. */
  readonly frontier: Frontier
  readonly chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>
}

/**
 * Fills the store of a replica that joins; it is durable when this resolves, and may be called again with more. `links` are of a verified
 * chain, in the end from the first on up to the epoch in which the replica is a member.
 */
export async function beginStore(
  store: Pick<Store, 'append' | 'putSnapshot'>,
  { links, state }: { readonly links: readonly HandOver[]; readonly state?: JoinState | undefined },
): Promise<void> {
  if (state !== undefined) {
    const { checkpoint, frontier, chunks } = state
    await store.putSnapshot(checkpoint.slot, encodeRecord({ kind: 'stable', checkpoint, frontier }), chunks)
  }
  const journal = new Journal({ store, kept: emptyKept(), bytes: 0, signed: (checkpoint) => checkpoint })
  const records = links.map((handOver) => ({ kind: 'hand-over', handOver, frontier: EMPTY_FRONTIER }) as const)
  await new Promise<void>((resolve) => {
    journal.add(records, resolve)
    journal.flush()
  })
}
