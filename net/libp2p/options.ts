// What it takes to make an end over libp2p.

import type { Digest, ReplicaIndex } from '../../crypto/index.ts'
import type { NetError } from '../errors.ts'
import type { NetLimits } from '../limits.ts'
import type { RosterEntry } from '../transport.ts'

/** Something that a person may want to know about; never needed to go on. */
export interface NetNotice {
  readonly kind: 'dial-failed'
  readonly replica: ReplicaIndex
  readonly address: string
  /** Failures in a row, from 1. */
  readonly attempt: number
  /** Milliseconds until the next attempt. */
  readonly retryMs: number
  readonly error: NetError
}

interface CommonOptions {
  readonly clusterId: Digest
  /** The first one; `update` tells of others. */
  readonly roster: readonly RosterEntry[]
  /** 32 bytes: the Ed25519 secret that makes the identity on the channel. */
  readonly seed: Uint8Array
  /** Where somebody is dialled, asked before each attempt; the addresses of the entry unless told. */
  readonly addresses?: (entry: RosterEntry) => readonly string[]
  readonly limits?: Partial<NetLimits>
  readonly onNotice?: (notice: NetNotice) => void
  /** From 0 up to 1, for the jitter of back-offs; from the system unless told. */
  readonly random?: () => number
}

export interface ReplicaTransportOptions extends CommonOptions {
  /** Whose end it is: a position of the first roster. */
  readonly self: ReplicaIndex
  /** Multiaddrs to listen on in place of those of the first roster; port 0 for any. */
  readonly listen?: readonly string[]
}

export interface ClientTransportOptions extends CommonOptions {}
