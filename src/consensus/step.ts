// The door of the state machine: one input in, effects out. Nothing else changes a core's state.

import {
  assertNever,
  equalBytes,
  type ReplicaIndex,
  sameStatement,
  type Verified,
  type View,
} from '../../crypto/index.ts'
import { learnEntry } from './chosen.ts'
import { partOf } from './config.ts'
import { isHeeded, isLate, lateness, stepOver } from './ending.ts'
import { commandBytes } from './entry.ts'
import type { Effect, Input } from './io.ts'
import { onLeaseAsk, onLeaseGrant } from './lease.ts'
import { AHEAD_BYTES_PER_PEER, AHEAD_PER_PEER } from './limits.ts'
import type { Message } from './messages.ts'
import { accuse, close } from './outbox.ts'
import { fetchMore, onFetchBodies, onFetchEntries, onHeartbeat, onStable } from './peers.ts'
import { ignoreProposal, learnBody, onPropose } from './proposal.ts'
import { onLink, originOf, relay } from './reach.ts'
import { addRequests, propose } from './requests.ts'
import { ignoreCheckpoint, learnStable, onCheckpointVote, onExecuted, onInstalled } from './stability.ts'
import { type CoreState, leader, passTime, peerOf } from './state.ts'
import { complaint, onProbe, onProbeAnswer, suspect } from './suspicion.ts'
import { onTick } from './tick.ts'
import { ignoreViewMessage, onNewView, onViewChange } from './view-change.ts'
import { ignoreVote, onVote } from './votes.ts'

/**
 * Handles one input; the effects are to be carried out in their order. Deterministic: the same state and inputs give the same
 * effects, byte for byte. Never throws on any verified input while at most b replicas lie.
 * @throws {SafetyViolation} where two entries are certified for one slot, which takes more than b liars.
 */
export function step(state: CoreState, input: Input): readonly Effect[] {
  if (input.kind === 'time') {
    passTime(state, input)
    return []
  }
  if (state.phase === 'over') stepOver(state, input)
  else take(state, input)
  replay(state)
  return close(state, (message) => {
    handle(state, state.config.self, message)
    replay(state)
  })
}

function take(state: CoreState, input: Exclude<Input, { readonly kind: 'time' }>): void {
  switch (input.kind) {
    case 'message':
      onMessage(state, input.from, input.message)
      break
    case 'requests':
      addRequests(state, input.requests)
      break
    case 'link':
      onLink(state, input.peer, input.up)
      break
    case 'tick':
      onTick(state, input)
      break
    case 'durable':
      state.durable = Math.max(state.durable, input.number)
      break
    case 'executed':
      onExecuted(state, input)
      break
    case 'installed':
      onInstalled(state, input)
      break
    default:
      assertNever(input)
  }
}

/**
 * Why `message` is of no use now, or undefined. Cheap; asked before its signatures are checked, so that votes beyond the quorum and
 * floods of stale or far-off messages cost nothing (pitfalls P51, P53).
 */
export function ignoreReason(state: CoreState, from: ReplicaIndex, message: Message): string | undefined {
  if (state.phase === 'over') return isHeeded(state, message) ? undefined : 'epoch-over'
  if (isLate(state, message)) return undefined
  if (isAhead(state, message)) {
    const origin = originOf(message)
    if (origin === undefined || state.peers[origin] === undefined) return 'no-origin'
    const { ahead } = peerOf(state, origin)
    if (ahead.length >= AHEAD_PER_PEER) return 'too-much-ahead'
    return ahead.some((kept) => sameVote(kept, message)) ? 'duplicate' : undefined
  }
  switch (message.kind) {
    case 'propose':
      return ignoreProposal(state, message)
    case 'vote':
      return ignoreVote(state, message.vote)
    case 'view-change':
    case 'new-view':
      return ignoreViewMessage(state, message)
    case 'checkpoint':
      return ignoreCheckpoint(state, message.vote)
    case 'stable':
      return message.checkpoint.slot <= state.known.slot && !awaits(state, from) ? 'known' : undefined
    case 'entries':
      return message.entries.every(({ entry }) => entry.header.slot <= state.executing) ? 'known' : undefined
    default:
      return undefined
  }
}

function onMessage(state: CoreState, from: ReplicaIndex, message: Verified<Message>): void {
  peerOf(state, from).heardAt = state.nowMs
  if (ignoreReason(state, from, message) !== undefined) return
  relay(state, from, message)
  handle(state, from, message)
}

function handle(state: CoreState, from: ReplicaIndex, message: Verified<Message>): void {
  if (state.phase === 'over') return
  const evidence = lateness(state, message)
  if (evidence !== undefined) return accuse(state, evidence)
  if (isAhead(state, message)) return keep(state, message)
  switch (message.kind) {
    case 'requests':
      return addRequests(
        state,
        message.requests.map((request) => partOf(message, request)),
        from === state.config.self ? undefined : from,
      )
    case 'propose':
      // Our own comes back here once it is durable, and only its vote is news.
      if (message.vote.replica === state.config.self) return countVote(state, message, message.vote)
      return onPropose(state, message)
    case 'vote':
      return countVote(state, message, message.vote)
    case 'view-change':
      return onViewChange(state, partOf(message, message.viewChange))
    case 'new-view':
      return onNewView(state, partOf(message, message.newView))
    case 'checkpoint':
      return ignoreCheckpoint(state, message.vote) === undefined
        ? onCheckpointVote(state, partOf(message, message.vote))
        : undefined
    case 'stable':
      learnStable(state, partOf(message, message.checkpoint))
      onStable(state, from)
      return propose(state)
    case 'entries':
      for (const { entry, certificate } of message.entries) learnEntry(state, entry, partOf(message, certificate))
      return fetchMore(state, message.entries.length)
    case 'bodies':
      for (const entry of message.entries) learnBody(state, entry)
      return
    case 'evidence':
      accuse(state, message.evidence)
      if (message.evidence.accused === leader(state) && state.phase === 'active') suspect(state, 'leader-lied')
      return
    case 'heartbeat':
      return onHeartbeat(state, from, message)
    case 'fetch-entries':
      return onFetchEntries(state, from, message)
    case 'fetch-bodies':
      return onFetchBodies(state, from, message)
    case 'probe':
      return onProbe(state, from, message.view)
    case 'probe-answer':
      return onProbeAnswer(state, from, message.view)
    case 'lease-ask':
      return onLeaseAsk(state, from, message, () => complaint(state) === undefined && state.probe === undefined)
    case 'lease-grant':
      return onLeaseGrant(state, from, message)
    default:
      return assertNever(message)
  }
}

/** A vote that came back after its view was left, or twice, is dropped like anybody's. */
function countVote(state: CoreState, message: Verified<Message>, vote: Parameters<typeof ignoreVote>[1]): void {
  if (ignoreVote(state, vote) === undefined) onVote(state, partOf(message, vote))
}

/** The view of a proposal or vote that has not begun here. */
function isAhead(state: CoreState, message: Message): boolean {
  if (message.kind !== 'propose' && message.kind !== 'vote') return false
  const target: View = message.vote.statement.view
  return target > state.view || (target === state.view && state.phase === 'changing')
}

/** The same vote in the same kind of message; by both, since votes may be unsigned and signatures a liar's. */
function sameVote(a: Message, b: Message): boolean {
  if ((a.kind !== 'propose' && a.kind !== 'vote') || a.kind !== b.kind) return false
  return equalBytes(a.vote.signature, b.vote.signature) && sameStatement(a.vote.statement, b.vote.statement)
}

/** Kept for when its view begins; bounded per signer, so a flood of far views costs only the flooder (pitfall P51). */
function keep(state: CoreState, message: Verified<Message>): void {
  const origin = originOf(message)
  if (origin === undefined) return
  const peer = peerOf(state, origin)
  const bytes = message.kind === 'propose' ? commandBytes(message.entry) : 0
  if (peer.ahead.length >= AHEAD_PER_PEER || peer.aheadBytes + bytes > AHEAD_BYTES_PER_PEER) return
  peer.ahead.push(message)
  peer.aheadBytes += bytes
}

function replay(state: CoreState): void {
  for (;;) {
    const message = state.replay.shift()
    if (message === undefined) return
    const origin = originOf(message)
    if (origin !== undefined && ignoreReason(state, origin, message) === undefined) handle(state, origin, message)
  }
}

function awaits(state: CoreState, from: ReplicaIndex): boolean {
  return state.fetch?.peer === from && !state.transferring
}
