// Every bound of the shell, with its unit and where it comes from. What the network may queue is bounded in net/, what the
// core keeps in src/consensus; between the two, nothing grows past what stands here.

import { MAX_REPLICAS } from '../../crypto/index.ts'
import { AHEAD_BYTES_PER_PEER, AHEAD_PER_PEER, EVIDENCE_PER_REPLICA } from '../consensus/index.ts'

const KIB = 1024
const MIB = 1024 * KIB

/** Ticks a base view time-out: fine enough for its shortest share, an eighth of it (fetching bodies), to be told apart. */
export const TICKS_PER_TIMEOUT = 20
/** Milliseconds between two ticks at least, whatever the time-out: more would cost more than they tell. */
export const LEAST_TICK_MS = 2

/** Milliseconds that a turn spends on frames of peers, and then on those of clients, before it lets others have a go. */
export const INBOUND_SLICE_MS = 8
/** Milliseconds that a turn goes on executing; at least one entry is executed. Votes wait so long at most. */
export const EXECUTE_SLICE_MS = 8

/**
 * Bytes of frames of one peer that wait to be looked at: a window of 32 batches of half a MiB, and an answer to a fetch. What does
 * not fit is dropped; the protocol sends again what matters.
 */
export const PEER_QUEUE_BYTES = 24 * MIB
/** Bytes of frames of one client link that wait; two bundles of the most that a session window holds at 1 KiB each. */
export const CLIENT_QUEUE_BYTES = 2 * MIB
/** Bytes of frames of all clients together that wait. */
export const CLIENT_QUEUES_BYTES = 128 * MIB
/** Bytes of frames of one peer on the transfer channel that wait: one chunk is on its way at a time, and asks are small. */
export const TRANSFER_QUEUE_BYTES = 4 * MIB

/**
 * What a source may cost, in signature checks (0.07 to 0.14 ms each): so many a second, and so many at once after a pause. A peer
 * that uses all of it takes half of one core and no more; an honest leader whose every request comes in a bundle of its own
 * needs that. A ViewChange or NewView of a full window of 160 slots costs some 500 or 1,500 once.
 */
export const PEER_CHECKS_PER_SECOND = 4_000
export const PEER_CHECKS_BURST = 8_000
/** A client signs one bundle a turn; one that signs each request alone still gets 1,000 a second. */
export const CLIENT_CHECKS_PER_SECOND = 1_000
export const CLIENT_CHECKS_BURST = 2_000
/** What a frame costs beside its checks: decoding it. */
export const FRAME_COST = 1 / 16
/** Bytes whose decoding and hashing cost as much as one check. */
export const BYTES_PER_CHECK = 16 * KIB
/** Times that checks count where the frame proved to be bad: a flood of bad signatures gets an eighth of a peer's share. */
export const BAD_FRAME_FACTOR = 8
/** What an answer to a fetch of entries or bodies, up to 4 MiB of them, costs its asker. */
export const FETCH_COST = 32
/**
 * Milliseconds that a peer's fetches of entries and bodies may take, a second and at once: a sixteenth of a core, in which some twenty thousand
 * requests are served. Who lags asks several peers in turn; and who asks without end costs that much of every replica.
 */
export const FETCH_MS_PER_SECOND = 60
export const FETCH_MS_BURST = 500
/** What a chunk of a snapshot costs its asker: about 2 ms of reading the tree. */
export const CHUNK_COST = 16

/**
 * Good signatures remembered in each of two generations: what is in flight in the log window of seven replicas (160 slots, two votes
 * of seven a slot), four times over. About 450 bytes each.
 */
export const VERIFIED_SIGNATURES = 8_192
/** Client keys that are no member's or client's of the genesis, remembered as admitted or not; admitting costs 0.7 ms. */
export const ADMITTED_KEYS = 4_096

/** Slots whose results are kept for clients that ask again; later repetitions are answered by the session table. */
export const KEPT_RESULTS = 1_024
/** Bytes of results kept so; the newest slot is kept whatever its size. */
export const KEPT_RESULT_BYTES = 8 * MIB
/** What a result costs beside its record. */
export const RESULT_BYTES = 16
/** Slots whose results keep their tree, which answers ask for at once or hardly ever. */
export const KEPT_TREES = 2
/** Bytes of results in one frame to a client, but for a single longer one. */
export const REPLY_FRAME_BYTES = 512 * KIB

/** Keys changed after which the state root is brought up to date, twice as many at once at the most, so that a checkpoint finds little left to hash. */
export const COMMIT_KEYS = 2_048
/** The same where a replica replays its journal, or was behind, so many entries or more, and is still: nobody waits for it, and the fewer times the fewer hashes. */
export const BACKLOG_COMMIT_KEYS = 131_072
export const BACKLOG_ENTRIES = 16

/** Snapshots kept below the newest stable one, for peers that have just learned of it. */
export const KEPT_SNAPSHOTS = 1
/**
 * Snapshots kept beyond that while a peer goes on fetching them, and one more for a client that does: with the newest stable one, at
 * most two above it and two for the writer no more than the machine keeps open.
 */
export const SERVED_SNAPSHOTS = 1
/** View time-outs after a peer's last ask until its snapshot is given up. */
export const SERVE_TIMEOUTS = 8

/**
 * A snapshot is written when the journal since the last one is longer than this, and than a third of that snapshot: writing them costs at
 * most three times what writing the journal does, and a restart replays what this holds, or about as long as reading the snapshot takes.
 */
export const SNAPSHOT_JOURNAL_BYTES = 32 * MIB
export const SNAPSHOT_JOURNAL_SHARE = 1 / 3
/** A snapshot is also written after so many slots: some seconds of replaying, however small they are. */
export const SNAPSHOT_JOURNAL_SLOTS = 16_384

/** Share of the time that a replica spends on a snapshot that it writes; what is ordered meanwhile needs the rest. */
export const SNAPSHOT_SHARE = 1 / 4

/** NewViews kept for audits beside the newest; one is 170 KiB at most with four replicas and default parameters. */
export const AUDIT_NEW_VIEWS = 64
/** Bytes of them. What is under keys the store holds in memory, 128 MiB at most. */
export const AUDIT_NEW_VIEW_BYTES = 32 * MIB

/** Proofs of lies kept on disk and in memory: those that the core reports of each position in one epoch, be there as many as may. */
export const KEPT_EVIDENCE = MAX_REPLICAS * EVIDENCE_PER_REPLICA

/** Bytes of them; a proof may hold a whole NewView. */
export const EVIDENCE_BYTES = 32 * MIB

/** Slots read at a time for an answer: with batches of a MiB, 16 MiB of them and their results. */
export const PAGE_SLOTS = 16
/** Bytes of one answer to a client, but for a single longer item. */
export const ANSWER_BYTES = 512 * KIB
/** Questions of one client that are being answered; the next is refused. */
export const QUESTIONS_PER_CLIENT = 4
/** Questions of all clients that are being answered. */
export const QUESTIONS = 32
/** Milliseconds after which an answer is tried again that the link's queue had no room for, and until it is given up. */
export const ANSWER_RETRY_MS = 20
export const ANSWER_PATIENCE_MS = 30_000

/** Milliseconds that a turn spends on reads of the state. */
export const READ_SLICE_MS = 8
/** Milliseconds that one client's reads take before those of another have a go; one command, up to 50 ms, is always whole. */
export const READ_STEP_MS = 1
/**
 * Milliseconds of reading that one client may cost a second, and at once after a pause: 15,000 small reads a second and more, and
 * never all of a core.
 */
export const READ_MS_PER_SECOND = 400
export const READ_MS_BURST = 400
/** Questions of all clients for reads that wait until the replica has executed what it helped to decide. */
export const WAITING_READS = 4_096
/** Of one client; it has 32 under way, or 64 where it has just connected again. */
export const WAITING_READS_PER_CLIENT = 64
/** Bytes of commands of one client's reads that wait, and of all clients'; as for other frames. */
export const READ_QUEUE_BYTES = CLIENT_QUEUE_BYTES
export const READ_QUEUES_BYTES = CLIENT_QUEUES_BYTES
/** View time-outs after which nobody waits for a read any more: a client has long gone through the log by then. */
export const READ_TIMEOUTS = 1
/**
 * Slots whose changes are kept for watches, and bytes of them: a watcher that was away for minutes goes on where it was. A slot
 * counts with its entry, which nothing else may keep any more.
 */
export const CHANGE_LOG_SLOTS = 65_536
export const CHANGE_LOG_BYTES = 32 * MIB
/** Bytes and changes of one slot that are kept; more of them might not fit a frame. */
export const CHANGED_SLOT_BYTES = 48 * MIB
export const CHANGED_SLOT_CHANGES = 131_072
/** Watches of one client key, in all its processes: a thousand, and room for those that are opened anew. */
export const WATCHES_PER_CLIENT = 2_048
/** Watches of all clients: some 500 bytes each, and their keys. */
export const WATCHES = 32_768
/** Credit of one watch; more is never needed. */
export const WATCH_CREDIT_MOST = 64 * MIB
/** Cost of what one watch is told at a time, but for a single slot that costs more; then others have a go. */
export const WATCH_BATCH_COST = 128 * KIB
/** Cost and updates of one frame of news, likewise. */
export const WATCH_FRAME_COST = 512 * KIB
export const WATCH_FRAME_UPDATES = 4_096
/** Milliseconds that a turn spends on watches that catch up. */
export const WATCH_SLICE_MS = 4
/** Milliseconds between two words to a watch that nothing happens for. */
export const WATCH_PROGRESS_MS = 500
/** What a client's frame about watches costs, in signature checks: less than any request. */
export const WATCH_CHECKS = 1 / 16

/** Milliseconds that a replica that must stop waits for its disk and network, which may be what is broken. */
export const CLOSE_PATIENCE_MS = 2_000

/** Frames of the next epoch that one peer may have waiting, and bytes of them; as of later views of the same epoch. */
export const NEXT_FRAMES_PER_PEER = AHEAD_PER_PEER
export const NEXT_FRAMES_BYTES = AHEAD_BYTES_PER_PEER
/** Peers that anything is remembered of beside the epochs' own tables: all of two rosters. */
export const PACED_PEERS = 2 * MAX_REPLICAS
/** Base view time-outs between two times that one peer is shown, or asked for, how an epoch ended. */
export const CHAIN_GAP_SHARE = 1 / 4
/** Bytes of charters in one frame of hand-overs, but for a single longer one: a former member is told no more than a MiB in all. */
export const CHAIN_BYTES = 512 * KIB
/** Base view time-outs after which a replica that starts again asks those once more who have not said what they hold of it. */
export const START_ASK_SHARE = 1 / 3
/** Base view time-outs between two times that one peer is told what is held of it; less than it takes to ask again. */
export const START_ANSWER_SHARE = 1 / 4
/** Base view time-outs for which a replica that starts again waits to be told. */
export const START_TIMEOUTS = 1
/** Base view time-outs without a slot executed after which an epoch that is known to be over is left at once. */
export const STUCK_TIMEOUTS = 8

/** Longest time-outs for which a removed replica waits to hear that the others have gone on: each of these is time to choose a leader. */
export const LINGER_TIMEOUTS = 20

/** Alarms that a status names, the newest. A status holds no more. */
export const ALARMS = 64

/** Bounds that tests make smaller. */
export interface ShellLimits {
  readonly snapshotBytes: number
  readonly snapshotSlots: number
  readonly changeBytes: number
  readonly changeSlots: number
}

export const SHELL_LIMITS: ShellLimits = Object.freeze({
  snapshotBytes: SNAPSHOT_JOURNAL_BYTES,
  snapshotSlots: SNAPSHOT_JOURNAL_SLOTS,
  changeBytes: CHANGE_LOG_BYTES,
  changeSlots: CHANGE_LOG_SLOTS,
})
