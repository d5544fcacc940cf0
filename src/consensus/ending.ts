// The end of an epoch. The machine answers a change of the membership with the last slot of the epoch, B, and with the charter of the next one.
//
//   M1  no slot is voted for that may be after the last one (state.ts, lastVotable)
//   M2  an end that is agreed counts as work that waits until B is executed, so a leader that does not get there is given up (T1); so
//       is one that drips a slot now and then, which would pass for progress: fewer than a window in a time-out is too slow (T3)
//   M3  the leader proposes what waits, and fills with empty batches up to B, as fast as the window allows
//   M4  the note of B carries the digest of the next membership; nothing of the epoch is signed for any slot above B
//   M5  q such notes, and our own state is that state: the hand-over. It goes to disk with the stable checkpoint, in one append; once
//       it is durable the shell hears of it and begins the next epoch (succeed.ts). This core is over: it hands out what it
//       has, and signs nothing more
//   M10 after B was executed no read is answered in the epoch: a quorum may have gone on without us
//   M11 a note that ends the epoch, and anything that its signer says in the epoch about a later slot, convict the signer

import { type Digest, equalBytes, type Frontier, type Slot, type Verified } from '../../crypto/index.ts'
import { checkpointConflictOf, pastTheEndOf } from './evidence.ts'
import type { Input } from './io.ts'
import { EVIDENCE_PER_REPLICA, HEARTBEAT_SHARE } from './limits.ts'
import type { CheckpointVote, Evidence, LateStatement, Message, StableCheckpoint } from './messages.ts'
import { accuse, announceEnd, persist } from './outbox.ts'
import { onFetchBodies, onFetchEntries, onHeartbeat, sendHeartbeats } from './peers.ts'
import { onLink } from './reach.ts'
import { addRequests } from './requests.ts'
import { type CoreState, passTime, peerOf } from './state.ts'

/** An end is agreed, and its slot not yet executed. */
export function isEnding({ succession, executed }: CoreState): boolean {
  return succession !== undefined && executed < succession.lastSlot
}

/** The last slot of the epoch is executed. */
export function hasEnded({ succession, executed, phase }: CoreState): boolean {
  return phase === 'over' || (succession !== undefined && executed >= succession.lastSlot)
}

/** M4. What the note of this slot says of the next epoch. */
export function nextAfter({ succession }: CoreState, at: Slot): Digest | undefined {
  return succession?.lastSlot === at ? succession.membership : undefined
}

/** M2. To be called at ticks: begins to measure anew after each window of slots. */
export function watchPace(state: CoreState): void {
  if (!isEnding(state)) {
    state.pace = undefined
    return
  }
  state.workSince ??= state.nowMs
  const { pace } = state
  if (pace === undefined || state.chosen - pace.chosen >= slotsDue(state, pace.chosen))
    state.pace = { at: state.nowMs, chosen: state.chosen }
}

/** M2. True where the epoch has gone on by less than a window of slots for longer than `limitMs`. */
export function isDripping({ pace, nowMs }: CoreState, limitMs: number): boolean {
  return pace !== undefined && nowMs - pace.at > limitMs
}

function slotsDue({ succession, config }: CoreState, from: Slot): number {
  return Math.min(config.parameters.window, (succession?.lastSlot ?? from) - from)
}

/** M5. To be called where a checkpoint has become stable, and we are in its state; it may be that of the last slot. */
export function endEpoch(state: CoreState, checkpoint: Verified<StableCheckpoint>, frontier: Frontier): void {
  const { succession } = state
  const next = nextAfter(state, checkpoint.slot)
  // Both are functions of the log, and q signed for it: more than b lied, or the machine is not what it seems.
  if (!sameNext(checkpoint.next, next))
    throw new Error(`slot ${checkpoint.slot}: its note and its state differ on what comes next`)
  if (succession === undefined || next === undefined) return
  state.phase = 'over'
  // Each signature on it is a note of its signer.
  const { signatures, ...content } = checkpoint
  for (const each of signatures) judgeEnd(state, { ...content, ...each })
  const handOver = { checkpoint, charter: succession.charter }
  persist(state, { kind: 'hand-over', handOver, frontier })
  announceEnd(state, handOver)
}

function sameNext(a: Digest | undefined, b: Digest | undefined): boolean {
  return a === undefined || b === undefined ? a === b : equalBytes(a, b)
}

/**
 * What a core does whose epoch is over: serves those of the epoch that are behind, and keeps requests for the next one. The shell may
 * drop it at any time.
 */
export function stepOver(state: CoreState, input: Exclude<Input, { readonly kind: 'time' }>): void {
  switch (input.kind) {
    case 'message':
      peerOf(state, input.from).heardAt = state.nowMs
      return heed(state, input)
    case 'requests':
      return addRequests(state, input.requests)
    case 'link':
      return onLink(state, input.peer, input.up)
    case 'tick':
      passTime(state, input)
      if (state.nowMs - state.heartbeatAt >= state.config.parameters.viewTimeoutMs * HEARTBEAT_SHARE)
        sendHeartbeats(state)
      return
    case 'durable':
      state.durable = Math.max(state.durable, input.number)
      return
    case 'executed':
    case 'installed':
      return
  }
}

function heed(state: CoreState, { from, message }: Input & { readonly kind: 'message' }): void {
  switch (message.kind) {
    case 'heartbeat':
      return onHeartbeat(state, from, message)
    case 'fetch-entries':
      return onFetchEntries(state, from, message)
    case 'fetch-bodies':
      return onFetchBodies(state, from, message)
    case 'evidence':
      return accuse(state, message.evidence)
    case 'checkpoint':
      accuse(state, lateness(state, message))
      return judgeEnd(state, message.vote)
    default:
      return accuse(state, lateness(state, message))
  }
}

/** Whether `message` is of use to a core whose epoch is over. */
export function isHeeded(state: CoreState, message: Message): boolean {
  switch (message.kind) {
    case 'heartbeat':
    case 'fetch-entries':
    case 'fetch-bodies':
    case 'evidence':
      return true
    case 'checkpoint': {
      const { next, replica } = message.vote
      return (next !== undefined && state.peers[replica]?.end === undefined) || isLate(state, message)
    }
    default:
      return isLate(state, message)
  }
}

/** M11. True where `message` is about a slot after that with which its signer ended the epoch. */
export function isLate(state: CoreState, message: Message): boolean {
  const evidence = lateness(state, message)
  return evidence !== undefined && (state.accused.get(evidence.accused)?.size ?? 0) < EVIDENCE_PER_REPLICA
}

/** M11. */
export function lateness(state: CoreState, message: Message): Evidence | undefined {
  const late = lateStatement(message)
  const end = late && state.peers[late.vote.replica]?.end
  return end && pastTheEndOf(end, late)
}

function lateStatement(message: Message): LateStatement | undefined {
  switch (message.kind) {
    case 'vote':
    case 'propose':
      return { kind: 'vote', vote: message.vote }
    case 'checkpoint':
      return { kind: 'checkpoint', vote: message.vote }
    default:
      return undefined
  }
}

/** M11. A note that ends the epoch, against everything that is kept of its signer; the first such note is kept. */
export function judgeEnd(state: CoreState, note: CheckpointVote): void {
  if (note.next === undefined) return
  const peer = peerOf(state, note.replica)
  if (peer.end !== undefined) return accuse(state, checkpointConflictOf(peer.end, note))
  peer.end = note
  for (const vote of peer.checkpoints.values()) accuse(state, pastTheEndOf(note, { kind: 'checkpoint', vote }))
  for (const { prepares, accepts } of state.slots.values()) {
    for (const vote of [prepares.get(note.replica), accepts.get(note.replica)])
      if (vote !== undefined) accuse(state, pastTheEndOf(note, { kind: 'vote', vote }))
  }
}
