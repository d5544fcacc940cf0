// Bounds of the key-value machine, beside those of all machines (../limits.ts).

/** Bytes of a user's key; at least one. */
export const MAX_KV_KEY_BYTES = 1024
/** Bytes of a user's value. */
export const MAX_KV_VALUE_BYTES = 256 * 1024
/** Comparisons of one transaction. */
export const MAX_TXN_COMPARES = 128
/** Operations in each branch of one transaction. */
export const MAX_TXN_OPERATIONS = 128
