// Who can be heard, directly. A neighbour that hears somebody whom another neighbour does not hear relays what that one signs, so
// two replicas that cannot reach each other but share a neighbour still take part (the partial partitions of OmniPaxos).
// Ref: Ng, Haridi and Carbone, "Omni-Paxos", 2023, section 2.

import { equalBytes, type ReplicaIndex, type Verified } from '../../crypto/index.ts'
import { REACH_SHARE } from './limits.ts'
import type { Heartbeat, Message } from './messages.ts'
import { tell } from './outbox.ts'
import { type CoreState, otherMembers, peerOf } from './state.ts'

/** True where something came from `replica` over its own channel lately. */
export function isReachable(state: CoreState, replica: ReplicaIndex): boolean {
  if (replica === state.config.self) return true
  return state.nowMs - peerOf(state, replica).heardAt <= state.config.parameters.viewTimeoutMs * REACH_SHARE
}

/** What the shell says of the channel to a peer. What is still on its way from there may be handled afterwards, and proves nothing. */
export function onLink(state: CoreState, replica: ReplicaIndex, up: boolean): void {
  const peer = peerOf(state, replica)
  peer.lostAt = up ? undefined : (peer.lostAt ?? state.nowMs)
}

/** Milliseconds for which there has been no channel to `replica`; undefined while there is one. */
export function lostFor(state: CoreState, replica: ReplicaIndex): number | undefined {
  const { lostAt } = peerOf(state, replica)
  return lostAt === undefined ? undefined : state.nowMs - lostAt
}

export function reachablePeers(state: CoreState): ReplicaIndex[] {
  return otherMembers(state).filter((peer) => isReachable(state, peer))
}

/** The replica whose signature makes a message relayable; undefined for what counts on its own channel alone. */
export function originOf(message: Message): ReplicaIndex | undefined {
  switch (message.kind) {
    case 'propose':
    case 'vote':
    case 'checkpoint':
      return message.vote.replica
    case 'view-change':
      return message.viewChange.vote.replica
    case 'new-view':
      return message.newView.vote.replica
    default:
      return undefined
  }
}

/**
 * Passes a message that was news to us on to every neighbour that does not hear its signer. News only, so nothing circles; it
 * spreads over any number of hops. A statement that contradicts one we hold of its signer would be news at every hop for ever:
 *   1. A liar signs two votes for one slot; replicas A and B do not hear it, but each other and a relaying C.
 *   2. A and B hold the first; the second is no duplicate, so A passes it to B, B to A, A to B...
 * It goes no further; the evidence that it makes is spread instead.
 */
export function relay(state: CoreState, from: ReplicaIndex, message: Verified<Message>): void {
  const origin = originOf(message)
  if (origin === undefined || contradictsKnown(state, origin, message)) return
  passOn(state, message, from)
}

/**
 * To every neighbour that does not hear the message's signer. Also done again for what is kept while nothing moves, since relaying
 * may have come to nothing the first time: the link to the neighbour was down too, or it had not yet been seen that it lost the other.
 */
export function passOn(state: CoreState, message: Message, from?: ReplicaIndex): void {
  const origin = originOf(message)
  if (origin === undefined || origin === state.config.self) return
  for (const peer of otherMembers(state)) {
    if (peer === from || peer === origin || !isReachable(state, peer)) continue
    const heartbeat: Heartbeat | undefined = peerOf(state, peer).heartbeat
    if (heartbeat !== undefined && !heartbeat.heard.includes(origin)) tell(state, peer, message)
  }
}

function contradictsKnown(state: CoreState, origin: ReplicaIndex, message: Message): boolean {
  switch (message.kind) {
    case 'vote': {
      const { view, slot, kind } = message.vote.statement
      const at = view === state.view ? state.slots.get(slot) : undefined
      return (kind === 'prepare' ? at?.prepares : at?.accepts)?.has(origin) ?? false
    }
    case 'propose': {
      const { view, slot, digest } = message.vote.statement
      const at = view === state.view ? state.slots.get(slot) : undefined
      const first = at?.proposal ?? at?.held?.vote
      return first !== undefined && !equalBytes(first.statement.digest, digest)
    }
    case 'view-change':
      return state.viewChanges.get(origin)?.view === message.viewChange.view
    case 'new-view':
      return state.newView?.view === message.newView.view
    case 'checkpoint':
      return peerOf(state, origin).checkpoints.has(message.vote.slot)
    default:
      return false
  }
}
