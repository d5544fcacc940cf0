// A core from its records: the promises, votes and certificates that it may have sent are all in them, since nothing left before
// they were durable. What is rebuilt here therefore never contradicts what the others hold of us.
//
// What a store holds of epochs before this one binds nobody in this one, and is passed over: statements name their membership, and
// slots up to the start are of other epochs (M7).

import { equalBytes, markVerified, slot, type Verified, type Vote, type VoteStatement } from '../../crypto/index.ts'
import { choose } from './chosen.ts'
import type { CoreConfig } from './config.ts'
import type { DurableRecord, Effect, MachinePosition } from './io.ts'
import type { HandOver } from './messages.ts'
import { announceEnd, close } from './outbox.ts'
import { voteForProposals } from './proposal.ts'
import { digestKey } from './request.ts'
import { transfer } from './stability.ts'
import { type CoreState, emptyState, inWindow, leads, peerOf, slotState } from './state.ts'
import { installView } from './view-change.ts'

/**
 * A core and its first effects. `records` is everything that was durable, in the order in which it was written, without what
 * truncation dropped; `machine` is where the machine's own durable state stands.
 */
export function init(
  config: CoreConfig,
  records: readonly DurableRecord[],
  machine: MachinePosition,
): { readonly state: CoreState; readonly effects: readonly Effect[] } {
  const state = emptyState(config, machine)
  recallAll(state, records)
  return { state, effects: close(state, () => {}) }
}

/** Everything that `records` say of this epoch, and what follows from it at once. */
export function recallAll(state: CoreState, records: readonly DurableRecord[]): void {
  recallStable(state, records)
  for (const record of records) recall(state, record)
  // Remembering is not doing: what installing a view queued while it was recalled has long been sent, or will be sent again.
  state.fresh = []
  state.records = []
  state.effects = []
  state.replay = []
  const handOvers = records.flatMap((record) => (record.kind === 'hand-over' ? [record.handOver] : []))
  const end = handOvers.find(({ charter }) => charter.epoch === state.config.membership.epoch + 1)
  if (end !== undefined) return recallEnd(state, end)
  if (state.stable.slot > state.executed) transfer(state, 'behind')
  voteForProposals(state)
  choose(state)
}

/** M5: the hand-over is durable, and this core is over already. */
function recallEnd(state: CoreState, handOver: HandOver): void {
  state.phase = 'over'
  announceEnd(state, handOver)
}

/** The stable checkpoint first: it says which of the other records still count. */
function recallStable(state: CoreState, records: readonly DurableRecord[]): void {
  for (const record of records) {
    if (record.kind !== 'stable' || record.checkpoint.slot < state.stable.slot) continue
    // The end of the epoch before: to this one it is the start, which carries no signatures (M7).
    if (record.checkpoint.slot <= state.config.start.slot) continue
    state.stable = markVerified(record.checkpoint)
    state.known = state.stable
    state.nextSlot = slot(Math.max(state.nextSlot, record.checkpoint.slot + 1))
  }
  if (state.chosen < state.stable.slot) state.chosen = state.stable.slot
}

function recall(state: CoreState, record: DurableRecord): void {
  const said = statementIn(record)
  if (said !== undefined && !equalBytes(said.membership, state.config.membership.digest)) return
  switch (record.kind) {
    case 'entry':
      if (inWindow(state, record.entry.header.slot)) {
        slotState(state, record.entry.header.slot).bodies.set(digestKey(record.entry.digest), record.entry)
      }
      return
    case 'vote':
      return recallVote(state, markVerified(record.vote))
    case 'prepared':
    case 'chosen': {
      const { slot: number, view } = record.certificate.statement
      if (!inWindow(state, number)) return
      const at = slotState(state, number)
      if (record.kind === 'chosen') at.chosen = markVerified(record.certificate)
      else if (at.prepared === undefined || at.prepared.statement.view < view)
        at.prepared = markVerified(record.certificate)
      return
    }
    case 'promise':
      state.view = record.viewChange.view
      state.phase = 'changing'
      state.ownViewChange = markVerified(record.viewChange)
      state.viewChanges.set(state.config.self, markVerified(record.viewChange))
      return
    case 'new-view':
      if (record.newView.view < state.view) return
      state.view = record.newView.view
      state.phase = 'active'
      state.newView = markVerified(record.newView)
      state.justification = record.newView.vote.statement.digest
      state.ownViewChange = undefined
      return installView(state, state.newView ?? markVerified(record.newView))
    case 'checkpoint':
      if (record.vote.slot < state.stable.slot || record.vote.slot <= state.config.start.slot) return
      state.ownCheckpoints.set(record.vote.slot, record.vote)
      state.frontiers.set(record.vote.slot, record.frontier)
      peerOf(state, state.config.self).checkpoints.set(record.vote.slot, markVerified(record.vote))
      return
    case 'stable':
    case 'evidence':
    case 'hand-over':
      return
  }
}

/** What was signed in one epoch alone. */
function statementIn(record: DurableRecord): VoteStatement | undefined {
  switch (record.kind) {
    case 'vote':
      return record.vote.statement
    case 'prepared':
    case 'chosen':
      return record.certificate.statement
    case 'promise':
      return record.viewChange.vote.statement
    case 'new-view':
      return record.newView.vote.statement
    default:
      return undefined
  }
}

/** An own vote binds us in the view that it names; in a later view only the certificates count. */
function recallVote(state: CoreState, vote: Verified<Vote>): void {
  const { kind, slot: number, view } = vote.statement
  if (view !== state.view || state.phase !== 'active' || !inWindow(state, number)) return
  const at = slotState(state, number)
  if (kind === 'accept') {
    at.ownAccept = vote
    at.accepts.set(vote.replica, vote)
    return
  }
  at.ownPrepare = vote
  at.prepares.set(vote.replica, vote)
  if (leads(state)) {
    at.proposal = vote
    state.nextSlot = slot(Math.max(state.nextSlot, number + 1))
  }
}
