// Requests that wait: known from a client or a peer, not yet executed. A replica passes what it knows on to the leader and starts
// a clock for it, so a leader that ignores a request is found out (pitfall P49). Bounded per client and in all.

import { type ReplicaIndex, type Slot, slot, type Verified } from '../../crypto/index.ts'
import { requestKey } from './bundle.ts'
import { isEnding } from './ending.ts'
import { batchEntry, type Entry } from './entry.ts'
import { noteProposal } from './leader-pace.ts'
import {
  BULK_SHARE,
  EAGER_SLOTS,
  FILLED_SHARE,
  logWindow,
  PENDING_PER_CLIENT,
  PENDING_PER_PEER,
  PENDING_REQUESTS,
  RESEND_SHARE,
  SLOW_RESEND_SHARE,
} from './limits.ts'
import { tell } from './outbox.ts'
import { acceptProposal } from './proposal.ts'
import { isReachable } from './reach.ts'
import { digestKey, type SignedRequest } from './request.ts'
import { type CoreState, lastVotable, leader, leads, otherMembers, type Pending, peerOf } from './state.ts'

/** Takes in requests, whoever sent them; what is known or over a bound is passed over. */
export function addRequests(state: CoreState, requests: readonly Verified<SignedRequest>[], via?: ReplicaIndex): void {
  const keyOf = clientKeys()
  for (const request of requests) keepRequest(state, request, via, keyOf)
  propose(state)
}

/** Takes in one request, and proposes nothing yet. */
export function keepRequest(
  state: CoreState,
  request: Verified<SignedRequest>,
  via: ReplicaIndex | undefined,
  keyOf: typeof digestKey = digestKey,
): void {
  const key = requestKey(request)
  const client = keyOf(request.request.client)
  const ofClient = state.pendingOf.get(client) ?? 0
  if (state.pending.has(key) || ofClient >= PENDING_PER_CLIENT || state.pending.size >= PENDING_REQUESTS) return
  if (via !== undefined) {
    const peer = peerOf(state, via)
    if (peer.pending >= PENDING_PER_PEER) return
    peer.pending += 1
  }
  state.pending.set(key, {
    request,
    since: state.nowMs,
    forwardedAt: undefined,
    resentAt: undefined,
    proposedAt: undefined,
    via,
  })
  state.pendingOf.set(client, ofClient + 1)
  state.unassigned.add(key)
}

/** The requests of an executed entry wait no longer. */
export function dropRequests(state: CoreState, entry: Entry): void {
  const keyOf = clientKeys()
  for (const request of entry.requests) {
    const key = requestKey(request)
    const pending = state.pending.get(key)
    if (pending === undefined) continue
    state.pending.delete(key)
    if (pending.via !== undefined) peerOf(state, pending.via).pending -= 1
    state.unassigned.delete(key)
    const client = keyOf(request.request.client)
    const left = (state.pendingOf.get(client) ?? 1) - 1
    if (left > 0) state.pendingOf.set(client, left)
    else state.pendingOf.delete(client)
  }
}

/** Keys of clients, of many requests in a row: hardly any comes from another client than the one before. */
function clientKeys(): typeof digestKey {
  let last: Uint8Array | undefined
  let key = ''
  return (client) => {
    if (client !== last) key = digestKey(client)
    last = client
    return key
  }
}

/**
 * The machine jumped to a snapshot that may hold what waits here, and nobody will say so. Kept, it would be passed on and complained
 * about for ever; a client that still has no answer asks all replicas again.
 */
export function forgetRequests(state: CoreState): void {
  state.pending.clear()
  state.pendingOf.clear()
  state.unassigned.clear()
  for (const peer of state.peers) peer.pending = 0
}

/** At the begin of a view: every request waits anew, but for those in the values carried over. */
export function reassignRequests(state: CoreState): void {
  state.unassigned.clear()
  for (const [key, pending] of state.pending) {
    pending.since = state.nowMs
    pending.forwardedAt = undefined
    pending.resentAt = undefined
    pending.proposedAt = undefined
    state.unassigned.add(key)
  }
}

/** Notes which requests a proposal of the current view holds. */
export function markProposed(state: CoreState, entry: Entry): void {
  const first: Pending[] = []
  for (const request of entry.requests) {
    const key = requestKey(request)
    state.unassigned.delete(key)
    const pending = state.pending.get(key)
    if (pending === undefined || pending.proposedAt !== undefined) continue
    pending.proposedAt = entry.header.slot
    first.push(pending)
  }
  noteProposal(state, entry, first)
}

/**
 * As leader: proposes what waits, one batch a slot, while the window has room (W slots in flight above the last chosen one, the log
 * window, and the boundary at which a rotating leader's turn ends). With a few slots in flight, what would not fill a good part of a
 * batch waits for company: a slot costs everybody the same, however few requests share it. Where the end of the epoch is agreed, nothing
 * waits, and empty batches fill up to it (M3).
 */
export function propose(state: CoreState): void {
  while (leads(state) && (state.unassigned.size > 0 || isEnding(state))) {
    // Decided slots that we never proposed for, in a view that we lead: another copy of us did, or one before our disk was lost.
    const at = slot(Math.max(state.nextSlot, state.chosen + 1))
    if (at > lastProposable(state) || (at > state.chosen + EAGER_SLOTS && !mayHurry(state, at))) return
    const entry = batchEntry(at, state.config.membership.epoch, nextTimestamp(state), takeBatch(state))
    state.nextSlot = slot(at + 1)
    acceptProposal(state, entry)
  }
}

/**
 * True where enough requests wait that a slot of their own is no waste, and what is in flight is not more than a full batch; or the epoch
 * is to end. What is sent ahead of its turn takes the links and the disks from what is to be decided first, and a time-out counts that.
 */
function mayHurry(state: CoreState, at: Slot): boolean {
  const { maxBatchRequests, maxBatchBytes } = state.config.parameters
  if (isEnding(state)) return true
  if (state.unassigned.size < maxBatchRequests * FILLED_SHARE) return false
  let bytes = 0
  for (let i = state.chosen + 1; i < at; i++) bytes += state.slots.get(i)?.proposedBytes ?? 0
  return bytes < maxBatchBytes
}

/** The last slot that the leader of this view may propose for. Followers hold it to that. */
export function lastProposable(state: CoreState): number {
  const { parameters } = state.config
  const flight = state.chosen + parameters.window
  const log = state.stable.slot + logWindow(parameters)
  return Math.min(flight, log, rotationSlot(state), lastVotable(state))
}

/** With rotation every N slots: the boundary at which this view ends; no bound otherwise. */
export function rotationSlot(state: CoreState): number {
  const { rotation } = state.config.parameters
  if (rotation.policy !== 'every') return Number.POSITIVE_INFINITY
  return (Math.floor(state.base / rotation.slots) + 1) * rotation.slots
}

/**
 * Passes on to the leader what it has not proposed for a while, and again after twice as long: it may have more to do than it can.
 * Past a cut link through everybody that can be reached.
 */
export function forwardRequests(state: CoreState): void {
  if (state.phase !== 'active' || leads(state)) return
  const { viewTimeoutMs, maxBatchRequests, maxBatchBytes } = state.config.parameters
  const due: Pending[] = []
  let bytes = 0
  for (const pending of state.pending.values()) {
    if (pending.proposedAt !== undefined) continue
    const { resentAt, since } = pending
    const pause = viewTimeoutMs * (resentAt === undefined ? RESEND_SHARE : SLOW_RESEND_SHARE)
    if (state.nowMs - (resentAt ?? since) < pause) continue
    bytes += pending.request.request.command.length
    // As in a batch: what is too large for one message would be dropped on the way, and sent again for ever.
    if (due.length > 0 && (due.length >= maxBatchRequests || bytes > maxBatchBytes)) break
    due.push(pending)
  }
  if (due.length === 0) return
  for (const pending of due) {
    pending.forwardedAt ??= state.nowMs
    pending.resentAt = state.nowMs
  }
  const requests = due.map((pending) => pending.request)
  for (const to of forwardTargets(state)) tell(state, to, { kind: 'requests', requests })
}

function forwardTargets(state: CoreState): readonly ReplicaIndex[] {
  const head = leader(state)
  return isReachable(state, head) ? [head] : otherMembers(state).filter((peer) => isReachable(state, peer))
}

/** Closed by its bytes at half of what it may hold: more in one go makes the slot late, and each byte costs the same. */
function takeBatch(state: CoreState): Verified<SignedRequest>[] {
  const { maxBatchRequests, maxBatchBytes } = state.config.parameters
  const batch: Verified<SignedRequest>[] = []
  let bytes = 0
  for (const key of state.unassigned) {
    const request = state.pending.get(key)?.request
    if (request === undefined) continue
    if (batch.length >= maxBatchRequests || bytes >= maxBatchBytes * BULK_SHARE) break
    bytes += request.request.command.length
    if (batch.length > 0 && bytes > maxBatchBytes) break
    batch.push(request)
  }
  return batch
}

/** Never before the last one proposed: agreed time does not go back. */
function nextTimestamp(state: CoreState): number {
  return Math.max(1, Math.floor(state.wallMs), lastTimestamp(state, state.nextSlot))
}

/** The latest agreed or proposed time before slot `before`; of bodies not yet here nothing is known. */
export function lastTimestamp(state: CoreState, before: Slot): number {
  for (let at = before - 1; at > state.executing; at--) {
    const known = state.slots.get(at)
    const digest = known?.chosen?.statement.digest ?? known?.proposal?.statement.digest
    const entry = digest && known?.bodies.get(digestKey(digest))
    if (entry !== undefined && entry.header.kind === 'batch') return entry.header.timestampMs
  }
  return state.timestampMs
}
