// What the SDK offers. Every operation ends in one of three ways: it returns, with a receipt; it throws `Refused`, and was
// certainly not executed; or it throws `OutcomeUnknown`, since the caller's own deadline ran out, and may be asked about again.

import type { Certificate, Digest, PublicKey, ReplicaIndex, Signer } from '../../crypto/index.ts'
import type { Genesis } from '../../keys/index.ts'
import type { ClientTransport } from '../../net/index.ts'
import type { SignedRequest } from '../consensus/index.ts'
import type { KeyValue, KvCommand, KvResult } from '../machine/index.ts'
import type { Archive, ReplicaStatus } from '../wire/index.ts'

export interface ConnectOptions {
  readonly genesis: Genesis
  readonly key: Signer
  /** 32 bytes: the client's secret, which is its identity on the channel too. */
  readonly seed: Uint8Array
  /**
   * Where sequence numbers are reserved, so that a client that crashed never uses one twice; made where absent. Without it
   * the client numbers its requests from the clock, and two that run at once under one key may collide.
   */
  readonly stateFile?: string
  readonly signal?: AbortSignal
  /** For tests; libp2p otherwise. */
  readonly transport?: ClientTransport
}

export interface CallOptions {
  readonly signal?: AbortSignal
  /** Milliseconds until the outcome counts as unknown; 30,000 unless told. */
  readonly timeoutMs?: number
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

/** The cluster as seen by one client. */
export interface Client {
  readonly publicKey: PublicKey
  /** The raw call: any machine's command; resolves with the machine's result. @throws {Refused} @throws {OutcomeUnknown} */
  submit(command: Uint8Array, options?: CallOptions): Promise<Done<Uint8Array>>
  /** Asks again about a request whose outcome was unknown; executed at most once, whoever asks how often. */
  resume(request: SignedRequest, options?: CallOptions): Promise<Done<Uint8Array>>
  kv(command: KvCommand, options?: CallOptions): Promise<Done<KvResult>>
  put(key: string | Uint8Array, value: string | Uint8Array, options?: CallOptions): Promise<Done<{ revision: number }>>
  get(key: string | Uint8Array, options?: CallOptions): Promise<Done<KeyValue | undefined>>
  delete(key: string | Uint8Array, options?: CallOptions): Promise<Done<{ deleted: boolean }>>
  /** One replica's own account. */
  status(replica: ReplicaIndex, options?: CallOptions): Promise<ReplicaStatus>
  /** What one replica keeps for auditors. */
  archive(replica: ReplicaIndex): Archive
  connected(): readonly ReplicaIndex[]
  close(): Promise<void>
}

/** The cluster said no, t replicas of it or an agreed result; the request was not executed and will not be. */
export class Refused extends Error {
  override readonly name = 'Refused'
  /** The outcome of the result record (`refused`, `forbidden`, `limit`...), or a refusal code of the door. */
  readonly code: string
  /** Where the machine said why. */
  readonly detail: string

  constructor(code: string, detail: string, message: string) {
    super(message)
    this.code = code
    this.detail = detail
  }
}

/** The deadline ran out; whether the request was or will be executed is not known. `resume` asks again. */
export class OutcomeUnknown extends Error {
  override readonly name = 'OutcomeUnknown'
  readonly request: SignedRequest

  constructor(request: SignedRequest, message: string, options?: ErrorOptions) {
    super(message, options)
    this.request = request
  }
}
