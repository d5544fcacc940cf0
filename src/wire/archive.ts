// What an auditor reads from: a running replica through a client, or the data folder of a stopped one.

import type { ReplicaIndex } from '../../crypto/index.ts'
import type { Evidence, HandOver, NewView } from '../consensus/index.ts'
import type { ArchivedCheckpoint, ArchivedSlot } from './frames.ts'

/** One replica's kept history. Nothing in it is verified: whoever reads it checks. */
export interface Archive {
  readonly replica: ReplicaIndex
  /** First and last slot that are kept whole; `last` is 0 where there are none. */
  extent(): Promise<{ readonly first: number; readonly last: number }>
  /** How the epochs after the first began, ascending and without a gap. */
  handOvers(): AsyncIterable<HandOver>
  slots(from: number, to: number): AsyncIterable<ArchivedSlot>
  checkpoints(from: number, to: number): AsyncIterable<ArchivedCheckpoint>
  newViews(): Promise<readonly NewView[]>
  evidence(): Promise<readonly Evidence[]>
  close(): Promise<void>
}
