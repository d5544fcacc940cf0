// Where a core stands, for operators, metrics and checkers.

import type { ReplicaIndex, Slot, View } from '../../crypto/index.ts'
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
  }
}
