// Proofs that checkpoints of epochs that are over lead to the log with which the last epoch began: what lets an auditor with a pin of
// that epoch take entries whose signers' keys may have been stolen since. They need every leaf from the checkpoint on up to the
// beginning of the last epoch, so the log is read twice, the first time for its digests alone.

import {
  appendLeaf,
  consistencyProof,
  type Digest,
  EMPTY_FRONTIER,
  equalBytes,
  type Frontier,
  frontierRoot,
} from '../../crypto/index.ts'
import type { EpochStart } from '../consensus/index.ts'
import type { ArchivedCheckpoint } from '../wire/index.ts'
import type { Cursor } from './cursor.ts'
import { subtreesOf } from './verify/index.ts'

export interface Lead {
  /** The proof for the checkpoint of this slot; undefined where none is needed, or can be made. */
  from(slot: number): readonly Digest[] | undefined
}

export const NO_LEAD: Lead = Object.freeze({ from: () => undefined })

/**
 * Reads the log from the last of the verified, ascending `checkpoints` below slot `first` to `start`. What nobody can show as it was
 * signed makes an end of it: there are no proofs then.
 */
export async function leadOf(
  cursors: readonly Cursor[],
  start: Pick<EpochStart, 'slot' | 'logRoot'>,
  first: number,
  checkpoints: readonly ArchivedCheckpoint[],
): Promise<Lead> {
  if (first > start.slot) return NO_LEAD
  const below = checkpoints.findLast(({ checkpoint }) => checkpoint.slot < first)
  const before = below?.frontier ?? EMPTY_FRONTIER
  const leaves: Digest[] = []
  let frontier = before
  while (frontier.size < start.slot) {
    const next = checkpoints.find(({ checkpoint }) => checkpoint.slot > frontier.size)?.checkpoint
    const goal = next === undefined || next.slot > start.slot ? start : next
    const found = await stretch(cursors, frontier, goal)
    if (found === undefined) return NO_LEAD
    leaves.push(...found.leaves)
    frontier = found.frontier
  }
  const read = subtreesOf(before, leaves)
  return {
    from: (slot) => (slot <= before.size || slot >= start.slot ? undefined : consistencyProof(read, slot, start.slot)),
  }
}

interface Stretch {
  readonly leaves: readonly Digest[]
  readonly frontier: Frontier
}

/** The log from `from` to `goal`, as the first tells it whose entries are those under the signed root. */
async function stretch(
  cursors: readonly Cursor[],
  from: Frontier,
  goal: Pick<EpochStart, 'slot' | 'logRoot'>,
): Promise<Stretch | undefined> {
  for (const cursor of cursors) {
    const leaves: Digest[] = []
    let frontier = from
    for (let slot = from.size + 1; slot <= goal.slot; slot++) {
      const archived = await cursor.at(slot, goal.slot)
      if (archived === undefined) break
      const { digest } = archived.entry
      leaves.push(digest)
      frontier = appendLeaf(frontier, digest)
    }
    await cursor.rewind()
    if (frontier.size < goal.slot) continue
    if (equalBytes(frontierRoot(frontier), goal.logRoot)) return { leaves, frontier }
    cursor.refuse(`slot ${goal.slot}`, 'its entries up to there are not those that the checkpoint signs')
  }
  return undefined
}
