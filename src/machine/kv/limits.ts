// Bounds of the key-value machine, beside those of all machines (../limits.ts).

/** Bytes of a user's key; at least one. */
export const MAX_KV_KEY_BYTES = 1024
/** Bytes of a user's value. */
export const MAX_KV_VALUE_BYTES = 256 * 1024
/** Comparisons of one transaction. */
export const MAX_TXN_COMPARES = 128
/** Operations in each branch of one transaction. */
export const MAX_TXN_OPERATIONS = 128

/** Milliseconds that a lease may live without being kept alive: shorter ones would end while they are granted. */
export const MIN_LEASE_TTL_MS = 100
/** A month: who wants to keep a key for longer attaches it to nothing. */
export const MAX_LEASE_TTL_MS = 31 * 24 * 3600 * 1000
/**
 * Keys attached to one lease. Its end deletes each with its link, in one command or between two: 2,000 writes of 1,035 bytes, half of
 * what ../limits.ts lets one command write.
 */
export const MAX_KEYS_PER_LEASE = 1000
/** Leases of one client that have not ended. */
export const MAX_LEASES_PER_CLIENT = 10_000
/** Leases that end with one entry, and keys that go with them; the rest ends with the entries after it. */
export const MAX_LEASES_ENDED_PER_ENTRY = 1000
export const MAX_KEYS_ENDED_PER_ENTRY = MAX_KEYS_PER_LEASE
/** Bytes of the name of a lock or an election: with its prefix half of what a key may have. */
export const MAX_LOCK_NAME_BYTES = 512
