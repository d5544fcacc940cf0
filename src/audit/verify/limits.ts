// Every bound of the auditor, with its unit. A bundle comes from anybody: what it may cost in memory follows from these.

/**
 * Bytes of one line. The largest are a request and a result of 1 MiB, which hexadecimal doubles, with proofs and keys of some
 * 10 KiB; and a ViewChange with its prepare certificates: 160 at n = 100 are 1.5 MiB.
 */
export const MAX_LINE_BYTES = 8 * 1024 * 1024
/**
 * Bytes of the lines that are kept together: an entry with its requests, or a NewView with its ViewChanges. A batch of 16 MiB of
 * commands is 32 MiB here, 65,536 requests with their proofs are 70 MiB, a NewView of n = 100 is 100 MiB.
 */
export const MAX_GROUP_BYTES = 128 * 1024 * 1024
/** NewViews and pieces of evidence in one bundle; of each a digest is kept, since none may come twice. */
export const MAX_ACCOUNTS = 65_536
/** Signatures that are checked as one batch by other threads: some 50 ms of OpenSSL's work, and a third of that of prepared keys. */
export const BATCH_SIGNATURES = 512
/** Items in one batch, for entries whose signatures were all checked before. */
export const BATCH_ITEMS = 512
/** Bytes of lines after which a batch is closed whatever it holds. */
export const BATCH_BYTES = 8 * 1024 * 1024
/** Batches under way beside the one that is being read: two keep the other threads busy while one is judged. */
export const BATCHES_UNDER_WAY = 2
/** Signatures already asked for in one batch that a new one is compared with: requests of one bundle share theirs. */
export const RECENT_SIGNATURES = 8
/** Clients' keys whose admission is remembered; admitting one costs as much as ten signatures. */
export const MAX_ADMITTED = 10_000
/** Faults that a summary lists; the others are only counted. */
export const MAX_LISTED_FAULTS = 100
/** NewViews that the search for those who forked the log keeps. */
export const MAX_BLAME_NEW_VIEWS = 4096
/** Conflicts that the search follows up; one is enough to name b + 1 of the guilty. */
export const MAX_CONFLICTS = 16
