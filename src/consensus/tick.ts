// Time: heartbeats, complaints, and sending again. Retransmission is part of the protocol (pitfalls P14, P15): until a slot is
// decided or a view has begun, whoever holds a piece of it says so again.

import { proposeClock, watchClock } from './clock.ts'
import { isEnding, watchPace } from './ending.ts'
import type { Input } from './io.ts'
import { settlePromises } from './lease.ts'
import { HEARTBEAT_SHARE, logWindow, RESEND_SHARE, RESEND_SLOTS, RESEND_STEPS, SLOW_RESEND_SHARE } from './limits.ts'
import { publish } from './outbox.ts'
import { fetchBodies, fetchEntries, sendHeartbeats } from './peers.ts'
import { releaseHeld } from './proposal.ts'
import { passOn } from './reach.ts'
import { digestKey } from './request.ts'
import { forwardRequests, propose } from './requests.ts'
import { transfer } from './stability.ts'
import { type CoreState, passTime, type SlotState } from './state.ts'
import { complaint, dropProbe, stalledFor, suspect, viewTimeout } from './suspicion.ts'
import { followDeferred, resendViewChange } from './view-change.ts'

/** Intervals of a base time-out after which a snapshot that does not come is asked for anew. */
const TRANSFER_TIMEOUTS = 8

export function onTick(state: CoreState, input: Input & { readonly kind: 'tick' }): void {
  passTime(state, input)
  const { viewTimeoutMs } = state.config.parameters
  settlePromises(state)
  followDeferred(state)
  if (state.pending.size > 0) state.workSince ??= state.nowMs
  watchClock(state)
  watchPace(state)
  releaseHeld(state)
  proposeClock(state)
  if (isEnding(state)) propose(state) // M3: after a restart nothing else may come to pass
  if (state.nowMs - state.heartbeatAt >= viewTimeoutMs * HEARTBEAT_SHARE) sendHeartbeats(state)
  const reason = complaint(state)
  if (reason !== undefined) suspect(state, reason)
  else dropProbe(state)
  if (state.transferring && state.nowMs - state.transferAt > viewTimeoutMs * TRANSFER_TIMEOUTS)
    transfer(state, 'behind')
  fetchBodies(state)
  fetchEntries(state)
  if (state.nowMs - state.resentAt >= resendInterval(state)) resend(state)
}

/**
 * Milliseconds between two times that everything is said again. Longer while views fail, since where nothing is lost and all is late more
 * of the same makes it later; and bounded, since who comes back after a long time must not wait for it.
 */
function resendInterval(state: CoreState): number {
  return Math.min(viewTimeout(state) * RESEND_SHARE, state.config.parameters.viewTimeoutMs)
}

function resend(state: CoreState): void {
  state.resentAt = state.nowMs
  // The disk is behind: what waits for it has not left even once, and more copies would pile up as long as it stands still.
  if (state.outbox.length > 2 * logWindow(state.config.parameters)) return
  forwardRequests(state)
  for (const vote of state.ownCheckpoints.values()) {
    if (vote.slot > state.stable.slot) publish(state, { kind: 'checkpoint', vote })
  }
  for (const peer of state.peers) {
    for (const vote of peer.checkpoints.values()) {
      if (vote.slot > state.stable.slot) passOn(state, { kind: 'checkpoint', vote })
    }
  }
  for (const viewChange of state.viewChanges.values()) {
    const open = viewChange.view > state.view || (viewChange.view === state.view && state.phase === 'changing')
    if (open) passOn(state, { kind: 'view-change', viewChange })
  }
  if (state.phase === 'changing') return resendViewChange(state)
  if (!isSlotResendDue(state)) return
  for (let at = state.chosen + 1; at <= state.chosen + RESEND_SLOTS; at++) {
    const open = state.slots.get(at)
    if (open !== undefined) resendSlot(state, open)
  }
}

/**
 * Never sooner than decisions take anyway: copies of what is only under way fill the links, delay the rest, and so call for more copies. As
 * long as nothing moves, each pause is twice the one before, and another stall begins one step lower; but a slot is always sent again before
 * its leader is given up. Ref: RFC 6298.
 */
function isSlotResendDue(state: CoreState): boolean {
  const most = state.config.parameters.viewTimeoutMs * SLOW_RESEND_SHARE
  const stalled = stalledFor(state)
  const least = resendInterval(state)
  const interval = Math.max(least, Math.min(state.decisionMs, most))
  if (stalled < interval) return false
  const isNew = state.nowMs - stalled > state.slotsResentAt
  const steps = isNew ? Math.max(0, state.slotResends - 1) : state.slotResends
  const pause = Math.max(least, Math.min(interval * 2 ** steps, most))
  if (state.nowMs - state.slotsResentAt < pause) return false
  state.slotsResentAt = state.nowMs
  state.slotResends = Math.min(steps + 1, RESEND_STEPS)
  return true
}

function resendSlot(state: CoreState, at: SlotState): void {
  const { proposal, ownPrepare, ownAccept } = at
  const entry = proposal && at.bodies.get(digestKey(proposal.statement.digest))
  if (proposal?.replica === state.config.self && entry !== undefined) {
    publish(state, { kind: 'propose', vote: proposal, entry })
  } else if (ownPrepare !== undefined) {
    publish(state, { kind: 'vote', vote: ownPrepare })
  }
  if (ownAccept !== undefined) publish(state, { kind: 'vote', vote: ownAccept })
  if (proposal !== undefined && entry !== undefined) passOn(state, { kind: 'propose', vote: proposal, entry })
  for (const votes of [at.prepares, at.accepts]) {
    for (const vote of votes.values()) passOn(state, { kind: 'vote', vote })
  }
}
