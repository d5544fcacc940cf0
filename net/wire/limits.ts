// Every bound of the wire, with its unit and where it comes from. The .proto files name these constants. Numbers that
// follow from the protocol's or the genesis' own bounds are restated, since this folder may import neither;
// test/wire/limits.test.ts holds them together.

import {
  DIGEST_BYTES,
  MAX_PROOF_HASHES,
  MAX_REPLICAS,
  SIGNATURE_BYTES,
  VOTE_STATEMENT_BYTES,
} from '../../crypto/index.ts'

const KIB = 1024
const MIB = 1024 * KIB

/** First byte of every frame and record. */
export const WIRE_VERSION = 1

/** Members of a group. */
export const MAX_MEMBERS = MAX_REPLICAS
/** Bytes of a certificate: its statement, a count (u16), and per member an index (u16) and a signature. */
export const MAX_CERTIFICATE_BYTES = VOTE_STATEMENT_BYTES + 2 + MAX_MEMBERS * (2 + SIGNATURE_BYTES)
/** Bytes of a charter: the bound of its codec. */
export const MAX_CHARTER_BYTES = 64 * KIB
/** Certificates in a ViewChange: the largest checkpoint interval and the largest window of a genesis. */
export const MAX_PREPARED = 65_536 + 1024
/** Requests in one entry or message: the largest `maxBatchRequests` of a genesis. */
export const MAX_REQUESTS = 65_536
/** Requests that a client signs at once; what does not fit a batch could not travel together anyway. */
export const MAX_BUNDLE_REQUESTS = 65_536
/** Bytes of one command: the largest `maxRequestBytes` of a genesis. */
export const MAX_COMMAND_BYTES = 4 * MIB
/**
 * Bytes of the hashes that stand for the absent requests of a bundle; most are needed where every other one is absent.
 */
export const MAX_BUNDLE_HASHES_BYTES = (MAX_BUNDLE_REQUESTS / 2) * DIGEST_BYTES
/** Entries in one answer to a fetch. */
export const MAX_ENTRIES = 64
/** Digests in one request for bodies, and entries in its answer. */
export const MAX_BODIES = 32
/** Bytes of a frontier: its size (8), and a hash for each of at most 53 one bits of a number below 2^53. */
export const MAX_FRONTIER_BYTES = 8 + 53 * DIGEST_BYTES
/** Bytes of an inclusion proof's hashes. */
export const MAX_PATH_BYTES = MAX_PROOF_HASHES * DIGEST_BYTES
/** Bytes of a result record: its head, and the machine's largest result. */
export const MAX_RECORD_BYTES = 82 + MIB
/** Bytes of a snapshot chunk: the machine's bound of 834 KiB, rounded up. */
export const MAX_CHUNK_BYTES = MIB
/** Bytes of the place in the state tree at which a chunk begins. */
export const MAX_CHUNK_PATH_BYTES = DIGEST_BYTES
/**
 * Items of all lists in one frame together: what bounds the memory for a frame of many small things, about 0.7 KB each.
 * A proposal of 65,536 requests in as many bundles has 2 * 65,536; an answer with several entries may have twice that.
 */
export const MAX_FRAME_ITEMS = 5 * MAX_REQUESTS
/** Requests in one frame of a client: what the session window tells apart. */
export const MAX_CLIENT_REQUESTS = 1024
/** Slots, checkpoints, NewViews or proofs of lies in one answer; more come in several. */
export const MAX_ANSWER_ITEMS = 1024
/** Hand-overs in the answers to one question; who is further behind asks again from there. With the longest charters 4.6 MiB. */
export const MAX_LINKS = 64
/** Read-only commands in one question: as many as a client signs at once, so that both ways to read share their frames alike. */
export const MAX_READS = 256
/** Outcomes of a command, the numbers of src/machine/result-record.ts. */
export const MAX_OUTCOMES = 9
/** Bytes of one result: the machine's bound. */
export const MAX_RESULT_BYTES = MIB
/** Keys of the state that one question asks to be proven: with the longest values and proofs 8.2 MiB. */
export const MAX_STATE_KEYS = 16
/** Bytes of one key of the state, and of its value: the machine's bounds. */
export const MAX_STATE_KEY_BYTES = 2048
export const MAX_STATE_VALUE_BYTES = 512 * KIB
/** Bytes of a state proof: the machine's bound, 128 branches with three hashes each, and a leaf. */
export const MAX_STATE_PROOF_BYTES = 1 + 128 * (1 + 3 * DIGEST_BYTES) + 1 + 2 * DIGEST_BYTES
/** Members times kinds of lies in a status, with room for kinds to come. */
export const MAX_LIES = 16 * MAX_MEMBERS
/** Alarms in a status; the sender keeps the newest. */
export const MAX_ALARMS = 64
/** UTF-8 bytes of a text for people; the sender cuts longer ones. */
export const MAX_TEXT_BYTES = KIB
/** Bytes of a key of the machine's, or of a bound of a range of them: the machine's bound on keys. */
export const MAX_WATCH_KEY_BYTES = 2 * KIB
/** Bytes of what a machine stores under a key. */
export const MAX_WATCH_VALUE_BYTES = 512 * KIB
/** News of watches in one frame, and credits: as many as one client may have watches, and then some. */
export const MAX_WATCH_UPDATES = 8192
/** Slots with news in one batch of a watch. */
export const MAX_WATCHED_SLOTS = 8192
/** Changes of one slot that are told; of a slot with more its watches are told that they fell behind. */
export const MAX_WATCHED_CHANGES = 2 * MAX_REQUESTS

/**
 * Bytes of one frame by channel, the version byte included. A longer one is refused by its length prefix, before
 * anything is allocated for it. Each holds the largest message that an honest sender needs:
 * - `consensus`: a proposal of 65,536 requests, each in a bundle of its own of 65,536, is 65,536 * (16 hashes * 32 + at
 *   most 145 for a bundle and 20 for a request) = 42.4 MiB, and 16 MiB of commands. A NewView of 100 members with the
 *   default window and interval is 67 ViewChanges of 160 certificates of 67 signatures: 47.2 MiB. Genesis parameters
 *   under which a NewView could be larger are told by `largestNewViewBytes` in keys/charter.
 * - `transfer`: a chunk, and as much again for the rest.
 * - `client` (to a replica): one request of 4 MiB, or many that together have as many bytes, with their proofs.
 * - `replica` (to a client): an archived slot, which holds as much as a proposal.
 */
export const MAX_FRAME_BYTES = Object.freeze({
  consensus: 64 * MIB,
  transfer: 2 * MIB,
  client: 8 * MIB,
  replica: 64 * MIB,
})
