// Agreed time while nobody asks for anything. The machine says when it has something to do by itself (a lease ends, say); time is
// agreed only with entries, so somebody has to propose one.
//
//   E1  a leader with nothing to order and nothing in flight, whose wall clock has reached that time, proposes an empty batch
//   E2  by our wall clock the time has passed by the drift bound, and still no entry: counts as work that waits (T1)
//
// With clocks within the drift bound of each other a leader's clock reaches the time before any follower begins to count, and the
// follower then gives it a whole time-out: clocks alone change no view. An empty batch is a proposal like any other, judged by the
// same rules, so a leader that proposes one early moves time no further than its clock may anyway (P5).

import { slot } from '../../crypto/index.ts'
import { batchEntry } from './entry.ts'
import { acceptProposal } from './proposal.ts'
import { lastProposable } from './requests.ts'
import { type CoreState, leads } from './state.ts'

/**
 * E1. To be called at ticks alone: a machine that never comes to an end with what is due costs an entry a tick, and no endless loop.
 */
export function proposeClock(state: CoreState): void {
  const due = entryDueAt(state)
  if (due === undefined || state.wallMs < due || !leads(state) || state.transferring) return
  if (state.config.mutations.has('no-clock-entries')) return
  const at = slot(Math.max(state.nextSlot, state.chosen + 1))
  const idle = at === state.executed + 1 && state.unassigned.size === 0
  if (!idle || at > lastProposable(state)) return
  state.nextSlot = slot(at + 1)
  acceptProposal(state, batchEntry(at, state.config.membership.epoch, Math.floor(state.wallMs), []))
}

/** E2. Notes since when an entry has been overdue. */
export function watchClock(state: CoreState): void {
  const due = entryDueAt(state)
  const overdue = due !== undefined && state.wallMs >= due + state.config.parameters.clockDriftMs
  state.overdueSince = overdue ? (state.overdueSince ?? state.nowMs) : undefined
}

/** The wall-clock time from which on an entry does what is due. Agreed time that is ahead of all clocks waits for them. */
function entryDueAt({ dueMs, timestampMs }: CoreState): number | undefined {
  return dueMs === undefined ? undefined : Math.max(dueMs, timestampMs)
}
