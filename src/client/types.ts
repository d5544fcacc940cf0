// What a client of the cluster is. The outcome of a call is always one of: done, with a receipt that anyone can check; refused, and
// then certainly not executed; unknown, only when the caller's own deadline ran out, and then the same request can be asked
// about again.

import type { Certificate, Digest, Epoch, Frontier, PublicKey, ReplicaIndex, Signer, Slot } from '../../crypto/index.ts'
import type { Genesis } from '../../keys/index.ts'
import type { ClientTransport } from '../../net/index.ts'
import type { EpochChain, Pin, SignedRequest, StableCheckpoint } from '../consensus/index.ts'
import type {
  KeyValue,
  KvCommand,
  KvResult,
  RangeResponse,
  StateProof,
  SystemAnswer,
  SystemCommand,
  Transaction,
  TransactionResponse,
} from '../machine/index.ts'
import type { Archive, ReplicaStatus, StatePart } from '../wire/index.ts'
import type { ClientCounter } from './counters.ts'
import type { ClientError } from './errors.ts'
import type { Lease, Leases } from './leases.ts'
import type { Watch, WatchOptions, WatchTarget } from './watch/types.ts'

export interface ConnectOptions {
  readonly genesis: Genesis
  readonly key: Signer
  /** 32 bytes: the client's secret, which is its identity on the channel too. */
  readonly seed: Uint8Array
  /**
   * Where sequence numbers are reserved, so that a client that crashed never uses one twice; made where absent. One process
   * at a time may use it. Without it the client numbers its requests from the clock, and of two that run at once under one key
   * the one that began earlier is told that its requests are `expired`.
   */
  readonly stateFile?: string
  /**
   * Several processes use the state file at once: numbers are reserved one by one, each at the cost of a sync. For processes
   * that ask few things and end, as the command line does; one that keeps a request under way while the others make a
   * thousand finds it `expired`. Twelve are connected at once, and {@link connect} waits for a place.
   */
  readonly shareStateFile?: boolean
  /**
   * Where the chain of epochs and the addresses of the members are remembered, which pins the next client to what this one followed; made
   * at the first change of the members. Any number of processes may share it.
   */
  readonly clusterFile?: string
  /** A hand-over that the chain of epochs must go through: from somebody you trust, where the members may have changed since the genesis. */
  readonly pin?: Pin
  /** Told of what the client cannot decide by itself: two chains of epochs, of which it keeps to the one that it has. */
  readonly onDoubt?: (doubt: ClientError) => void
  readonly signal?: AbortSignal
  /** For tests; libp2p otherwise. */
  readonly transport?: ClientTransport
}

export interface CallOptions {
  readonly signal?: AbortSignal
  /** Milliseconds until the outcome counts as unknown; 30,000 unless told. */
  readonly timeoutMs?: number
}

export interface PutOptions extends CallOptions {
  /** The lease that the key goes with. Without one the key stays until it is deleted, whatever it was attached to before. */
  readonly lease?: Pick<Lease, 'id'>
}

/** What t replicas signed: enough to show anyone that this request had this result. */
export interface Receipt {
  readonly request: SignedRequest
  /** t signatures on the results root of the slot. */
  readonly certificate: Certificate
  /** The result record, its place, and its inclusion proof under the certificate's digest. */
  readonly record: Uint8Array
  readonly index: number
  readonly count: number
  readonly path: readonly Digest[]
}

export interface Done<Value> {
  readonly value: Value
  /** Where the request was executed. */
  readonly slot: number
  readonly receipt: Receipt
}

/** How to read; docs/reads.md says which is for what. `stale` takes the greatest age that will do, in milliseconds. */
export type ReadMode = 'ordered' | 'quorum' | 'lease' | 'stale' | { readonly mode: 'stale'; readonly maxAgeMs: number }

export interface ReadOptions extends CallOptions {
  /** `ordered` unless told. */
  readonly read?: ReadMode
}

export interface OrderedOptions extends CallOptions {
  readonly read?: 'ordered'
}

export interface OrderedEvidence {
  readonly mode: 'ordered'
  readonly receipt: Receipt
}

/** What q replicas said alike; it convinces whoever asked, and nobody else. */
export interface QuorumEvidence {
  readonly mode: 'quorum'
  /** Of which all of them are, and whose positions these are. */
  readonly epoch: Epoch
  readonly replicas: readonly ReplicaIndex[]
  /** The slot that each of them had executed by its own account, in the same order. */
  readonly slots: readonly number[]
}

/** What the leader said alone, in crash mode, where nobody lies. */
export interface LeaseEvidence {
  readonly mode: 'lease'
  readonly epoch: Epoch
  readonly replica: ReplicaIndex
}

/** What one replica proved; anyone who has the genesis can check it. */
export interface StaleEvidence {
  readonly mode: 'stale'
  readonly replica: ReplicaIndex
  /** q signatures on the log and the state after its slot. */
  readonly checkpoint: StableCheckpoint
  readonly frontier: Frontier
  /** The agreed time of the checkpoint. */
  readonly timestampMs: number
  /** How old it was by this machine's clock when the answer came. */
  readonly ageMs: number
  readonly proof: StateProof
}

/** An answer, the slot after which it was true, and why to believe it. */
export interface ReadOf<Value, Evidence> {
  readonly value: Value
  readonly slot: number
  readonly evidence: Evidence
}

export type OrderedRead<Value> = Done<Value> & ReadOf<Value, OrderedEvidence>
/** `quorum` and `lease` may be answered by the log: `evidence.mode` tells. */
export type Read<Value> = OrderedRead<Value> | ReadOf<Value, QuorumEvidence | LeaseEvidence | StaleEvidence>

/** Entries from `start` on and before `end` (to the last key without it), or those whose keys begin with `prefix`. */
export type RangeQuery = (
  | { readonly prefix: string | Uint8Array }
  | { readonly start: string | Uint8Array; readonly end?: string | Uint8Array }
) & {
  /** Entries at most; 0 or absent for no limit but that of the result, 1 MiB. */
  readonly limit?: number
  readonly keysOnly?: boolean
  readonly countOnly?: boolean
}

export interface FollowOptions extends CallOptions {
  /** The number of an epoch. */
  readonly until?: number | undefined
}

/** The cluster as seen by one client. Calls of one turn of the event loop leave as one bundle under one signature. */
export interface Client {
  readonly publicKey: PublicKey
  /** That of the cluster. */
  readonly genesis: Genesis
  /** The epochs as far as they were followed: the last one says who the members are, and at which positions. */
  readonly chain: EpochChain
  /**
   * Asks replicas for the epochs, goes over to what they show, and gives it; with `until` once that epoch has begun.
   * @throws {ClientError} where too few answer, or it does not begin, in time.
   */
  follow(options?: FollowOptions): Promise<EpochChain>
  readonly leases: Leases
  /**
   * The raw call: any machine's command; resolves with the machine's result.
   * @throws {Refused} @throws {OutcomeUnknown} @throws {ResultForgotten} and these are all, here and below.
   */
  submit(command: Uint8Array, options?: CallOptions): Promise<Done<Uint8Array>>
  /**
   * Asks again about a request whose outcome was unknown; executed at most once, whoever asks how often. The cluster knows the
   * answer as long as no more than 1,023 higher numbers were used. Whoever asks while that request is being asked about
   * already shares the first one's outcome.
   */
  resume(request: SignedRequest, options?: CallOptions): Promise<Done<Uint8Array>>
  /** A command of the system: who is a client, and with which role. What is refused has its code in {@link Refused.detail}. */
  system(command: SystemCommand, options?: CallOptions): Promise<Done<SystemAnswer>>
  kv(command: KvCommand, options?: CallOptions): Promise<Done<KvResult>>
  put(key: string | Uint8Array, value: string | Uint8Array, options?: PutOptions): Promise<Done<{ revision: number }>>
  get(key: string | Uint8Array, options?: OrderedOptions): Promise<OrderedRead<KeyValue | undefined>>
  get(key: string | Uint8Array, options: ReadOptions): Promise<Read<KeyValue | undefined>>
  delete(key: string | Uint8Array, options?: CallOptions): Promise<Done<{ deleted: boolean }>>
  range(query: RangeQuery, options?: OrderedOptions): Promise<OrderedRead<RangeResponse>>
  /** Not `stale`: single keys are proven, not that none is missing. */
  range(query: RangeQuery, options: ReadOptions): Promise<Read<RangeResponse>>
  /** Any machine's command that only reads, answered by a quorum, or by the log where that does not agree in time. */
  read(command: Uint8Array, options?: CallOptions): Promise<Read<Uint8Array>>
  txn(transaction: Omit<Transaction, 'kind'>, options?: CallOptions): Promise<Done<TransactionResponse>>
  /**
   * The events of some keys from a slot on, as t replicas tell them; see docs/watches.md.
   * @throws {RangeError} for a slot or replica that there cannot be. @throws {WatchEnded} where too many are open.
   */
  watch(target: WatchTarget, options?: WatchOptions): Watch
  /** One replica's own account. @throws {ClientError} where it does not answer. */
  status(replica: ReplicaIndex, options?: CallOptions): Promise<ReplicaStatus>
  /** A chunk of the newest agreed state up to slot `atMost` that one replica has; undefined where it has none. Nothing in it is verified. */
  state(
    replica: ReplicaIndex,
    question: { readonly atMost: Slot; readonly path: Uint8Array },
    options?: CallOptions,
  ): Promise<StatePart | undefined>
  /** What one replica keeps for auditors. */
  archive(replica: ReplicaIndex): Archive
  connected(): readonly ReplicaIndex[]
  /** What was dropped or done again, by what it was. */
  counters(): Readonly<Partial<Record<ClientCounter, number>>>
  /** Ends every call that is under way as unknown, and gives everything back. Calling it again is harmless. */
  close(): Promise<void>
}

/**
 * The request was not executed and will not be: t replicas said no, or it is an agreed result, or the request never left this process.
 */
export class Refused extends Error {
  override readonly name = 'Refused'
  /**
   * The outcome of the result record (`refused`, `failed`, `limit`, `forbidden`, `conflict`, `unknown-client`), a refusal code of
   * the door, or our own: `too-large`, `unreachable`, `queue-full`, `not-sent`; of a stale read `too-old`, `no-checkpoint`,
   * `not-provable`; of a lease read `no-leases`.
   */
  readonly code: string
  /** Where the machine said why. */
  readonly detail: string
  /** Where the refusal is an agreed result. */
  readonly receipt: Receipt | undefined

  constructor(code: string, detail: string, message: string, receipt?: Receipt) {
    super(message)
    this.code = code
    this.detail = detail
    this.receipt = receipt
  }
}

/**
 * The deadline ran out; whether the request was or will be executed is not known. `resume` asks again. The same where the cluster
 * itself no longer knows, since more than 1,023 higher numbers came in between: then asking again does not help, and `expired`
 * is true.
 */
export class OutcomeUnknown extends Error {
  override readonly name = 'OutcomeUnknown'
  readonly request: SignedRequest
  readonly expired: boolean

  constructor(request: SignedRequest, message: string, options: ErrorOptions & { readonly expired?: boolean } = {}) {
    super(message, options)
    this.request = request
    this.expired = options.expired === true
  }
}

/** The request was executed, but asked about again when its result was too long to be kept: only its SHA-256 is left. */
export class ResultForgotten extends Error {
  override readonly name = 'ResultForgotten'
  readonly slot: number
  readonly resultDigest: Uint8Array
  readonly receipt: Receipt

  constructor(slot: number, resultDigest: Uint8Array, receipt: Receipt) {
    super(
      `the request was executed in slot ${slot}, but its result was too long for the replicas to keep; ` +
        'where it only read, read again',
    )
    this.slot = slot
    this.resultDigest = resultDigest
    this.receipt = receipt
  }
}
