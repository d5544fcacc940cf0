// What leaves a step. A vote, promise or proposal is queued here and appears as an effect only once every record made up to that
// moment is durable (pitfall P27): without it a power cut would make an honest replica vote twice, differently. Our own votes
// count for ourselves at that same moment, so no certificate rests on a vote that could still be lost.

import {
  hex,
  markVerified,
  type ReplicaIndex,
  type Slot,
  sha256,
  statementBytes,
  type Verified,
  type View,
} from '../../crypto/index.ts'
import { checkpointBytes } from './config.ts'
import type { DurableRecord, Effect } from './io.ts'
import { EVIDENCE_PER_REPLICA } from './limits.ts'
import type { CheckpointVote, Evidence, HandOver, Message } from './messages.ts'
import type { CoreState, Outgoing } from './state.ts'

export function emit(state: CoreState, effect: Effect): void {
  state.effects.push(effect)
}

export function persist(state: CoreState, ...records: readonly DurableRecord[]): void {
  state.records.push(...records)
}

/** To every member, ourselves included, once all records so far are durable. */
export function publish(state: CoreState, message: Message): void {
  state.fresh.push({ to: 'all', message: markVerified(message) })
}

/** To one peer, once all records so far are durable. */
export function answer(state: CoreState, to: ReplicaIndex, message: Message): void {
  if (to !== state.config.self) state.fresh.push({ to, message })
}

/** To the shell, once all records so far are durable. */
export function announceEnd(state: CoreState, handOver: HandOver): void {
  state.fresh.push({ to: 'shell', handOver })
}

/** To one peer at once: hints and requests for data, which rely on no record. */
export function tell(state: CoreState, to: ReplicaIndex, message: Message): void {
  if (to !== state.config.self) emit(state, { kind: 'send', to, message })
}

/**
 * Forgets what was to be said in views before this one and has not left: the others have gone on without it, and with a disk that
 * stands still it would pile up view by view. Its records stay, and to whom it never came it is a lost message.
 */
export function forgetUnsent(state: CoreState): void {
  const isCurrent = (each: Outgoing) => each.to === 'shell' || (viewOf(each.message) ?? state.view) >= state.view
  const kept = state.outbox.filter(({ outgoing }) => isCurrent(outgoing))
  state.outbox.splice(0, state.outbox.length, ...kept)
  state.fresh = state.fresh.filter(isCurrent)
}

/**
 * Forgets what was to be said of slots that are stable, and has not left: q others have gone on without it, and with a disk slower than
 * theirs it would pile up slot by slot. Its records stay; who is behind gets the entries, or the state.
 */
export function forgetSettled(state: CoreState): void {
  const isOpen = (each: Outgoing) => each.to !== 'all' || !isSettled(each.message, state.stable.slot)
  const kept = state.outbox.filter(({ outgoing }) => isOpen(outgoing))
  state.outbox.splice(0, state.outbox.length, ...kept)
  state.fresh = state.fresh.filter(isOpen)
}

function isSettled(message: Message, stable: Slot): boolean {
  switch (message.kind) {
    case 'propose':
    case 'vote':
      return message.vote.statement.slot <= stable
    case 'checkpoint':
      // A note of the stable slot itself may still help others to their q.
      return message.vote.slot < stable
    default:
      return false
  }
}

/** The view that a message counts in; undefined for those that count whatever the view. */
function viewOf(message: Message): View | undefined {
  switch (message.kind) {
    case 'propose':
    case 'vote':
      return message.vote.statement.view
    case 'view-change':
      return message.viewChange.view
    case 'new-view':
      return message.newView.view
    default:
      return undefined
  }
}

/** Reports a lie once: to the operator, to the disk, and to the other replicas. */
export function accuse(state: CoreState, evidence: Evidence | undefined): void {
  if (evidence === undefined || !isProvable(state, evidence)) return
  const known = state.accused.get(evidence.accused) ?? new Set()
  const key = evidenceKey(state, evidence)
  if (known.has(key) || known.size >= EVIDENCE_PER_REPLICA) return
  known.add(key)
  state.accused.set(evidence.accused, known)
  persist(state, { kind: 'evidence', evidence })
  emit(state, { kind: 'evidence', evidence })
  emit(state, { kind: 'broadcast', message: { kind: 'evidence', evidence } })
}

/** Unsigned votes convict nobody, whatever they say. */
function isProvable({ config }: CoreState, evidence: Evidence): boolean {
  if (config.parameters.signedVotes || evidence.kind === 'two-checkpoints') return true
  if (evidence.kind === 'past-the-end')
    return evidence.late.kind === 'checkpoint' || evidence.late.vote.statement.kind === 'receipt'
  return (
    evidence.kind === 'wrong-receipt' || (evidence.kind === 'two-votes' && evidence.first.statement.kind === 'receipt')
  )
}

/** Ends a step: one persist effect for its records, then whatever may already leave. */
export function close(state: CoreState, deliver: (message: Verified<Message>) => void): readonly Effect[] {
  seal(state)
  release(state, deliver)
  const { effects } = state
  state.effects = []
  return effects
}

function seal(state: CoreState): void {
  if (state.records.length > 0) {
    state.lastRecord += 1
    emit(state, { kind: 'persist', number: state.lastRecord, records: state.records })
    state.records = []
  }
  for (const outgoing of state.fresh) state.outbox.push({ after: state.lastRecord, outgoing })
  state.fresh = []
}

function release(state: CoreState, deliver: (message: Verified<Message>) => void): void {
  const open = state.config.mutations.has('send-before-durable')
  for (;;) {
    const next = state.outbox[0]
    if (next === undefined || (next.after > state.durable && !open)) return
    state.outbox.shift()
    const { outgoing } = next
    if (outgoing.to === 'shell') {
      emit(state, { kind: 'hand-over', handOver: outgoing.handOver })
    } else if (outgoing.to === 'all') {
      emit(state, { kind: 'broadcast', message: outgoing.message })
      deliver(outgoing.message)
      seal(state)
    } else {
      emit(state, { kind: 'send', to: outgoing.to, message: outgoing.message })
    }
  }
}

function evidenceKey(state: CoreState, evidence: Evidence): string {
  const { membership, clusterName } = state.config
  const note = (vote: CheckpointVote) => checkpointBytes(vote, membership, clusterName)
  switch (evidence.kind) {
    case 'two-votes':
      return pair(evidence.kind, [statementBytes(evidence.first.statement), statementBytes(evidence.second.statement)])
    case 'two-checkpoints':
      return pair(evidence.kind, [note(evidence.first), note(evidence.second)])
    case 'hidden-prepared':
      return pair(evidence.kind, [
        statementBytes(evidence.accept.statement),
        statementBytes(evidence.viewChange.vote.statement),
      ])
    case 'against-new-view':
      return pair(evidence.kind, [
        statementBytes(evidence.vote.statement),
        statementBytes(evidence.newView.vote.statement),
      ])
    case 'wrong-receipt':
      return pair(evidence.kind, [statementBytes(evidence.receipt.statement)])
    case 'past-the-end': {
      const { end, late } = evidence
      const said = late.kind === 'vote' ? statementBytes(late.vote.statement) : note(late.vote)
      return pair(evidence.kind, [note(end), said])
    }
  }
}

function pair(kind: string, parts: readonly Uint8Array[]): string {
  return [kind, ...parts.map((part) => hex(sha256(part))).sort()].join('/')
}
