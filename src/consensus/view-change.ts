// Changing views.
//
//   C1  to leave for view v: promise it durably, then send ViewChange(v) with the stable checkpoint and the highest prepare
//       certificate of every slot above it; nothing below v is voted for any more, whatever an Accept of ours said (P16)
//   C2  t ViewChanges for views above ours: join the smallest of them, since an honest replica wants it
//   C3  the leader of v with q ViewChanges for exactly v (P04) sends the NewView that they justify
//   C4  a verified NewView for v >= ours begins v, whether or not its ViewChanges ever reached us (P14)
//   C5  own ViewChange and NewView are sent again until the view begins everywhere (P15)
//   C6  a ViewChange that hides what its sender's Accept proves convicts the sender (P31)
// Ref: Castro and Liskov 1999, section 4.4.

import {
  equalBytes,
  markVerified,
  type ReplicaIndex,
  sameStatement,
  slot,
  type Verified,
  type View,
} from '../../crypto/index.ts'
import { newViewDigest, viewChangeDigest } from './digests.ts'
import { amnesiaOf, conflictOf } from './evidence.ts'
import type { ViewReason } from './io.ts'
import { closeLatencies } from './leader-pace.ts'
import { deferView, forgetLease, mayLeave, releasePromise } from './lease.ts'
import type { Message, NewView, ViewChange } from './messages.ts'
import { accuse, forgetUnsent, persist, publish } from './outbox.ts'
import { ownStatement, ownVote } from './own-statement.ts'
import { carryOver, voteForProposals } from './proposal.ts'
import { propose, reassignRequests } from './requests.ts'
import { type SelectionDefect, select } from './select.ts'
import { hasWork, learnStable, rotate } from './stability.ts'
import { type CoreState, leader, peerOf } from './state.ts'
import { announce, concludeProbe, suspect } from './suspicion.ts'

/** C1. */
export function startViewChange(state: CoreState, target: View, reason: ViewReason): void {
  if (target <= state.view || state.phase === 'over') return
  if (!mayLeave(state)) {
    // Whoever complains will do so again; others that have gone do not come back.
    if (reason === 'joined' || reason === 'rotation') deferView(state, target, reason)
    return
  }
  if (state.config.mutations.has('accept-blocks-view-change') && hasUndecidedAccept(state)) return
  closeLatencies(state, reason)
  if (reason !== 'rotation') state.failures += 1
  state.view = target
  state.phase = 'changing'
  state.quorumSince = undefined
  state.probe = undefined
  forgetLease(state)
  forgetUnsent(state)
  const viewChange = makeViewChange(state)
  state.ownViewChange = viewChange
  persist(state, { kind: 'promise', viewChange })
  publish(state, { kind: 'view-change', viewChange })
  announce(state, false, reason)
}

function makeViewChange(state: CoreState): Verified<ViewChange> {
  const prepared = [...state.slots.values()]
    .filter((at) => at.slot > state.stable.slot)
    .sort((a, b) => a.slot - b.slot)
    .flatMap(({ prepared: certificate }) => (certificate === undefined ? [] : [certificate]))
  const body = { view: state.view, stable: state.stable, prepared }
  const said = ownStatement(state, 'view-change', state.stable.slot, viewChangeDigest(body))
  return markVerified({ ...body, vote: ownVote(state, said) })
}

/** A ViewChange, of a peer or our own once it is durable. */
export function onViewChange(state: CoreState, viewChange: Verified<ViewChange>): void {
  const { replica } = viewChange.vote
  const known = state.viewChanges.get(replica)
  if (known?.view === viewChange.view) accuse(state, conflictOf(known.vote, viewChange.vote))
  accuseAmnesia(state, viewChange)
  if (known !== undefined && known.view >= viewChange.view) return
  state.viewChanges.set(replica, viewChange)
  if (replica === leader(state) && viewChange.view > state.view) releasePromise(state)
  join(state)
  concludeProbe(state)
  lead(state)
}

/** C2. */
function join(state: CoreState): void {
  const above = [...state.viewChanges.values()].map((each) => each.view).filter((each) => each > state.view)
  if (above.length < state.config.membership.quorums.trust) return
  startViewChange(state, Math.min(...above) as View, 'joined')
}

/** C3, and the start of the clock for the NewView once a quorum wants it. */
function lead(state: CoreState): void {
  if (state.phase !== 'changing') return
  const wanted = [...state.viewChanges.values()].filter((each) => each.view === state.view)
  const { quorum } = state.config.membership.quorums
  // Those that have gone further count for the clock: were they not, replicas one view apart could wait for each other forever.
  const leaving = [...state.viewChanges.values()].filter((each) => each.view >= state.view)
  if (leaving.length >= quorum) state.quorumSince ??= state.nowMs
  if (wanted.length < quorum) return
  if (leader(state) !== state.config.self) return
  const viewChanges = wanted.slice(0, quorum).sort((a, b) => a.vote.replica - b.vote.replica)
  beginView(state, makeNewView(state, viewChanges))
}

function makeNewView(state: CoreState, viewChanges: readonly ViewChange[]): Verified<NewView> {
  const { membership, mutations } = state.config
  const digest = newViewDigest(state.view, viewChanges)
  const defect = (['skip-prepared', 'first-certificate', 'noop-over-certificate'] as const).find((each) =>
    mutations.has(each),
  ) satisfies SelectionDefect | undefined
  const { start, values } = select(viewChanges, membership.epoch, defect)
  const vote = ownVote(state, ownStatement(state, 'new-view', start.slot, digest))
  const proposals = values.map((value) => {
    const said = { ...ownStatement(state, 'prepare', value.slot, value.digest), justification: digest }
    return ownVote(state, said)
  })
  return markVerified({ view: state.view, viewChanges, vote, proposals })
}

/** C4. A NewView from its leader, directly or through any peer. */
export function onNewView(state: CoreState, newView: Verified<NewView>): void {
  const current = state.newView
  if (current !== undefined && current.view === newView.view) {
    const evidence = conflictOf(current.vote, newView.vote)
    accuse(state, evidence)
    if (evidence !== undefined && state.view === newView.view) suspect(state, 'leader-lied')
    return
  }
  if (newView.view > state.view || (newView.view === state.view && state.phase === 'changing'))
    beginView(state, newView)
}

function beginView(state: CoreState, newView: Verified<NewView>): void {
  closeLatencies(state, 'new-view')
  state.view = newView.view
  state.phase = 'active'
  state.newView = newView
  state.justification = newView.vote.statement.digest
  state.ownViewChange = undefined
  state.quorumSince = undefined
  state.probe = undefined
  forgetLease(state)
  forgetUnsent(state)
  persist(state, { kind: 'new-view', newView })
  // The others' copies come from the leader; who misses it is helped by whoever has it (peers.ts).
  if (leader(state) === state.config.self) publish(state, { kind: 'new-view', newView })
  announce(state, true, 'new-view')
  installView(state, newView)
  voteForProposals(state)
  propose(state)
  releaseAhead(state)
  // Its ViewChanges may be older than the checkpoint at which it ends.
  rotate(state)
}

/** Sets the slots up as the NewView says, without voting: a core that is rebuilt from its records first recalls its own votes. */
export function installView(state: CoreState, newView: Verified<NewView>): void {
  const { start, values } = select(newView.viewChanges, state.config.membership.epoch)
  state.base = start.slot
  state.carried = new Map(values.map((value) => [value.slot, value.digest]))
  for (const at of state.slots.values()) {
    at.proposal = undefined
    at.held = undefined
    at.prepares.clear()
    at.accepts.clear()
    at.votedAt = undefined
    at.ownPrepare = undefined
    at.ownAccept = undefined
  }
  state.viewSince = state.nowMs
  state.progressAt = state.nowMs
  state.pace = undefined
  reassignRequests(state)
  state.nextSlot = slot(Math.max(start.slot + values.length, state.stable.slot) + 1)
  for (const vote of newView.proposals) {
    if (vote.statement.slot > state.stable.slot) carryOver(state, markVerified(vote))
  }
  // What was under way only in views before is gone, and waiting for it would change views for ever.
  state.workSince = hasWork(state) ? state.nowMs : undefined
  // Last: a checkpoint that becomes stable by it makes room, and a leader that proposed with the slots of the view before would
  // offer two values for one slot.
  learnStable(state, markVerified(start))
}

/** Messages of this view that came before it began here; those of later views stay. */
function releaseAhead(state: CoreState): void {
  for (const peer of state.peers) {
    const waiting = peer.ahead
    peer.ahead = []
    peer.aheadBytes = 0
    for (const message of waiting) state.replay.push(message)
  }
}

/** C6. */
function accuseAmnesia(state: CoreState, viewChange: Verified<ViewChange>): void {
  for (const at of state.slots.values()) {
    const accept = at.accepts.get(viewChange.vote.replica)
    if (accept !== undefined) accuse(state, amnesiaOf(accept, viewChange))
  }
}

function hasUndecidedAccept(state: CoreState): boolean {
  return [...state.slots.values()].some((at) => at.ownAccept !== undefined && at.chosen === undefined)
}

/** A4: what we promised is over, and others have gone on meanwhile. */
export function followDeferred(state: CoreState): void {
  const { deferred } = state.lease
  if (deferred !== undefined && mayLeave(state)) startViewChange(state, deferred.view, deferred.reason)
}

/** C5. */
export function resendViewChange(state: CoreState): void {
  if (state.ownViewChange === undefined || state.config.mutations.has('no-view-change-resend')) return
  publish(state, { kind: 'view-change', viewChange: state.ownViewChange })
}

/** A peer is in an older view than ours: what began ours lets it follow, whoever's NewView that was. */
export function helpIntoView(state: CoreState, to: ReplicaIndex): Message | undefined {
  const peer = peerOf(state, to)
  const { viewTimeoutMs } = state.config.parameters
  if (state.newView === undefined || state.nowMs - peer.newViewSentAt < viewTimeoutMs / 4) return undefined
  peer.newViewSentAt = state.nowMs
  return { kind: 'new-view', newView: state.newView }
}

/** The reason to pass a ViewChange or NewView over before its signatures are checked, or undefined. */
export function ignoreViewMessage(
  state: CoreState,
  message: Message & { readonly kind: 'view-change' | 'new-view' },
): string | undefined {
  if (message.kind === 'view-change') {
    const { view: target, vote } = message.viewChange
    const known = state.viewChanges.get(vote.replica)
    if (known === undefined || known.view < target) return undefined
    if (known.view > target) return 'older-view-change'
    return sameStatement(known.vote.statement, vote.statement) ? 'duplicate' : undefined
  }
  const { view: target, vote } = message.newView
  if (target < state.view) return 'older-new-view'
  const begun = state.phase === 'active' && target === state.view
  return begun && equalBytes(vote.statement.digest, state.justification) ? 'duplicate' : undefined
}
