// Proposals: what a follower checks before it votes Prepare, and what the leader does with its own.
//
//   P1  of the current view, by its leader, relying on the NewView that began the view
//   P2  inside the log window and not beyond the slot at which the leader's turn ends, nor the last one of the epoch (M1)
//   P3  contiguous: every earlier slot above the stable checkpoint has a proposal of this view or is chosen (pitfall P54)
//   P4  the first for its view and slot: a second, different one convicts the leader (P26)
//   P5  timestamp not before the last and within the drift bound of our clock
//   P6  the body is here and stored before the vote leaves (P12)
//
// What a NewView carries over is never judged again (P20): it reaches `carryOver`, not `onPropose`.

import { type Digest, equalBytes, markVerified, type Slot, slot, type Verified, type Vote } from '../../crypto/index.ts'
import { choose } from './chosen.ts'
import { partOf } from './config.ts'
import { commandBytes, type Entry, noopEntry } from './entry.ts'
import { conflictOf } from './evidence.ts'
import { BODIES_PER_SLOT } from './limits.ts'
import type { Message } from './messages.ts'
import { accuse, persist, publish } from './outbox.ts'
import { ownStatement, ownVote } from './own-statement.ts'
import { digestKey } from './request.ts'
import { lastTimestamp, markProposed, rotationSlot } from './requests.ts'
import { type CoreState, inWindow, lastVotable, leader, leads, mayVote, type SlotState, slotState } from './state.ts'
import { suspect } from './suspicion.ts'
import { advance } from './votes.ts'

type Propose = Message & { readonly kind: 'propose' }

/** A proposal from the leader of the current view. */
export function onPropose(state: CoreState, message: Verified<Propose>): void {
  const at = slotState(state, message.entry.header.slot)
  if (contradicts(state, at, message)) return
  // A body that we lacked for a value that the NewView carried over.
  if (at.proposal !== undefined) return learnBody(state, message.entry)
  at.held = message
  releaseHeld(state)
}

/** Votes for held proposals as far as their predecessors and the clock allow. */
export function releaseHeld(state: CoreState): void {
  if (state.phase !== 'active') return
  const last = Math.min(rotationSlot(state), lastVotable(state))
  for (let next = firstWithoutProposal(state); next <= last; next++) {
    const at = state.slots.get(next)
    const held = at?.held
    if (at === undefined || held === undefined) return
    if (!timely(state, held.entry)) return
    at.held = undefined
    adopt(state, at, markVerified(held.vote), held.entry)
  }
}

/** The leader's own proposal: like a follower's, but that its vote is what everybody else is shown. */
export function acceptProposal(state: CoreState, entry: Entry): void {
  const at = slotState(state, entry.header.slot)
  if (at.ownPrepare !== undefined || at.slot <= state.stable.slot) throw new Error(`slot ${at.slot}: proposed twice`)
  const vote = ownVote(state, ownStatement(state, 'prepare', at.slot, entry.digest))
  at.proposal = vote
  at.ownPrepare = vote
  at.votedAt = state.nowMs
  at.proposedBytes = commandBytes(entry)
  store(state, at, entry)
  persist(state, { kind: 'vote', vote })
  markProposed(state, entry)
  publish(state, { kind: 'propose', vote, entry })
}

/** A value that the NewView carried over: proposed by the leader's vote in it, whatever we think of it. */
export function carryOver(state: CoreState, leaderVote: Verified<Vote>): void {
  const { slot: number, digest } = leaderVote.statement
  const at = slotState(state, number)
  const noop = noopEntry(number, state.config.membership.epoch)
  if (equalBytes(noop.digest, digest)) at.bodies.set(digestKey(digest), noop)
  at.proposal = leaderVote
  at.prepares.set(leaderVote.replica, leaderVote)
}

/** A body that we asked for, or that came with a proposal: any digest that the slot is waiting for is served by it. */
export function learnBody(state: CoreState, entry: Entry): void {
  const at = state.slots.get(entry.header.slot)
  if (at === undefined || !isWanted(at, entry.digest)) return
  store(state, at, entry)
  const { proposal } = at
  if (proposal !== undefined && state.phase === 'active' && equalBytes(proposal.statement.digest, entry.digest)) {
    voteFor(state, at, proposal, entry)
  }
  advance(state, at)
  choose(state)
}

/** True where the slot has a proposal, a certificate or a decision for this digest and lacks its body. */
export function isWanted(at: SlotState, digest: Digest): boolean {
  if (at.bodies.has(digestKey(digest))) return false
  return [at.proposal, at.prepared, at.chosen].some(
    (each) => each !== undefined && equalBytes(each.statement.digest, digest),
  )
}

/** Votes for every proposal whose body is here: when a view begins, when the window moves, and after a restart. */
export function voteForProposals(state: CoreState): void {
  if (state.phase !== 'active') return
  for (const at of state.slots.values()) {
    const entry = at.proposal && at.bodies.get(digestKey(at.proposal.statement.digest))
    if (at.proposal !== undefined && entry !== undefined) voteFor(state, at, at.proposal, entry)
  }
}

function adopt(state: CoreState, at: SlotState, leaderVote: Verified<Vote>, entry: Entry): void {
  at.proposal = leaderVote
  at.prepares.set(leaderVote.replica, leaderVote)
  markProposed(state, entry)
  store(state, at, entry)
  voteFor(state, at, leaderVote, entry)
}

function store(state: CoreState, at: SlotState, entry: Entry): void {
  const key = digestKey(entry.digest)
  if (at.bodies.has(key)) return
  makeRoom(at)
  at.bodies.set(key, entry)
  persist(state, { kind: 'entry', entry })
  if (at.slot > state.executed) state.workSince ??= state.nowMs
}

/** Drops the oldest body that nothing here refers to; only a slot whose leaders keep changing their offers has so many. */
function makeRoom(at: SlotState): void {
  if (at.bodies.size < BODIES_PER_SLOT) return
  const needed = [at.proposal, at.prepared, at.chosen].map((each) => each && digestKey(each.statement.digest))
  for (const key of at.bodies.keys()) {
    if (needed.includes(key)) continue
    at.bodies.delete(key)
    return
  }
}

/**
 * Our Prepare vote; with b = 0 the leader's vote alone prepares, and ours is not needed. What a NewView carries over may lie beyond
 * our own window, and waits until the window has moved there: a ViewChange of ours could not report it, nor a restart recall it.
 */
function voteFor(state: CoreState, at: SlotState, leaderVote: Verified<Vote>, entry: Entry): void {
  if (at.slot > state.executed) state.workSince ??= state.nowMs
  if (!mayVote(state, at.slot)) return
  at.votedAt ??= state.nowMs
  if (leaderVote.replica === state.config.self) {
    at.ownPrepare = leaderVote
  } else if (at.ownPrepare === undefined && !state.config.membership.quorums.crashMode) {
    const vote = ownVote(state, ownStatement(state, 'prepare', at.slot, entry.digest))
    at.ownPrepare = vote
    persist(state, { kind: 'vote', vote })
    publish(state, { kind: 'vote', vote })
  }
  advance(state, at)
}

function firstWithoutProposal(state: CoreState): number {
  let at = state.stable.slot + 1
  for (;;) {
    const known = state.slots.get(at)
    if (at > state.chosen && known?.proposal === undefined && known?.chosen === undefined) return at
    at += 1
  }
}

/** P5. A time ahead of our clock waits until the clock has caught up; one that goes back or lies far behind is not voted for. */
function timely(state: CoreState, entry: Entry): boolean {
  const { timestampMs, slot: at, kind } = entry.header
  if (kind === 'noop') return true
  const { clockDriftMs } = state.config.parameters
  return timestampMs >= lastTimestamp(state, at) && Math.abs(timestampMs - state.wallMs) <= clockDriftMs
}

/** P4. A second vote of the leader for this view and slot proves that it lies, and it leads us no longer. */
function contradicts(state: CoreState, at: SlotState, message: Verified<Propose>): boolean {
  const first = at.proposal ?? at.held?.vote
  const evidence = first && conflictOf(first, partOf(message, message.vote))
  if (evidence === undefined) return false
  accuse(state, evidence)
  suspect(state, 'leader-lied')
  return true
}

/** Slots of the current view whose proposal or decision lacks its body, with the digest to ask for. */
export function missingBodies(state: CoreState): { readonly slot: Slot; readonly digest: Digest }[] {
  const missing: { slot: Slot; digest: Digest }[] = []
  for (const at of state.slots.values()) {
    // What was handed to the machine is here, and nothing else can be proposed for its slot.
    if (at.slot <= state.executing) continue
    for (const known of [at.chosen, at.proposal]) {
      if (known === undefined || at.bodies.has(digestKey(known.statement.digest))) continue
      missing.push({ slot: slot(at.slot), digest: known.statement.digest })
      break
    }
  }
  return missing
}

/** P1 and P2, before anything is stored; the reason to pass a proposal over, or undefined. */
export function ignoreProposal(state: CoreState, { vote }: Propose): string | undefined {
  const { view, slot: at, justification, digest } = vote.statement
  if (view !== state.view || state.phase !== 'active') return 'other-view'
  if (vote.replica !== leader(state) || leads(state)) return 'not-from-the-leader'
  if (!equalBytes(justification, state.justification)) return 'other-new-view'
  if (!inWindow(state, at)) return 'outside-window'
  const known = state.slots.get(at)
  const first = known?.proposal ?? known?.held?.vote
  if (first === undefined || !equalBytes(first.statement.digest, digest)) return undefined
  return known?.held !== undefined || known?.bodies.has(digestKey(digest)) ? 'duplicate' : undefined
}
