// Reading from the leader alone, in crash mode: with nobody lying, a leader that a quorum has promised not to leave for a while knows
// that nobody else decides anything meanwhile, so its own state is the newest there is.
//
//   A1  a leader asks everybody with each heartbeat, and notes its clocks
//   A2  who follows it and has nothing to complain of promises at once: no ViewChange for the length of a lease, by its own clock
//   A3  a leader holds a lease as long as q members (itself one) promised, counted from when it asked, less what clocks may differ
//   A4  who promised sends no ViewChange before that is over; nor in the first lease after its start, since it may have promised
//       before; unless the leader itself left the view
//
// Why nobody else decides meanwhile: a NewView needs q ViewChanges, and one of their senders is among any q that promised. Its
// promise was over when it left, by its own clock, and began after the leader asked; so the lease was over too, by the leader's clock
// with the margin for clocks that run at different rates. What the leader decides itself it has proposed: a read is answered once
// every slot that it has ever proposed for is executed.
// Ref: Gray and Cheriton 1989 (leases); Moraru et al. 2014, "Paxos Quorum Leases", on who has to promise.

import { type ReplicaIndex, type Slot, slot, type View } from '../../crypto/index.ts'
import type { ViewReason } from './io.ts'
import { ASKS_KEPT, LEASE_SHARE, type ProtocolParameters } from './limits.ts'
import type { Message } from './messages.ts'
import { tell } from './outbox.ts'
import { type CoreState, leader, leads, otherMembers } from './state.ts'
import { readIndex } from './status.ts'

/** A moment by both clocks of a leader, whole milliseconds. */
export interface Moment {
  readonly monotonicMs: number
  readonly wallMs: number
}

export interface LeaseState {
  /** As leader: the last asks of this view, and the newest that each member promised on. */
  asked: Moment[]
  readonly promised: Map<ReplicaIndex, Moment>
  /** As follower: promised since the last tick, so it is not known yet when; and until when, milliseconds. */
  promising: boolean
  heldUntil: number
  /** Before this, what was promised in an earlier life may bind. Undefined until the first tick. */
  freeFrom: number | undefined
  /** A view that others have gone to, or that a rotation leads to, while a promise binds. */
  deferred: { readonly view: View; readonly reason: ViewReason } | undefined
}

export function emptyLease(): LeaseState {
  return {
    asked: [],
    promised: new Map(),
    promising: false,
    heldUntil: Number.NEGATIVE_INFINITY,
    freeFrom: undefined,
    deferred: undefined,
  }
}

/** How long a promise binds, milliseconds by the clock of who gives it. */
export function leaseMs({ viewTimeoutMs }: ProtocolParameters): number {
  return Math.floor(viewTimeoutMs * LEASE_SHARE)
}

/** A1. To be called with each heartbeat. */
export function askForLease(state: CoreState): void {
  if (!state.config.membership.quorums.crashMode || state.phase !== 'active' || !leads(state)) return
  const moment = { monotonicMs: Math.floor(state.nowMs), wallMs: Math.floor(state.wallMs) }
  state.lease.asked = [...state.lease.asked, moment].slice(-ASKS_KEPT)
  for (const peer of otherMembers(state)) tell(state, peer, { kind: 'lease-ask', view: state.view, ...moment })
}

/** A2. `content` says whether we have nothing to complain of; asked last, since it costs most. */
export function onLeaseAsk(
  state: CoreState,
  from: ReplicaIndex,
  { view, monotonicMs, wallMs }: Message & { readonly kind: 'lease-ask' },
  content: () => boolean,
): void {
  const follows = state.phase === 'active' && view === state.view && from === leader(state)
  if (!state.config.membership.quorums.crashMode || !follows || state.lease.deferred !== undefined || !content()) return
  state.lease.promising = true
  tell(state, from, { kind: 'lease-grant', view, monotonicMs, wallMs })
}

/** Only what this life asked counts: a promise to an earlier one began before its clock did. */
export function onLeaseGrant(
  { lease, view: current }: CoreState,
  from: ReplicaIndex,
  { view, monotonicMs, wallMs }: Message & { readonly kind: 'lease-grant' },
): void {
  const ask = lease.asked.find((each) => each.monotonicMs === monotonicMs && each.wallMs === wallMs)
  if (view !== current || ask === undefined) return
  if ((lease.promised.get(from)?.monotonicMs ?? -1) < monotonicMs) lease.promised.set(from, ask)
}

/**
 * A3. The slot that has to be executed before a read is answered from here alone; undefined where no lease is held. The clocks are to
 * be read after the read came: what counts is that the lease held at a moment between its call and its answer.
 */
export function leaseIndex(state: CoreState, nowMs: number, wallMs: number): Slot | undefined {
  const { membership, parameters, mutations } = state.config
  const { quorum, crashMode } = membership.quorums
  if (!crashMode || state.phase !== 'active' || !leads(state)) return undefined
  const newest = [...state.lease.promised.values()].sort((a, b) => b.monotonicMs - a.monotonicMs)
  const asked = quorum === 1 ? { monotonicMs: nowMs, wallMs } : newest[quorum - 2]
  if (asked === undefined) return undefined
  const lengthMs = (leaseMs(parameters) * 100) / (100 + parameters.clockRatePercent)
  // A monotonic clock may stand still while the machine sleeps; the other one tells.
  const elapsed = [nowMs - asked.monotonicMs, wallMs - asked.wallMs]
  const over = elapsed.some((each) => each < 0 || each >= lengthMs)
  if (over && !mutations.has('lease-without-end')) return undefined
  const index = readIndex(state)
  // M10: once the last slot of the epoch is proposed, no read can be answered that is asked now.
  if (index === undefined || state.nextSlot > (state.succession?.lastSlot ?? state.nextSlot)) return undefined
  let last: Slot = index
  for (const at of state.slots.values()) {
    if (at.slot > last && (at.proposal !== undefined || at.ownPrepare !== undefined)) last = at.slot
  }
  return slot(Math.max(last, state.nextSlot - 1))
}

/** A4. Whether nothing that we promised keeps us in this view. */
export function mayLeave(state: CoreState): boolean {
  const { lease, nowMs, phase, config } = state
  if (!config.membership.quorums.crashMode || config.mutations.has('break-lease-promise')) return true
  // Whatever view we seem to be in: the one in which we promised may not have been on disk when the power went.
  if (lease.freeFrom === undefined || nowMs < lease.freeFrom) return false
  return phase !== 'active' || leads(state) || (!lease.promising && nowMs >= lease.heldUntil)
}

/** Others have gone to `view`, and we follow once we may. */
export function deferView({ lease }: CoreState, view: View, reason: ViewReason): void {
  if (lease.deferred === undefined || lease.deferred.view < view) lease.deferred = { view, reason }
}

/** At each tick: promises given since the last one bind from now on, which is later than they were given. */
export function settlePromises({ lease, nowMs, config }: CoreState): void {
  const lengthMs = leaseMs(config.parameters)
  lease.freeFrom ??= nowMs + lengthMs
  if (lease.promising) lease.heldUntil = nowMs + lengthMs
  lease.promising = false
}

/** Our leader left its own view: it holds no lease any more, and what we promised it is void. */
export function releasePromise({ lease }: CoreState): void {
  lease.promising = false
  lease.heldUntil = Number.NEGATIVE_INFINITY
}

/** A view began or was left: asks and promises were about the one before. */
export function forgetLease({ lease }: CoreState): void {
  lease.asked = []
  lease.promised.clear()
  lease.promising = false
  lease.heldUntil = Number.NEGATIVE_INFINITY
  lease.deferred = undefined
}
