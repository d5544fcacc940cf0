// Where an epoch ends once its end was agreed.

import { type Slot, slot } from '../../crypto/index.ts'

/** What of a charter decides it. */
export interface EpochExtent {
  readonly start: Slot
  readonly parameters: { readonly checkpointInterval: number; readonly window: number }
}

/**
 * The last slot of an epoch whose change is in slot `change`: with an interval of K slots, the second boundary of checkpoints
 * above that slot, or a later one where the epoch began between two boundaries. Requires a window of at most K.
 *
 * A replica that has not executed the change yet votes up to a checkpoint interval and a window above its last checkpoint. That
 * checkpoint is below the change, so no such vote is above what this gives; without that, slots would be voted for in an epoch
 * that they are not of. Never goes down as `change` goes up, so what a replica has executed bounds an end that it has not
 * heard of: also one whose machine has not got to `start` yet, since for slots up to there it is as for the first above. At
 * least a window above the change, and less than 3 K.
 * @throws {RangeError} where the epoch would end above 2^53 - 1.
 */
export function lastSlotAfter(change: Slot, { start, parameters }: EpochExtent): Slot {
  const { checkpointInterval: interval, window } = parameters
  const checkpoint = Math.max(start, Math.floor((change - 1) / interval) * interval)
  return slot(Math.ceil((checkpoint + interval + window) / interval) * interval)
}
