// Every bound of the SDK, with its unit and where it comes from.

import { SESSION_WINDOW } from '../machine/index.ts'

/** Requests under one signature: eight hashes of proof each, and a signature costs each of them a hundredth of itself. */
export const BUNDLE_REQUESTS = 256
/** Bundles under way up to which whatever waits is signed, be it one request; a leader that proposes two slots without delay finds something to go on with. */
export const EAGER_BUNDLES = 4
/** Beyond them, so many requests; or as many as wait at the next look. */
export const FILLED_BUNDLE = BUNDLE_REQUESTS / 4
/** Bytes of commands under one signature and in one frame; a larger command goes alone. */
export const BUNDLE_BYTES = 512 * 1024
/**
 * Bytes of commands under way; a larger one goes when nothing else is. Half of what replicas let wait of one client, so that what is sent
 * again to all of them finds room too.
 */
export const UNDER_WAY_BYTES = 2 * BUNDLE_BYTES
/** Sequence numbers that are reserved in the state file at once. */
export const SEQUENCE_BLOCK = 256
/** With fewer reserved numbers left the next block is reserved, so that nobody waits for the disk. */
export const SEQUENCE_RESERVE = SEQUENCE_BLOCK / 2
/**
 * Sequence numbers from the lowest request under way to the highest. A crash wastes less than a block and a reserve; with half of
 * the session window for both, whatever was under way can still be asked about when the next process has begun to number.
 */
export const SEQUENCE_SPAN = SESSION_WINDOW / 2
/** Requests that wait for room among those under way; the next one is refused at once. */
export const WAITING_REQUESTS = 65_536
/** Bytes of commands of requests that wait. */
export const WAITING_BYTES = 64 * 1024 * 1024
/** Requests asked about again at once: as many as one session tells apart. */
export const RESUMED_REQUESTS = SESSION_WINDOW

/** Receipts of one replica that wait for others like them: each request under way has one, or two where it was ordered twice. */
export const TALLIES_PER_REPLICA = 2 * SEQUENCE_SPAN
/** Bytes of results in them; 64 of the longest. The oldest go first, and their requests are asked about again. */
export const TALLY_BYTES_PER_REPLICA = 64 * 1024 * 1024
/** Wrong signatures after which a replica's receipts count no longer; an honest replica sends none. */
export const STRIKES = 64

/** Milliseconds from one look at deadlines and retries to the next. */
export const TICK_MS = 25
/** Share of the view timeout after which the leader counts as silent, and everybody is asked: they should know before they complain. */
export const SILENCE_SHARE = 1 / 2
/** Under load silence is longer than this many usual latencies. */
export const SILENCE_LATENCIES = 4
/** Weight of the newest latency in the usual one. */
export const LATENCY_WEIGHT = 1 / 16
/** Each further attempt waits twice as long as the one before, up to so many milliseconds. */
export const RETRY_CAP_MS = 5_000
/** Every wait is longer by up to this share of itself, so that clients do not retry in step. */
export const RETRY_JITTER = 0.25
/** Milliseconds until an outcome counts as unknown, unless the caller says otherwise. */
export const CALL_TIMEOUT_MS = 30_000

/**
 * One bundle in so many goes to every replica and not to the leader alone. From these the others see how long the leader takes; one
 * that is always just not late enough would otherwise be the only one to know (pitfall P48).
 */
export const WITNESSED_EVERY = 8
/** Of a client with all requests to itself, the first one after such a share of the view time-out too; of others the later, the smaller their part. */
export const WITNESS_PAUSE_SHARE = 1 / 4
/** Weight of the newest slot in what part that is. */
export const WITNESSING_WEIGHT = 1 / 8

/** Questions for reads from a quorum under way at once, each of up to 256 reads and {@link BUNDLE_BYTES}; other reads wait and join the next. */
export const QUORUM_QUESTIONS = 32
/**
 * Share of the view time-out after which a read that q replicas have not answered alike goes through the log: as long as a silent
 * leader is waited for. A liar can make a read so much slower than an ordered one, and no more.
 */
export const READ_PATIENCE_SHARE = 1 / 2
/** Share of the caller's own deadline that is left to the quorum at most; the log has the rest. */
export const READ_DEADLINE_SHARE = 1 / 2
/** Share of the view time-out that one replica is waited for, before another one is asked to prove a value. */
export const STALE_PATIENCE_SHARE = 1

/** Attempts at a request without an outcome after which the members may be others: the first goes to a leader who may be silent. */
export const FOLLOW_ATTEMPTS = 1
/**
 * Milliseconds from the end of one round of asking for the chain of epochs to the next, at first; doubled up to the second by rounds
 * that bring nothing new, since what begins them may be a liar's word, or silence that has other reasons.
 */
export const FOLLOW_PAUSE_MS: readonly [least: number, most: number] = [500, 15_000]
/** Milliseconds that the chain of one replica is waited for. */
export const FOLLOW_ANSWER_MS = 3_000
/** Milliseconds that the others are waited for once one has shown a hand-over: whether they show another one. */
export const FOLLOW_GRACE_MS = 250
/** Milliseconds for which a replica is not asked that showed a hand-over that is none. */
export const FOLLOW_REST_MS = 60_000

/** Milliseconds that the addresses of the members are waited for, from one of them. */
export const ADDRESS_ANSWER_MS = 3_000
/** Milliseconds from one look at the addresses to the next, while those of a new epoch are to be learnt. */
export const ADDRESS_RETRY_MS = 500
/** The same while somebody cannot be reached, who may be elsewhere. */
export const ADDRESS_PAUSE_MS = 5_000
/** Bytes of the file in which a client keeps the chain of epochs: some thousand hand-overs of a dozen members. */
export const CLUSTER_FILE_BYTES = 64 * 1024 * 1024

/** Questions to replicas under way at once. */
export const QUESTIONS = 256
/** Of these, those that ask for proofs of keys, each of up to 16; other such reads wait and join the next. */
export const STALE_QUESTIONS = QUESTIONS / 8
/** Bytes that the answers to one question may come to. */
export const ANSWER_BYTES = 256 * 1024 * 1024
/** Slots asked for at once from an archive: a replica drops what does not fit its queue, and a page must fit. */
export const ARCHIVE_PAGE_SLOTS = 64
/** Attempts at a page of an archive, each half as long as the one before. */
export const ARCHIVE_ATTEMPTS = 5

/** Milliseconds that a process waits for others that reserve numbers in a shared state file: they hold it for a sync each. */
export const STATE_LOCK_WAIT_MS = 60_000
/**
 * Milliseconds between two looks at a lock that somebody else holds, at first; doubled up to the second, which is not much more:
 * who came first should not look less often than who comes last.
 */
export const STATE_LOCK_POLL_MS: readonly [least: number, most: number] = [4, 16]
/**
 * Processes that share a state file and are connected at once; the next ones wait. A replica takes 16 connections of one key, and
 * with more some could each hold a connection that others need, too few for any of them.
 */
export const STATE_SEATS = 12
/** Milliseconds that a process waits for a seat. */
export const STATE_SEAT_WAIT_MS = 120_000
/** Milliseconds between two looks at all seats. */
export const STATE_SEAT_POLL_MS: readonly [least: number, most: number] = [20, 250]

/** Watches that one client has open; a replica takes 2,048 of one key, in all its processes. */
export const WATCHES = 2_000
/** Bytes of events that wait for the reader of one watch, and as many again with each replica that is listened to. */
export const WATCH_WINDOW_BYTES = 256 * 1024
/** Share of the window that is given back at once. */
export const WATCH_CREDIT_SHARE = 1 / 4
/** Milliseconds from one look at the replicas behind the watches to the next. */
export const WATCH_LOOK_MS = 250
/**
 * Milliseconds that a replica may be behind others before another one is asked too. It says how far it has come twice a second; a
 * change of the view, or a snapshot that it fetches, may take it longer.
 */
export const WATCH_STALL_MS = 3_000
/** Milliseconds until one that stalled, or had no room, is tried again. */
export const WATCH_REST_MS = 10_000
/** Milliseconds that a watch goes on looking for t replicas that still have what it needs, when some have it no more. */
export const WATCH_STRANDED_MS = 10_000
/** Replicas that a watch names as given up; the oldest are forgotten. */
export const WATCH_DROPPED = 64
/** Keys whose versions a watch of a single replica remembers. */
export const WITNESSED_KEYS = 65_536
/** Certificates that were checked and are remembered, for watches of one client that see the same slots. */
export const CHECKED_CERTIFICATES = 1_024
/** Milliseconds until a replica that had no more of its log to tell is asked again. */
export const LOG_POLL_MS = 200
/** Milliseconds that an answer about a log is waited for at least, however young it must be. */
export const LOG_ANSWER_MS = 1_000
/** Looks at something of an epoch that is not known here, until it counts as made up: several rounds of asking for the chain. */
export const FOLLOW_LOOKS = 150
/** Looks at a slot that is missing in the middle of a log, until it counts as left out: its disk may stand still meanwhile. */
export const LOG_GAP_LOOKS = 25
/** Looks at one that the replica says it keeps no longer, until that is believed. */
export const LOG_CUT_LOOKS = 3
/** States from which a watch is begun that has told nothing yet, until it counts as too slow for its replica. */
export const LOG_BEGINS = 4
/** Keys changed after which the state's root is brought up to date while a log is executed here. */
export const COMMIT_KEYS = 2_048
/** Milliseconds until replicas are asked again how far they are, when too few answered. */
export const WATCH_START_MS = 1_000
/** Share of a lease's time to live after which it is kept alive again: two keep-alives may fail before the third comes too late. */
export const KEEP_ALIVE_SHARE = 1 / 3
/** Share of it until the next attempt after one that failed. */
export const KEEP_ALIVE_RETRY_SHARE = 1 / 20
/** Milliseconds that the holder of a lock may count on after a keep-alive, unless it says otherwise. */
export const TAKE_TTL_MS = 10_000
/** Milliseconds for giving a lock back; then it is left to end by itself. */
export const GIVE_BACK_MS = 5_000
/** Milliseconds between two looks at a key that has to go, at first; doubled up to the second. */
export const GONE_POLL_MS: readonly [least: number, most: number] = [50, 1000]
/** Milliseconds between two looks at who leads. */
export const OBSERVE_POLL_MS = 500
