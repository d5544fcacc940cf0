// Every bound of the store, with its unit and where it comes from.

const KIB = 1024
const MIB = 1024 * KIB

/** Bytes of one record: twice the largest batch that a genesis may allow, and a NewView of 100 members. */
export const MAX_RECORD_BYTES = 64 * MIB
/** UTF-8 bytes of a record's key; one byte holds the length, and a head with its key fits into a sector. */
export const MAX_KEY_BYTES = 64
/** Keys of records about no slot: a hand-over for each of 4,096 epochs, 8 proofs of lies for each of 100 replicas, and a handful. */
export const MAX_KEYS = 8192
/** Bytes of the newest records of all keys. They are held in memory, and written again at the head of each segment. */
export const MAX_KEYED_BYTES = 128 * MIB
/** Bytes of one append: some records of the largest size. */
export const MAX_APPEND_BYTES = 128 * MIB
/** Bytes that may wait for the disk. What is in flight of the protocol is bounded by its window; far more means a dead disk. */
export const MAX_PENDING_BYTES = 512 * MIB

/** Bytes of the chunks of a snapshot: the machine's are below 1 MiB. */
export const MAX_SNAPSHOT_CHUNK_BYTES = 16 * MIB
/** Bytes of what stands beside a snapshot's chunks: a frontier, a checkpoint. */
export const MAX_SNAPSHOT_META_BYTES = 1 * MIB

/**
 * Bytes that a disk writes whole or not at all; a write of the log begins and ends at their borders, so that a torn write can be
 * told from a damaged one. Disks with larger sectors write several of these as one.
 */
export const SECTOR_BYTES = 512
/** Bytes of a sector that say something; the last byte only says that the sector was written. */
export const SECTOR_PAYLOAD_BYTES = SECTOR_BYTES - 1
/** A segment is closed at the first write that finds it so long; what is cut off goes in units of a segment. */
export const SEGMENT_BYTES = 16 * MIB
/**
 * Zeros written ahead of the log in one go, so that most syncs change neither the size nor the blocks of the file: that
 * saves a third of a sync. Costs as many bytes written again, and at most so many on disk.
 */
export const ZERO_AHEAD_BYTES = 256 * KIB
/** Bytes of appends written and synced as one; more that waits makes the next write. */
export const MAX_GROUP_BYTES = 16 * MIB
/** Bytes of a segment that one entry of the index in memory stands for, and that a read takes from the disk at a time. */
export const BLOCK_BYTES = 256 * KIB

/** Bytes of a snapshot handed to the system at once. */
export const SNAPSHOT_WRITE_BYTES = 256 * KIB
/** Bytes of a snapshot between two syncs: a vote that waits for the disk meanwhile waits for no more than so many. */
export const SNAPSHOT_SYNC_BYTES = 4 * MIB
/** Whole snapshots that are kept: one to fall back on where the newest is damaged. */
export const KEPT_SNAPSHOTS = 2

/**
 * Milliseconds that a taker of the lock tries again. SQLite takes it in steps: shared, reserved, exclusive. Of two who come at once, one
 * may hold the second step while the other still holds the first; were both refused for that, nobody would have the folder. The holder
 * of the first step gives it back as soon as it runs again, so this need only be longer than a busy machine lets a process wait.
 */
export const LOCK_PATIENCE_MS = 1_000
