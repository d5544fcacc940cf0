// Every bound of the core, with its unit and where it comes from. Nothing that a peer or client sends makes memory grow past
// what follows from these and from the genesis parameters.

import type { Parameters } from '../../keys/genesis/index.ts'

/** The genesis parameters. */
export type ProtocolParameters = Parameters
export type { Rotation } from '../../keys/genesis/index.ts'

/**
 * L: slots above the stable checkpoint that anything is kept for. A checkpoint needs K slots; while its votes are on their way
 * the leader may go on for a window. A ViewChange carries at most so many certificates.
 */
export function logWindow(parameters: ProtocolParameters): number {
  return parameters.checkpointInterval + parameters.window
}

/** Checkpoint boundaries that a peer's notes are kept for: those of the log window, and two for seeing that we lag. */
export function checkpointsPerPeer(parameters: ProtocolParameters): number {
  return Math.ceil(logWindow(parameters) / parameters.checkpointInterval) + 2
}

/**
 * Requests that a replica keeps for one client beyond those in entries: as many as the machine's session window tells apart, since
 * with more under way the oldest could expire before they are executed.
 */
export const PENDING_PER_CLIENT = 1024
/** Requests that a replica keeps in all, in windows of full batches. */
export const PENDING_REQUESTS = 65_536
/** Of these, so many that came through any one peer: a liar's inventions leave room for everybody else's. */
export const PENDING_PER_PEER = 8192
/** Messages of later views kept per signer until the view begins; enough for one window of three messages a slot. */
export const AHEAD_PER_PEER = 256
/** Bytes of commands in them; a proposal that does not fit is sent again by its leader. */
export const AHEAD_BYTES_PER_PEER = 4 * 1024 * 1024
/** Different bodies kept for one slot: of what was prepared, chosen and proposed, and of proposals of earlier views. */
export const BODIES_PER_SLOT = 8
/** Entries in one answer to a fetch. */
export const FETCH_ENTRIES = 64
/** Bytes of requests in one answer to a fetch; at least one entry is sent whatever its size. */
export const FETCH_BYTES = 4 * 1024 * 1024
/** What a request counts for there beside its command: client, number and its part of a bundle's proof. */
export const FETCH_REQUEST_BYTES = 64
/** Digests in one request for bodies. */
export const FETCH_BODIES = 32
/** Proposals and votes sent again in one go. */
export const RESEND_SLOTS = 32
/** Kept proofs of lies, one a replica and kind: a second proof against the same liar adds nothing. */
export const EVIDENCE_PER_REPLICA = 8

/** Slots in flight up to which a leader proposes whatever waits, be it one request. */
export const EAGER_SLOTS = 2
/** Beyond them, so large a part of a batch. */
export const FILLED_SHARE = 1 / 4
/** Of the bytes of a batch, where it is closed: what a slot costs beside its bytes is little by then. */
export const BULK_SHARE = 1 / 2

/** Shares of the base view timeout. */
export const HEARTBEAT_SHARE = 1 / 5
/** After such a share of the time-out of the view without progress, votes and ViewChanges are sent again; of the base, fetches. */
export const RESEND_SHARE = 1 / 4
/** Slots that take longer, or stand still though they were sent again, are so after longer pauses, up to such a share of the base. */
export const SLOW_RESEND_SHARE = 1 / 2
/** Steps of these pauses that are remembered: after a long outage stalls are short again, and must not pay for it for ever. */
export const RESEND_STEPS = 4
/** Weight of the newest decision in how long they take. */
export const DECISION_WEIGHT = 1 / 8
/** A peer not heard from for so long counts as out of reach. */
export const REACH_SHARE = 3 / 5
/** After such a share of the base without a channel to the leader, and without progress, the others are asked whether they lost it too. */
export const GONE_SHARE = 1 / 10
/** Waits, proposals and decisions that a leader's pace is judged by (leader-pace.ts). */
export const PACE_SAMPLES = 16
/** Of what makes a leader hesitant (leader-pace.ts), so much is enough for whoever is asked: all see it, but not all at their most. */
export const HESITANT_ANSWER_SHARE = 2 / 3
/** A request older than so many timeouts was passed over on purpose, though other requests go through. */
export const CENSORSHIP_TIMEOUTS = 6
/** How long a promise to a leader binds (lease.ts): less than a time-out, so that a dead leader is left no later for it. */
export const LEASE_SHARE = 1 / 2
/** Asks of a leader that a promise may still be for: those of two time-outs. */
export const ASKS_KEPT = 10
/** Largest number of doublings of the timeout before the cap is applied. */
export const TIMEOUT_DOUBLINGS = 10
