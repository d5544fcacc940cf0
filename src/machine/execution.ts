// What execution takes and gives: agreed entries, their results, and the state after them.

import type { BatchTree, Digest, MemberId, SignatureVerifier } from '../../crypto/index.ts'
import type { Charter, Succession } from '../../keys/charter/index.ts'
import type { Hash, MapSnapshot } from './authenticated-map/index.ts'
import type { Client, Role } from './clients.ts'
import type { Founding } from './membership/index.ts'
import type { Outcome } from './result-record.ts'
import type { StateMachine } from './state-machine.ts'
import type { StateChange } from './transaction.ts'

/** An agreed request; what consensus calls a signed request is one. */
export interface ExecutableRequest {
  readonly request: {
    /** Ed25519 public key, 32 bytes; its signature was checked before the entry was voted for. */
    readonly client: Uint8Array
    /** From 1, chosen by the client. */
    readonly sequence: number
    readonly command: Uint8Array
  }
  /** The request's identity, a hash of all of the above, computed from them and not taken from anybody. */
  readonly id: Digest
}

export interface ExecutableEntry {
  readonly slot: number
  readonly timestampMs: number
  readonly requests: readonly ExecutableRequest[]
}

export interface EntryResults {
  readonly slot: number
  /** One encoded result record a request, in their order. */
  readonly records: readonly Uint8Array[]
  /** The records' tree, for their inclusion proofs. */
  readonly tree: BatchTree
  /** RFC 6962 root over the records: what the receipts of the slot sign. */
  readonly root: Digest
  /** What the machine wrote, in order; empty unless {@link ExecutorOptions.track} asks for it. */
  readonly changes: readonly StateChange[]
}

export interface ReadResult {
  readonly outcome: Outcome
  readonly result: Uint8Array
}

/** The state after one slot; see {@link MapSnapshot}. */
export interface StateSnapshot extends MapSnapshot {
  readonly slot: number
}

export interface Executor {
  /** The slot executed last; 0 before the first. */
  readonly slot: number
  /** The agreed time of the last entry, in milliseconds. */
  readonly timestampMs: number
  /**
   * Executes the entry of the next slot. The time never goes back: an earlier timestamp counts as the last one.
   * @throws {RangeError} for any other slot, and for a request that no replica may have voted for.
   */
  execute(entry: ExecutableEntry): EntryResults
  /** What `command` answers to `client` in the state after {@link slot}. Changes nothing: a command that writes is `forbidden`. */
  read(command: Uint8Array, client: Uint8Array): ReadResult
  /** The agreed time from which on an entry would change something by itself; undefined where nothing waits. */
  due(): number | undefined
  /** What the next {@link stateRoot} costs, in keys. */
  readonly uncommitted: number
  /** The root of the state after {@link slot}: equal on all replicas. Costs in proportion to what changed since. */
  stateRoot(): Digest
  /** Does a part of that work: for at most `limit` keys. */
  prepareRoot(limit: number): void
  /** The state after {@link slot}, kept readable while execution goes on; close it. */
  snapshot(): StateSnapshot
  /** The charter in office; undefined where the executor is of no cluster. */
  charter(): Charter | undefined
  /** The end of the epoch: from the change on that ends it, up to its last slot. A function of the state after {@link slot}. */
  succession(): Succession | undefined
  /** Where a member is dialled, at this point of the log; empty for who is none. */
  addressesOf(member: MemberId): readonly string[]
  /** The role of a client at this point of the log. */
  roleOf(client: Uint8Array): Role | undefined
}

export interface ExecutorOptions {
  readonly machine: StateMachine
  /** SHA-256 by other means; it must give the same bytes. */
  readonly hash?: Hash
  /** Whether {@link EntryResults.changes} is filled. */
  readonly track?: boolean
  /** Checks what new members and clients signed; all give the same answers, the default slowly. */
  readonly verifier?: SignatureVerifier
}

/** What of a genesis the state begins with. */
export interface StateGenesis {
  readonly clients: readonly Client[]
  /** Left out, the executor is of no cluster: it has no members, and commands of the system are `forbidden`. */
  readonly cluster?: Founding | undefined
}
