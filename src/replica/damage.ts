// Damaged records: which ones others can replace, and which ones mean that this replica no longer knows what it said.
//
// An entry, a certificate that it was chosen, what came of it, proofs of lies and stable checkpoints prove themselves, and peers
// have them too: they are fetched again. An own vote, promise, prepare certificate or checkpoint note does not come back. A replica
// that voted on without them could contradict itself, and would be convicted as a liar; so it stays out.

import { type DamagedRecord, StoreError } from '../storage/index.ts'
import { ARCHIVE_KINDS, RECORD_KINDS } from '../wire/index.ts'

const REPAIRABLE: ReadonlySet<number> = new Set([
  RECORD_KINDS.entry,
  RECORD_KINDS.chosen,
  ARCHIVE_KINDS.receipt,
  RECORD_KINDS.evidence,
  RECORD_KINDS.stable,
])

/** How many of the damaged records are repaired from peers. @throws {StoreError} `damaged` where one of them cannot be. */
export function repairableDamage(damaged: readonly DamagedRecord[], path: string): number {
  for (const record of damaged) {
    if (isRepairable(record)) continue
    const { file, offset } = record
    throw new StoreError(
      'damaged',
      `${path}: ${file} is damaged at byte ${offset}, where this replica noted what it had said, so it could contradict itself: ` +
        'bring back the folder as it was when the replica last ran, or retire this replica and its key',
    )
  }
  return damaged.length
}

function isRepairable({ kind, needed }: DamagedRecord): boolean {
  return !needed || (kind !== undefined && REPAIRABLE.has(kind))
}
