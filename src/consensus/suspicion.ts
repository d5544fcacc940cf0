// When a view is given up, and for which one.
//
//   T1  something waits (a request, an undecided proposal, a time that is overdue: E2) and nothing was executed for a time-out: no progress
//   T2  one request was passed over for several time-outs though others went through: censorship
//   T3  proposals come far slower than the replicas have themselves seen possible: slow leader
//   T4  the leader was caught in a lie
//   T5  q replicas want the next view, and no NewView came for a time-out
//   T6  the channel to the leader ended, as it does when its process dies, q replicas lost it, and there is no progress: the leader is gone
//   T7  the leader lets requests wait several times as long as decisions take, and q replicas see it: hesitant leader
//
// A replica that only lags, as one of t peers shows, does not suspect the leader: it catches up. With b = 0 one ViewChange moves
// everybody (t = 1), so a replica first asks whether a quorum also misses the leader (pitfalls P62, P63). So it does in any mode where
// only its own channel may be gone (T6), or the way from the client to the leader is longer than that to itself (T7): the others can go on
// without it, and it would have left them. Whoever lies could make it leave only together with honest replicas that find the same.

import { type ReplicaIndex, type View, view } from '../../crypto/index.ts'
import { hasEnded, isDripping } from './ending.ts'
import type { ViewReason } from './io.ts'
import { isHesitant, isSlow } from './leader-pace.ts'
import { mayLeave } from './lease.ts'
import { CENSORSHIP_TIMEOUTS, GONE_SHARE, HESITANT_ANSWER_SHARE, REACH_SHARE, TIMEOUT_DOUBLINGS } from './limits.ts'
import { emit, tell } from './outbox.ts'
import { isReachable, lostFor, reachablePeers } from './reach.ts'
import { type CoreState, leader, leads, otherMembers, type Probe, peerOf } from './state.ts'
import { startViewChange } from './view-change.ts'

/** The time-out of the current view, milliseconds: doubled for each failed view in a row, capped. */
export function viewTimeout(state: CoreState): number {
  const { viewTimeoutMs, viewTimeoutCapMs } = state.config.parameters
  return Math.min(viewTimeoutMs * 2 ** Math.min(state.failures, TIMEOUT_DOUBLINGS), viewTimeoutCapMs)
}

/** Why the current view should be given up now; undefined where it should not. */
export function complaint(state: CoreState): ViewReason | undefined {
  const limit = viewTimeout(state)
  if (state.phase === 'changing') {
    const waited = state.quorumSince === undefined ? 0 : state.nowMs - state.quorumSince
    return waited > limit ? 'no-new-view' : undefined // T5
  }
  // What waits after the last slot of the epoch waits for the next one, and no leader of this one can do anything about it.
  if (isBehind(state) || hasEnded(state)) return undefined
  if (stalledFor(state) > limit) return 'no-progress' // T1
  if (isGone(state)) return 'leader-gone' // T6
  if (oldestRequest(state) > limit * CENSORSHIP_TIMEOUTS) return 'censorship' // T2
  if (isSlow(state) || (!leads(state) && isDripping(state, limit * 2 ** state.demotions))) return 'slow-leader' // T3, M2
  if (isHesitant(state)) return 'hesitant-leader' // T7
  return shouldReclaim(state) ? 'lower-alive' : undefined
}

/** T6. As long a stall as a channel needs to be made anew, so that one that was only replaced is none. */
function isGone(state: CoreState): boolean {
  const least = state.config.parameters.viewTimeoutMs * GONE_SHARE
  return !leads(state) && stalledFor(state) >= least && (lostFor(state, leader(state)) ?? 0) >= least
}

/** Gives up the current view; in crash mode, or where it may be our channel alone that is gone, only once a quorum agrees. */
export function suspect(state: CoreState, reason: ViewReason): void {
  if (!mayLeave(state)) return
  const target = nextView(state)
  const asks = state.config.membership.quorums.crashMode || reason === 'leader-gone' || reason === 'hesitant-leader'
  if (asks && state.phase === 'active') startProbe(state, target, reason)
  else startViewChange(state, target, reason)
}

/** Milliseconds without progress while there was something to do. */
export function stalledFor(state: CoreState): number {
  const { workSince, overdueSince } = state
  const since = Math.min(workSince ?? Number.POSITIVE_INFINITY, overdueSince ?? Number.POSITIVE_INFINITY)
  return since === Number.POSITIVE_INFINITY ? 0 : state.nowMs - Math.max(since, state.progressAt)
}

/** The next view; with `lowest-alive` the next that the lowest-numbered reachable member leads. */
function nextView(state: CoreState): View {
  if (state.config.parameters.rotation.policy !== 'lowest-alive') return view(state.view + 1)
  const lost = leader(state)
  const peers = reachablePeers(state).filter((each) => lostFor(state, each) === undefined)
  const alive = [state.config.self, ...peers].filter((each) => each !== lost || leads(state))
  return nextViewOf(state, Math.min(...alive))
}

function nextViewOf(state: CoreState, replica: number): View {
  const { replicas } = state.config.membership.quorums
  const distance = (replica - (state.view % replicas) + replicas) % replicas
  return view(state.view + (distance === 0 ? replicas : distance))
}

/** t peers within reach have decided more than we have: at least one honest one has, so the leader works. */
function isBehind(state: CoreState): boolean {
  const claims = reachablePeers(state)
    .map((peer) => peerOf(state, peer).heartbeat?.chosen ?? 0)
    .sort((a, b) => b - a)
  return (claims[state.config.membership.quorums.trust - 1] ?? 0) > state.chosen
}

function oldestRequest(state: CoreState): number {
  // In order of arrival, and all reset together when a view begins: the first has waited longest.
  const first = state.pending.values().next().value
  return first === undefined ? 0 : state.nowMs - first.since
}

/** With `lowest-alive`: a lower-numbered member that keeps up is back, and should lead again. */
function shouldReclaim(state: CoreState): boolean {
  if (state.config.parameters.rotation.policy !== 'lowest-alive') return false
  // Not at once: a member that comes and goes must not take the lead along each time.
  if (state.nowMs - state.viewSince < state.config.parameters.viewTimeoutMs * 2) return false
  const head = leader(state)
  const lower = [state.config.self, ...reachablePeers(state)].filter((each) => each < head).sort((a, b) => a - b)[0]
  if (lower === undefined) return false
  const executed = lower === state.config.self ? state.executed : (peerOf(state, lower).heartbeat?.executed ?? 0)
  return executed >= state.executed
}

// Probe before disturbing.

function startProbe(state: CoreState, target: View, reason: ViewReason): void {
  if (state.probe?.view === target && isFresh(state, state.probe)) return
  state.probe = { view: target, reason, granted: new Set([state.config.self]), startedAt: state.nowMs }
  for (const peer of otherMembers(state)) tell(state, peer, { kind: 'probe', view: target })
  concludeProbe(state)
}

/** There is nothing to complain of any more: in a while whoever still answers is told no more than that. */
export function dropProbe(state: CoreState): void {
  if (state.probe !== undefined && !isFresh(state, state.probe)) state.probe = undefined
}

function isFresh(state: CoreState, { startedAt }: Probe): boolean {
  return state.nowMs - startedAt < state.config.parameters.viewTimeoutMs * REACH_SHARE
}

/** A peer asks whether we would leave for `target` too. */
export function onProbe(state: CoreState, from: ReplicaIndex, target: View): void {
  if (target <= state.view) return
  const { viewTimeoutMs, rotation } = state.config.parameters
  const head = leader(state)
  const missing = !leads(state) && (!isReachable(state, head) || lostFor(state, head) !== undefined)
  const reclaim = rotation.policy === 'lowest-alive' && complaint(state) === 'lower-alive'
  const hesitant = !isBehind(state) && !hasEnded(state) && isHesitant(state, HESITANT_ANSWER_SHARE)
  if (state.phase === 'changing' || missing || reclaim || hesitant || stalledFor(state) > viewTimeoutMs / 2) {
    tell(state, from, { kind: 'probe-answer', view: target })
  }
  // All of them leave, or none: of those that stayed the others would need every one, and no longer see that the leader is late.
  if (hesitant && state.phase === 'active' && target === state.view + 1) suspect(state, 'hesitant-leader')
}

export function onProbeAnswer(state: CoreState, from: ReplicaIndex, target: View): void {
  if (state.probe?.view !== target || target <= state.view) return
  state.probe.granted.add(from)
  concludeProbe(state)
}

/** To be called when somebody else wants to leave too. Who has left already answers no probe, and its ViewChange says the same. */
export function concludeProbe(state: CoreState): void {
  const { probe } = state
  if (probe === undefined) return
  const left = [...state.viewChanges.values()].filter((each) => each.view >= probe.view)
  const leaving = new Set([...probe.granted, ...left.map(({ vote }) => vote.replica)])
  if (leaving.size < state.config.membership.quorums.quorum) return
  state.probe = undefined
  startViewChange(state, probe.view, probe.reason)
}

/** Reports to the operator that a view began or was given up. */
export function announce(state: CoreState, active: boolean, reason: ViewReason): void {
  emit(state, { kind: 'view', view: state.view, active, reason })
}
