// Prepare and Accept votes.
//
//   V1  a vote counts in the view that it names, once a replica and phase; a second, different one convicts its signer
//   V2  a prepare certificate (q votes, the leader's among them; with b = 0 the leader's alone) for the digest whose body we hold:
//       it is stored, then Accept; never after an own Prepare for another digest in this view
//   V3  q Accept votes make the accept certificate: chosen
//   V4  a vote that contradicts the selection of the NewView it names convicts its signer

import {
  assembleCertificate,
  equalBytes,
  sameStatement,
  type Verified,
  type Vote,
  type VoteStatement,
} from '../../crypto/index.ts'
import { learnChosen } from './chosen.ts'
import { conflictOf, disobedienceOf } from './evidence.ts'
import { accuse, answer, persist, publish } from './outbox.ts'
import { ownStatement, ownVote } from './own-statement.ts'
import { digestKey } from './request.ts'
import { type CoreState, inWindow, mayVote, type SlotState, slotState } from './state.ts'

/** A Prepare or Accept vote of the current view, from anyone, ourselves included. */
export function onVote(state: CoreState, vote: Verified<Vote>): void {
  const at = slotState(state, vote.statement.slot)
  const votes = vote.statement.kind === 'prepare' ? at.prepares : at.accepts
  const first = votes.get(vote.replica)
  if (first !== undefined) return accuse(state, conflictOf(first, vote)) // V1
  votes.set(vote.replica, vote)
  accuseDisobedience(state, vote)
  showLeaderVote(state, at, vote)
  if (vote.statement.kind === 'accept') acceptedAt(state, at, vote.statement)
  else advance(state, at)
}

/** V2. The body must be here: an Accept vouches that enough honest replicas can hand it out (pitfall P12). */
export function advance(state: CoreState, at: SlotState): void {
  const digest = at.proposal?.statement.digest
  if (digest === undefined || at.ownAccept !== undefined || state.phase !== 'active') return
  if (!mayVote(state, at.slot)) return
  // A restart keeps our Prepare, not the proposal it was for: a lying leader may then show us another one that a quorum prepared.
  // Accepting it would contradict ourselves, and leave nobody to convict in a fork.
  if (at.ownPrepare !== undefined && !equalBytes(at.ownPrepare.statement.digest, digest)) return
  if (at.prepares.size < state.config.membership.quorums.prepare || !at.bodies.has(digestKey(digest))) return
  const wanted = ownStatement(state, 'prepare', at.slot, digest)
  const certificate = assembleCertificate(wanted, at.prepares.values(), state.config.membership)
  if (certificate === undefined) return
  if (!state.config.mutations.has('forget-prepared')) at.prepared = certificate
  const vote = ownVote(state, ownStatement(state, 'accept', at.slot, digest))
  at.ownAccept = vote
  persist(state, { kind: 'prepared', certificate }, { kind: 'vote', vote })
  publish(state, { kind: 'vote', vote })
}

/** V3, after one more vote for `said`. */
function acceptedAt(state: CoreState, at: SlotState, said: VoteStatement): void {
  if (at.chosen !== undefined || at.accepts.size < state.config.membership.quorums.quorum) return
  const certificate = assembleCertificate({ ...said, kind: 'accept' }, at.accepts.values(), state.config.membership)
  if (certificate !== undefined) learnChosen(state, certificate)
}

/** V4. */
function accuseDisobedience(state: CoreState, vote: Verified<Vote>): void {
  const selected = state.carried.get(vote.statement.slot)
  if (selected === undefined || state.newView === undefined || equalBytes(selected, vote.statement.digest)) return
  accuse(state, disobedienceOf(vote, state.newView, state.config.membership.epoch))
}

/**
 * A peer that prepares something else than what the leader offered us, or relies on another NewView, has another proposal: each of us
 * shows the other the leader's vote, and the pair convicts the leader.
 */
function showLeaderVote(state: CoreState, at: SlotState, vote: Verified<Vote>): void {
  const { proposal } = at
  if (proposal === undefined || vote.statement.kind !== 'prepare' || vote.replica === state.config.self) return
  if (vote.replica === proposal.replica || sameStatement(proposal.statement, vote.statement)) return
  answer(state, vote.replica, { kind: 'vote', vote: proposal })
}

/** The reason to pass a vote over before its signature is checked, or undefined. */
export function ignoreVote(state: CoreState, vote: Vote): string | undefined {
  const { view, slot: number, kind } = vote.statement
  if (view !== state.view || state.phase !== 'active') return 'other-view'
  if (!inWindow(state, number)) return 'outside-window'
  const at = state.slots.get(number)
  const first = (kind === 'prepare' ? at?.prepares : at?.accepts)?.get(vote.replica)
  if (first !== undefined && sameStatement(first.statement, vote.statement)) return 'duplicate'
  if (first === undefined && kind === 'accept' && at?.chosen !== undefined) return 'already-chosen'
  if (first === undefined && kind === 'prepare' && at?.ownAccept !== undefined) return 'already-prepared'
  return undefined
}
