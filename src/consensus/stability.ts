// Execution's results, checkpoints, and what may be forgotten.
//
//   K1  after every K slots: sign the note over log root and state root, durably before it leaves; never two for one slot (P59)
//   K2  q notes with the same roots make the checkpoint stable; fewer never free memory (P56)
//   K3  stable here only once our own state is that state: then slots at or below it go, but for a tail for peers that lag a little
//   K4  own roots differ from what q signed: our state is wrong; raise the alarm and fetch theirs (bit rot, a bug)
//   K5  behind what peers still have as entries: fetch the snapshot; nothing of it is used before it matches what q signed (P57)
//   K6  a note that contradicts what q signed is shown to everybody: whoever holds another note of its signer has the proof

import {
  type Digest,
  EMPTY_FRONTIER,
  equalBytes,
  type Frontier,
  frontierRoot,
  markVerified,
  type Slot,
  signature,
  signVote,
  slot,
  type Verified,
  view,
  ZERO_DIGEST,
} from '../../crypto/index.ts'
import { choose, chosenEntry, packChosen } from './chosen.ts'
import { checkpointBytes } from './config.ts'
import { endEpoch, isEnding, judgeEnd, nextAfter } from './ending.ts'
import { checkpointConflictOf, sameContent } from './evidence.ts'
import type { Input } from './io.ts'
import { checkpointsPerPeer } from './limits.ts'
import type { CheckpointVote, StableCheckpoint } from './messages.ts'
import { accuse, emit, forgetSettled, persist, publish } from './outbox.ts'
import { voteForProposals } from './proposal.ts'
import { dropRequests, forgetRequests, propose, rotationSlot } from './requests.ts'
import { type CoreState, peerOf, successionIn } from './state.ts'
import { startViewChange } from './view-change.ts'

/** The machine has executed the next slot. */
export function onExecuted(state: CoreState, input: Input & { readonly kind: 'executed' }): void {
  const { slot: at, resultsRoot, stateRoot } = input
  if (at !== state.executed + 1 || at > state.executing) return
  state.executed = at
  state.dueMs = input.dueMs
  state.succession = successionIn(state.config, input)
  noteProgress(state)
  const entry = chosenEntry(state, at)?.entry
  if (entry !== undefined) {
    dropRequests(state, entry)
    packChosen(state, entry)
  }
  if (!hasWork(state)) state.workSince = undefined
  emit(state, { kind: 'receipt', slot: at, receipt: receiptFor(state, at, resultsRoot) })
  if (stateRoot !== undefined) signCheckpoint(state, at, stateRoot)
  settle(state)
  propose(state)
}

function noteProgress(state: CoreState): void {
  state.progressAt = state.nowMs
  state.failures = 0
}

/** True while something waits to be executed: a request, a proposal of this view, or the end of the epoch (M2). */
export function hasWork(state: CoreState): boolean {
  if (state.pending.size > 0 || isEnding(state)) return true
  for (const at of state.slots.values()) if (at.slot > state.executed && at.proposal !== undefined) return true
  return false
}

function receiptFor(state: CoreState, at: Slot, resultsRoot: Digest) {
  const { clusterId, digest: members } = state.config.membership
  const said = {
    clusterId,
    membership: members,
    view: view(0),
    justification: ZERO_DIGEST,
    slot: at,
    digest: resultsRoot,
  }
  return signVote({ kind: 'receipt', ...said }, state.config.self, state.config.signer)
}

/** K1. */
function signCheckpoint(state: CoreState, at: Slot, stateRoot: Digest): void {
  const frontier = state.frontiers.get(at)
  if (frontier === undefined) return
  const content = { slot: at, logRoot: frontierRoot(frontier), stateRoot, next: nextAfter(state, at) }
  const signed = state.ownCheckpoints.get(at)
  if (signed !== undefined) {
    // Executed again after a restart. Had it come out differently, a second note would make liars of us.
    if (!sameContent(signed, content)) emit(state, { kind: 'alarm', code: 'nondeterministic-machine', slot: at })
    return
  }
  const { membership, clusterName, self, signer } = state.config
  const bytes = signer.sign(checkpointBytes(content, membership, clusterName))
  const vote: CheckpointVote = { ...content, replica: self, signature: signature(bytes) }
  state.ownCheckpoints.set(at, vote)
  persist(state, { kind: 'checkpoint', vote, frontier })
  publish(state, { kind: 'checkpoint', vote })
}

/** A note of a peer, or our own once it is durable. */
export function onCheckpointVote(state: CoreState, vote: Verified<CheckpointVote>): void {
  const { checkpoints } = peerOf(state, vote.replica)
  const first = checkpoints.get(vote.slot)
  if (first !== undefined) return accuse(state, checkpointConflictOf(first, vote))
  judgeEnd(state, vote)
  checkpoints.set(vote.slot, vote)
  // A peer's notes push out only its own: far slots that it invents cost nobody else's.
  if (checkpoints.size > checkpointsPerPeer(state.config.parameters))
    checkpoints.delete(Math.min(...checkpoints.keys()))
  if (vote.slot === state.stable.slot) return showContradiction(state, vote)
  const made = assembleStable(state, vote)
  if (made === undefined) return
  learnStable(state, made)
  // The log window may have moved: what waited for that would else wait for the next execution, which may never come. Not inside
  // learnStable: a view that is being set up learns its start there, before it knows what it carries over.
  propose(state)
}

/** K2. */
function assembleStable(state: CoreState, like: CheckpointVote): Verified<StableCheckpoint> | undefined {
  const { quorums } = state.config.membership
  const { mutations } = state.config
  const few =
    mutations.has('collect-garbage-at-trust') || (like.next !== undefined && mutations.has('hand-over-at-trust'))
  const need = few ? quorums.trust : quorums.quorum
  const same = state.peers.flatMap(({ checkpoints }) => {
    const vote = checkpoints.get(like.slot)
    return vote !== undefined && sameContent(vote, like) ? [vote] : []
  })
  if (same.length < need) return undefined
  const signatures = same.slice(0, need).map(({ replica, signature: bytes }) => ({ replica, signature: bytes }))
  const { slot: at, logRoot, stateRoot, next } = like
  return markVerified({ slot: at, logRoot, stateRoot, next, signatures })
}

/** A stable checkpoint, wherever it was seen: in notes, a ViewChange, a NewView, an answer. */
export function learnStable(state: CoreState, checkpoint: Verified<StableCheckpoint>): void {
  if (checkpoint.slot <= state.known.slot) return
  state.known = checkpoint
  settle(state)
}

/** K3 and K4. */
function settle(state: CoreState): void {
  const { known } = state
  if (known.slot <= state.stable.slot || state.executed < known.slot || state.transferring) return
  const own = state.ownCheckpoints.get(known.slot)
  if (own !== undefined && sameContent(own, known)) return stabilize(state, known, state.frontiers.get(known.slot))
  emit(state, { kind: 'alarm', code: 'state-diverged', slot: known.slot })
  transfer(state, 'diverged')
}

function stabilize(state: CoreState, checkpoint: Verified<StableCheckpoint>, frontier: Frontier | undefined): void {
  for (let at = state.stable.slot + 1; at <= checkpoint.slot; at++) {
    const kept = chosenEntry(state, slot(at))
    if (kept !== undefined) state.tail.set(at, kept)
  }
  state.stable = checkpoint
  for (const { checkpoints } of state.peers) showContradiction(state, checkpoints.get(checkpoint.slot))
  const { checkpointInterval } = state.config.parameters
  forget(state.tail, (at) => at <= checkpoint.slot - checkpointInterval)
  forget(state.slots, (at) => at <= checkpoint.slot)
  forget(state.ownCheckpoints, (at) => at < checkpoint.slot)
  forget(state.frontiers, (at) => at < checkpoint.slot)
  for (const { checkpoints } of state.peers) forget(checkpoints, (at) => at < checkpoint.slot)
  forgetSettled(state)
  persist(state, { kind: 'stable', checkpoint, frontier: frontier ?? EMPTY_FRONTIER })
  emit(state, { kind: 'stabilize', checkpoint })
  endEpoch(state, checkpoint, frontier ?? EMPTY_FRONTIER)
  voteForProposals(state)
  rotate(state)
}

/** K6. */
function showContradiction(state: CoreState, vote: CheckpointVote | undefined): void {
  if (vote === undefined || vote.replica === state.config.self || sameContent(vote, state.stable)) return
  emit(state, { kind: 'broadcast', message: { kind: 'checkpoint', vote } })
}

/** With rotation every N slots: at the boundary everybody moves to the next leader at once; no time-out is spent. */
export function rotate(state: CoreState): void {
  if (state.phase === 'active' && state.stable.slot >= rotationSlot(state)) {
    startViewChange(state, view(state.view + 1), 'rotation')
  }
}

/** K5. Sources are those who signed; the shell asks others too when they fail. */
export function transfer(state: CoreState, reason: 'behind' | 'diverged'): void {
  state.transferring = true
  state.transferAt = state.nowMs
  const sources = state.known.signatures.map(({ replica }) => replica).filter((each) => each !== state.config.self)
  emit(state, { kind: 'transfer', checkpoint: state.known, sources, reason })
}

/** The machine holds the state of `checkpoint`, which the shell has verified chunk by chunk. */
export function onInstalled(state: CoreState, input: Input & { readonly kind: 'installed' }): void {
  const { checkpoint, frontier, timestampMs } = input
  if (!state.transferring || checkpoint.slot < state.stable.slot) return
  if (!equalBytes(frontierRoot(frontier), checkpoint.logRoot))
    throw new RangeError('frontier: not that of the checkpoint')
  state.transferring = false
  state.executing = checkpoint.slot
  state.executed = checkpoint.slot
  if (checkpoint.slot > state.chosen) {
    state.chosen = checkpoint.slot
    state.chosenAt.fill(state.nowMs)
  }
  state.frontier = frontier
  state.timestampMs = timestampMs
  state.dueMs = input.dueMs
  state.succession = successionIn(state.config, input)
  if (checkpoint.slot > state.known.slot) state.known = checkpoint
  state.nextSlot = slot(Math.max(state.nextSlot, checkpoint.slot + 1))
  forgetRequests(state)
  noteProgress(state)
  stabilize(state, checkpoint, frontier)
  choose(state)
  if (!hasWork(state)) state.workSince = undefined
  propose(state)
}

/** The reason to pass a note over before its signature is checked, or undefined. */
export function ignoreCheckpoint(state: CoreState, vote: CheckpointVote): string | undefined {
  // Those of the stable slot itself are still of use: they may contradict one another (K6).
  if (vote.slot < state.stable.slot) return 'already-stable'
  const notes = state.peers[vote.replica]?.checkpoints
  const first = notes?.get(vote.slot)
  if (first !== undefined) return sameContent(first, vote) ? 'duplicate' : undefined
  // Taken in, it would be the first to be pushed out again, and news again when it comes back.
  const full = notes !== undefined && notes.size >= checkpointsPerPeer(state.config.parameters)
  return full && vote.slot < Math.min(...notes.keys()) ? 'pushed-out' : undefined
}

function forget<Value>(map: Map<number, Value>, old: (at: number) => boolean): void {
  for (const at of map.keys()) if (old(at)) map.delete(at)
}
