// Every bound of the replicated machine, with its unit. All of them are part of the state's meaning: two replicas with
// different limits give different results, so a change here is a new format version.

/** Bytes of one command. A batch of the log holds at least one. */
export const MAX_COMMAND_BYTES = 1024 * 1024
/** Bytes of one result; above it the command is undone and its outcome is `limit`. */
export const MAX_RESULT_BYTES = 1024 * 1024
/** Bytes of one key of the state, prefixes included. */
export const MAX_KEY_BYTES = 2048
/** Bytes of one value of the state. */
export const MAX_VALUE_BYTES = 512 * 1024

/** Puts and deletes by one command; what bounds the time that one command may hold up all the others. */
export const MAX_WRITES_PER_COMMAND = 10_000
/** Bytes of keys and values put by one command. */
export const MAX_WRITTEN_BYTES_PER_COMMAND = 4 * 1024 * 1024
/** Entries looked at by one command: each get is one, a range or count is one for each entry that it passes. */
export const MAX_READS_PER_COMMAND = 100_000
/** Bytes of keys and values handed to one command. */
export const MAX_READ_BYTES_PER_COMMAND = 8 * 1024 * 1024

/**
 * Sequence numbers, counted down from a client's highest, that are still told apart. A client keeps fewer in flight.
 */
export const SESSION_WINDOW = 1024
/** Sequence numbers whose answers are stored under one key of the state; divides {@link SESSION_WINDOW}. */
export const SESSION_PAGE = 16
/** Bytes of a result that a session keeps; of a longer one it keeps the digest. A client costs 1 MiB at most. */
export const MAX_CACHED_RESULT_BYTES = 1024

/** Bytes of entries and branches after which a snapshot chunk ends: the entry that reaches it is the chunk's last. */
export const CHUNK_BYTES = 256 * 1024
/**
 * Bytes of one encoded chunk: {@link CHUNK_BYTES}, the entry that reaches it, and the hashes on the way to both ends.
 */
export const MAX_CHUNK_BYTES = CHUNK_BYTES + MAX_KEY_BYTES + MAX_VALUE_BYTES + 64 * 1024
/** Levels of the state tree: a path is a SHA-256, and each level consumes two of its bits. */
export const MAX_TREE_DEPTH = 128
/** Versions of the state that may be open at once, the checkpoint in use included; each keeps what changed since. */
export const MAX_OPEN_SNAPSHOTS = 8
