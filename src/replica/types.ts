// What it takes to run a replica, and what it offers to whoever runs it.

import type { Genesis, ReplicaKeys } from '../../keys/index.ts'
import type { ReplicaTransport } from '../../net/index.ts'
import type { ParsedBehaviour } from '../byzantine/index.ts'
import type { StateMachine } from '../machine/index.ts'
import type { Durability } from '../storage/index.ts'
import type { ReplicaStatus } from '../wire/index.ts'
import type { Retired } from './retirement.ts'

/** Structured logs; pino fits. */
export interface Log {
  debug(facts: object, text: string): void
  info(facts: object, text: string): void
  warn(facts: object, text: string): void
  error(facts: object, text: string): void
}

export interface ReplicaOptions {
  readonly genesis: Genesis
  readonly keys: ReplicaKeys
  /** The folder of its store. */
  readonly data: string
  /** The key-value store unless told. */
  readonly machine?: StateMachine
  /** `fsync` unless told. */
  readonly durability?: Durability
  readonly retention?: { readonly slots?: number; readonly bytes?: number }
  /** Lies on purpose. */
  readonly liar?: ParsedBehaviour
  /** Says that a missing store is new, not lost: this key has never voted. */
  readonly create?: boolean
  /** Multiaddrs to listen on in place of those of the genesis. */
  readonly listen?: readonly string[]
  /** Multiaddrs under which to dial single members (by index) in place of those of the genesis: behind a NAT, or a proxy. */
  readonly dial?: Readonly<Record<number, string>>
  /** Loopback port for Prometheus metrics and /healthz; none unless told, 0 for any. */
  readonly metricsPort?: number
  readonly log?: Log
  /** For tests; libp2p otherwise. */
  readonly transport?: ReplicaTransport
  /** Called once where it has stopped by itself since it was removed from the cluster, and nobody needs it any more. */
  readonly onRetired?: (retired: Retired) => void
  /** Called once where it must stop by itself: a failed disk, a broken assertion, a store that proves to be an older copy. */
  readonly onFatal?: (error: Error) => void
}

export interface Replica {
  /**
   * Opens the store, listens and takes part. Resolves when it listens; with a store that was used before it then says nothing of its own
   * until others have told what they hold of its word, or one base view time-out is over. Calling it again is harmless.
   */
  start(options?: { readonly signal?: AbortSignal }): Promise<void>
  /** Takes no more part, waits for the disk, and gives everything back. Calling it again is harmless. */
  stop(): Promise<void>
  status(): ReplicaStatus
  readonly addresses: readonly string[]
  /** Of the metrics server, where there is one. */
  readonly metricsPort: number | undefined
}
