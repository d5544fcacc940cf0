// The epochs that tests of the core run in: the first one, and a later one, which begins in the middle of a log. Whatever a test
// says of the one must hold in the other.

import { appendLeaf, EMPTY_FRONTIER, type Frontier, frontierRoot, slot } from '../../crypto/index.ts'
import { type EpochStart, genesisStart } from '../../src/consensus/index.ts'
import { bytesFor } from './cluster.ts'

export interface TestEpoch {
  /** As the end of a test's name. */
  readonly name: string
  readonly number: number
  readonly start: EpochStart
  /** The log up to the start. */
  readonly frontier: Frontier
  /** Agreed time at the start. */
  readonly timestampMs: number
}

export const FIRST_EPOCH: TestEpoch = {
  name: 'in the first epoch',
  number: 0,
  start: genesisStart(bytesFor('state at the start')),
  frontier: EMPTY_FRONTIER,
  timestampMs: 0,
}

export const LATER_EPOCH: TestEpoch = laterEpoch(3, 4864)

export const EPOCHS: readonly TestEpoch[] = [FIRST_EPOCH, LATER_EPOCH]

/** The epoch of this number, which begins after `last`. */
export function laterEpoch(number: number, last: number): TestEpoch {
  let frontier = EMPTY_FRONTIER
  for (let at = 1; at <= last; at++) frontier = appendLeaf(frontier, bytesFor(`entry ${at}`))
  const start = {
    slot: slot(last),
    logRoot: frontierRoot(frontier),
    stateRoot: bytesFor(`state after ${last}`),
    justification: bytesFor(`hand-over to epoch ${number}`),
  }
  return { name: `in epoch ${number}`, number, start, frontier, timestampMs: 900_000 }
}
