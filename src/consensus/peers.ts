// What replicas tell each other about themselves, and how one that lags catches up: from any one peer, which needs no trust.
//
//   H1  a heartbeat says where its sender stands and whom it hears; a hint, never proof
//   H2  who is in an older view than ours gets the NewView that began ours
//   H3  who has decided more than we have is asked for entries with their certificates, one peer at a time, in turn
//   H4  what is asked for and is no longer kept is answered with the stable checkpoint; the asker fetches its snapshot
//   H5  bodies are asked for by digest, from everybody within reach
//   H6  who has a stable checkpoint that another has executed, or can't go on without, sends it: its notes are long forgotten

import { type ReplicaIndex, slot } from '../../crypto/index.ts'
import { chosenEntry } from './chosen.ts'
import { commandBytes, type Entry } from './entry.ts'
import { askForLease } from './lease.ts'
import { FETCH_BODIES, FETCH_BYTES, FETCH_ENTRIES, FETCH_REQUEST_BYTES, logWindow, RESEND_SHARE } from './limits.ts'
import type { ChosenEntry, Heartbeat, Message } from './messages.ts'
import { answer, tell } from './outbox.ts'
import { missingBodies } from './proposal.ts'
import { isReachable, reachablePeers } from './reach.ts'
import { digestKey } from './request.ts'
import { transfer } from './stability.ts'
import { type CoreState, lastLogSlot, otherMembers, peerOf } from './state.ts'
import { helpIntoView } from './view-change.ts'

/** H1. */
export function sendHeartbeats(state: CoreState): void {
  const heartbeat: Heartbeat = {
    kind: 'heartbeat',
    view: state.view,
    active: state.phase !== 'changing',
    chosen: state.chosen,
    executed: state.executed,
    stable: state.stable.slot,
    heard: reachablePeers(state),
  }
  state.heartbeatAt = state.nowMs
  for (const peer of otherMembers(state)) tell(state, peer, heartbeat)
  askForLease(state)
}

export function onHeartbeat(state: CoreState, from: ReplicaIndex, heartbeat: Heartbeat): void {
  peerOf(state, from).heartbeat = heartbeat
  const older = heartbeat.view < state.view || (heartbeat.view === state.view && !heartbeat.active)
  const help = older && state.phase === 'active' ? helpIntoView(state, from) : undefined // H2
  if (help !== undefined) answer(state, from, help)
  if (lacksCheckpoint(state, heartbeat)) tell(state, from, { kind: 'stable', checkpoint: state.stable }) // H6
  fetchEntries(state)
}

/**
 * H6. Without it a replica that missed the notes of its last checkpoint takes entries up to the end of its log window and then none,
 * since the window moves with the checkpoint; and peers that still have the entries answer with those, never with the checkpoint.
 * One that is fetching the state of a checkpoint asks for no entries: it must hear of the next one once nobody has that state any more.
 */
function lacksCheckpoint(state: CoreState, { stable, executed }: Heartbeat): boolean {
  if (stable >= state.stable.slot) return false
  const atEnd = executed >= state.stable.slot || executed >= stable + logWindow(state.config.parameters)
  return atEnd || chosenEntry(state, slot(executed + 1)) === undefined
}

/** H3. One request at a time; the next goes to the next peer, so one that stays silent or lies costs one interval. */
export function fetchEntries(state: CoreState): void {
  if (state.transferring || state.phase === 'over') return
  const { viewTimeoutMs, window } = state.config.parameters
  const interval = viewTimeoutMs * RESEND_SHARE
  const ahead = otherMembers(state).filter(
    (peer) => isReachable(state, peer) && (peerOf(state, peer).heartbeat?.chosen ?? 0) > state.executing,
  )
  const gap = Math.max(0, ...ahead.map((peer) => peerOf(state, peer).heartbeat?.chosen ?? 0)) - state.executing
  const settled = state.nowMs - state.progressAt < interval && gap <= window
  if (ahead.length === 0 || settled) return
  if (state.fetch !== undefined && state.nowMs - state.fetch.at < interval) return
  const last = state.fetch?.peer ?? -1
  const peer = ahead.find((each) => each > last) ?? ahead[0]
  if (peer === undefined) return
  state.fetch = { peer, at: state.nowMs }
  const from = slot(state.executing + 1)
  tell(state, peer, { kind: 'fetch-entries', from, to: slot(from + FETCH_ENTRIES - 1) })
}

/** An answer came: what else there is may be asked for at once. */
export function fetchMore(state: CoreState, received: number): void {
  const answered = state.fetch
  if (answered === undefined || received < FETCH_ENTRIES) return
  state.fetch = { peer: answered.peer, at: state.nowMs }
  const from = slot(state.executing + 1)
  tell(state, answered.peer, { kind: 'fetch-entries', from, to: slot(from + FETCH_ENTRIES - 1) })
}

/** H4. */
export function onFetchEntries(state: CoreState, peer: ReplicaIndex, { from, to }: { from: number; to: number }): void {
  const entries: ChosenEntry[] = []
  let bytes = 0
  for (let at = from; at <= to && entries.length < FETCH_ENTRIES; at++) {
    const found = chosenEntry(state, slot(at))
    if (found === undefined) break
    bytes += fetchedBytes(found.entry)
    if (entries.length > 0 && bytes > FETCH_BYTES) break
    entries.push(found)
  }
  if (entries.length > 0) tell(state, peer, { kind: 'entries', entries })
  else if (from <= state.stable.slot) tell(state, peer, { kind: 'stable', checkpoint: state.stable })
}

/** What an entry counts for in an answer: many tiny requests are not small. */
function fetchedBytes(entry: Entry): number {
  const { requests } = entry
  return commandBytes({ requests }) + FETCH_REQUEST_BYTES * requests.length
}

/** A checkpoint beyond what we have executed. In answer to our fetch, or where entries can't help any more: take the snapshot. */
export function onStable(state: CoreState, from: ReplicaIndex): void {
  if (state.transferring || state.known.slot <= state.executing) return
  if (state.fetch?.peer === from || state.executing >= lastLogSlot(state)) transfer(state, 'behind')
}

/** H5. */
export function fetchBodies(state: CoreState): void {
  const { viewTimeoutMs } = state.config.parameters
  if (state.nowMs - state.bodiesAskedAt < (viewTimeoutMs * RESEND_SHARE) / 2) return
  const digests = missingBodies(state).slice(0, FETCH_BODIES)
  if (digests.length === 0) return
  state.bodiesAskedAt = state.nowMs
  for (const peer of reachablePeers(state)) tell(state, peer, { kind: 'fetch-bodies', digests })
}

export function onFetchBodies(
  state: CoreState,
  peer: ReplicaIndex,
  { digests }: Message & { readonly kind: 'fetch-bodies' },
): void {
  const entries: Entry[] = []
  let bytes = 0
  for (const { slot: at, digest } of digests) {
    const entry = state.slots.get(at)?.bodies.get(digestKey(digest))
    if (entry === undefined) continue
    bytes += fetchedBytes(entry)
    if (entries.length > 0 && bytes > FETCH_BYTES) break
    entries.push(entry)
  }
  if (entries.length > 0) tell(state, peer, { kind: 'bodies', entries })
}
