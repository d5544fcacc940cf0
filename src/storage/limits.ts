// Every bound of the store, with its unit and where it comes from.

const KIB = 1024
const MIB = 1024 * KIB

/** Bytes of one record: twice the largest batch that a genesis may allow, and a NewView of 100 members. */
export const MAX_RECORD_BYTES = 64 * MIB
/** UTF-8 bytes of a record's key; one byte holds the length, and a head with its key fits into a sector. */
export const MAX_KEY_BYTES = 64
/** Keys of records about no slot: proofs of lies are the most, 8 for each of 100 replicas; the rest are a handful. */
export const MAX_KEYS = 1024
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
