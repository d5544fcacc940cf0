// Where a core stands, for operators, metrics and checkers.

import { type ReplicaIndex, type Slot, slot, type View } from '../../crypto/index.ts'
import { hasEnded } from './ending.ts'
import type { StableCheckpoint } from './messages.ts'
import { type CoreState, leader, type Phase } from './state.ts'

export interface CoreStatus {
  readonly self: ReplicaIndex
  readonly view: View
  readonly phase: Phase
  readonly leader: ReplicaIndex
  readonly chosen: Slot
  readonly executed: Slot
  readonly stable: StableCheckpoint
  /** Requests that wait to be executed. */
  readonly pending: number
  /** Slots that anything is kept for. */
  readonly slots: number
  readonly transferring: boolean
  /** The agreed time from which on the machine has something to do by itself; undefined where nothing waits. */
  readonly dueMs: number | undefined
  /** The last slot of the epoch, where it is agreed. */
  readonly lastSlot: Slot | undefined
  /** That slot is executed: nothing more is answered in this epoch (M10). */
  readonly ended: boolean
}

export function status(state: CoreState): CoreStatus {
  return {
    self: state.config.self,
    view: state.view,
    phase: state.phase,
    leader: leader(state),
    chosen: state.chosen,
    executed: state.executed,
    stable: state.stable,
    pending: state.pending.size,
    slots: state.slots.size + state.tail.size,
    transferring: state.transferring,
    dueMs: state.dueMs,
    lastSlot: state.succession?.lastSlot,
    ended: hasEnded(state),
  }
}

/**
 * The highest slot that this replica's own Accept may have helped to decide; at least every slot known chosen. A read that is answered
 * once this slot is executed sees everything that was decided with this replica's help before it was asked: of any q replicas, one
 * that is honest helped with each decision. Undefined once the epoch has ended (M10): what the next one decides is not to be seen here.
 */
export function readIndex(state: CoreState): Slot | undefined {
  if (hasEnded(state)) return undefined
  let highest = slot(Math.max(state.chosen, state.stable.slot))
  for (const { slot: at, prepared, chosen } of state.slots.values()) {
    // Who accepted holds a prepare certificate, in this view or an earlier one.
    if (at > highest && (prepared !== undefined || chosen !== undefined)) highest = at
  }
  return highest
}
