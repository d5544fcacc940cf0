// Every bound of the commands of the system. All of them are part of the state's meaning, like those of ../limits.ts.

import { MAX_ADDRESSES } from '../../../keys/genesis/index.ts'

/** Of one member. */
export const MAX_MEMBER_ADDRESSES = MAX_ADDRESSES
/** The longest that `addressFault` lets pass. */
export const MAX_ADDRESS_BYTES = 300
/** A client's name is a DNS label. */
export const MAX_NAME_BYTES = 63
/** The note of a stable checkpoint: five lines of text, and one of about 220 bytes for each of at most 67 signers. */
export const MAX_HELD_BYTES = 32 * 1024
/** Proposals that wait for admins. */
export const MAX_PROPOSALS = 16
/** Checkpoint intervals by which the state that a new member holds may lie back: the log of so many is kept for it. */
export const MAX_JOIN_INTERVALS = 16
/** Bytes of one command: a proposal keeps it in one value of the state. */
export const MAX_SYSTEM_COMMAND_BYTES = 256 * 1024
