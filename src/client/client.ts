// The client: requests through the pipeline, questions to single replicas, and the key-value store's commands on top.

import { type PublicKey, type ReplicaIndex, type Slot, utf8 } from '../../crypto/index.ts'
import type { Genesis } from '../../keys/index.ts'
import type { EpochChain, SignedRequest } from '../consensus/index.ts'
import {
  decodeKvResult,
  decodeSystemAnswer,
  encodeKvCommand,
  encodeSystemCommand,
  type KeyValue,
  type KvCommand,
  type KvResult,
  MAX_KV_KEY_BYTES,
  MAX_KV_VALUE_BYTES,
  prefixRange,
  type Range,
  type RangeResponse,
  type SystemAnswer,
  type SystemCommand,
  type Transaction,
  type TransactionResponse,
} from '../machine/index.ts'
import type { Archive, ReplicaStatus, StatePart } from '../wire/index.ts'
import { RemoteArchive } from './archive.ts'
import type { ClusterView } from './cluster-view.ts'
import type { ClientCounter, Counters } from './counters.ts'
import { ClientError } from './errors.ts'
import type { Follower } from './follower.ts'
import { ClientLeases } from './leases.ts'
import type { Links } from './links.ts'
import type { Pipeline } from './pipeline.ts'
import type { Questions } from './questions.ts'
import { assertKey, modeOf, notTheStore, type Reading, rangeNotProvable } from './reading.ts'
import {
  type CallOptions,
  type Client,
  type Done,
  type FollowOptions,
  type OrderedOptions,
  type OrderedRead,
  type PutOptions,
  type RangeQuery,
  type Read,
  type ReadOptions,
  Refused,
} from './types.ts'
import type { Watch, WatchOptions, WatchTarget } from './watch/types.ts'
import type { Watches } from './watch/watches.ts'

export interface ClientParts {
  readonly view: ClusterView
  readonly publicKey: PublicKey
  readonly links: Links
  readonly pipeline: Pipeline
  readonly questions: Questions
  readonly reading: Reading
  readonly follower: Follower
  readonly watches: Watches
  readonly counters: Counters
  readonly stop: () => Promise<void>
}

export class ClusterClient implements Client {
  readonly publicKey: PublicKey
  readonly genesis: Genesis
  readonly leases: ClientLeases
  private readonly parts: ClientParts
  private stopped: Promise<void> | undefined

  constructor(parts: ClientParts) {
    this.parts = parts
    this.publicKey = parts.publicKey
    this.genesis = parts.view.genesis
    this.leases = new ClientLeases({
      kv: (command, options) => this.kv(command, options),
      clockDriftMs: () => parts.view.parameters.clockDriftMs,
    })
  }

  get chain(): EpochChain {
    return this.parts.view.chain
  }

  follow(options?: FollowOptions): Promise<EpochChain> {
    return this.parts.follower.follow(options)
  }

  submit(command: Uint8Array, options?: CallOptions): Promise<Done<Uint8Array>> {
    return this.parts.pipeline.submit(command, options)
  }

  resume(request: SignedRequest, options?: CallOptions): Promise<Done<Uint8Array>> {
    return this.parts.pipeline.resume(request, options)
  }

  async system(command: SystemCommand, options?: CallOptions): Promise<Done<SystemAnswer>> {
    const done = await this.submit(encodeSystemCommand(command), options)
    const value = decodeSystemAnswer(done.value)
    if (value === undefined)
      throw new ClientError('not-understood', 'the answer is of a kind that this version does not know')
    return { ...done, value }
  }

  async kv(command: KvCommand, options?: CallOptions): Promise<Done<KvResult>> {
    const bytes = encodeKvCommand(command)
    // What is too long for the cluster is refused below, with the limit that comes first.
    const fault = bytes.length > this.parts.view.parameters.maxRequestBytes ? undefined : sizeFault(command)
    if (fault !== undefined) throw fault
    const done = await this.submit(bytes, options)
    const value = decodeKvResult(done.value)
    const fits = value !== undefined && RESPONSE_OF[command.kind] === value.response.kind
    if (!fits) throw notTheStore()
    return { ...done, value }
  }

  async put(key: string | Uint8Array, value: string | Uint8Array, { lease, ...options }: PutOptions = {}) {
    const attached = lease === undefined ? {} : { lease: lease.id }
    const command = { kind: 'put', key: bytesOf(key), value: bytesOf(value), previous: false, ...attached } as const
    const done = await this.kv(command, options)
    return { ...done, value: { revision: done.value.revision } }
  }

  get(key: string | Uint8Array, options?: OrderedOptions): Promise<OrderedRead<KeyValue | undefined>>
  get(key: string | Uint8Array, options: ReadOptions): Promise<Read<KeyValue | undefined>>
  async get(key: string | Uint8Array, options: ReadOptions = {}): Promise<Read<KeyValue | undefined>> {
    const command = { kind: 'get', key: bytesOf(key) } as const
    if (modeOf(options) !== 'ordered') assertKey(command.key)
    if (modeOf(options) === 'stale') return this.parts.reading.entry(command.key, options)
    const read = await this.response(command, options)
    if (read.value.kind !== 'get') throw notTheStore()
    return { ...read, value: read.value.entry }
  }

  async delete(key: string | Uint8Array, options?: CallOptions): Promise<Done<{ deleted: boolean }>> {
    const done = await this.kv({ kind: 'delete', key: bytesOf(key), previous: false }, options)
    const { response } = done.value
    return { ...done, value: { deleted: response.kind === 'delete' && response.count > 0 } }
  }

  range(query: RangeQuery, options?: OrderedOptions): Promise<OrderedRead<RangeResponse>>
  range(query: RangeQuery, options: ReadOptions): Promise<Read<RangeResponse>>
  async range(query: RangeQuery, options: ReadOptions = {}): Promise<Read<RangeResponse>> {
    if (modeOf(options) === 'stale') throw rangeNotProvable()
    const read = await this.response(rangeOf(query), options)
    if (read.value.kind !== 'range') throw notTheStore()
    return { ...read, value: read.value }
  }

  read(command: Uint8Array, options: CallOptions = {}): Promise<Read<Uint8Array>> {
    return this.parts.reading.raw(command, options)
  }

  async txn(transaction: Omit<Transaction, 'kind'>, options?: CallOptions): Promise<Done<TransactionResponse>> {
    const done = await this.kv({ kind: 'txn', ...transaction }, options)
    const { response } = done.value
    if (response.kind !== 'txn') throw new Error('unreachable: a transaction is answered by a transaction')
    return { ...done, value: response }
  }

  watch(target: WatchTarget, options: WatchOptions = {}): Watch {
    return this.parts.watches.watch(target, options)
  }

  async status(replica: ReplicaIndex, options?: CallOptions): Promise<ReplicaStatus> {
    const [answer] = await this.parts.questions.ask(this.member(replica), { kind: 'status' }, options)
    if (answer === undefined) throw new ClientError('no-answer', `replica ${replica} gave an empty answer`)
    return answer.status
  }

  async state(
    replica: ReplicaIndex,
    question: { readonly atMost: Slot; readonly path: Uint8Array },
    options?: CallOptions,
  ): Promise<StatePart | undefined> {
    const [answer] = await this.parts.questions.ask(this.member(replica), { kind: 'state', ...question }, options)
    if (answer === undefined) throw new ClientError('no-answer', `replica ${replica} gave an empty answer`)
    return answer.part
  }

  archive(replica: ReplicaIndex): Archive {
    const { questions, view } = this.parts
    return new RemoteArchive(this.member(replica), view, questions)
  }

  connected(): readonly ReplicaIndex[] {
    return this.parts.links.up()
  }

  counters(): Readonly<Partial<Record<ClientCounter, number>>> {
    return this.parts.counters.all
  }

  close(): Promise<void> {
    this.stopped ??= this.stop()
    return this.stopped
  }

  /** Of a command that only reads: through the log, or from a quorum. */
  private async response(command: KvCommand, options: ReadOptions): Promise<Read<KvResult['response']>> {
    if (modeOf(options) !== 'ordered') return this.parts.reading.kv(command, options)
    const done = await this.kv(command, options)
    return { ...done, value: done.value.response, evidence: { mode: 'ordered', receipt: done.receipt } }
  }

  private stop(): Promise<void> {
    this.leases.close()
    this.parts.follower.close()
    this.parts.pipeline.close()
    this.parts.reading.close()
    this.parts.questions.close()
    this.parts.watches.close()
    return this.parts.stop()
  }

  private member(replica: ReplicaIndex): ReplicaIndex {
    const { members } = this.parts.links
    if (members.includes(replica)) return replica
    throw new RangeError(`replica: expected an index below ${members.length}, got ${replica}`)
  }
}

const RESPONSE_OF: Readonly<Record<KvCommand['kind'], KvResult['response']['kind']>> = Object.freeze({
  put: 'put',
  get: 'get',
  delete: 'delete',
  range: 'range',
  'delete-range': 'delete',
  'lease-grant': 'lease-grant',
  'lease-keep-alive': 'lease-keep-alive',
  'lease-revoke': 'lease-revoke',
  txn: 'txn',
})

/** What the store would refuse as malformed is refused here, with its reason. */
function sizeFault(command: KvCommand): Refused | undefined {
  const refuse = (what: string, { length }: Uint8Array, most: number) =>
    new Refused('too-large', '', `the ${what} has ${length} bytes, and the store takes at most ${most}`)
  if (command.kind === 'txn') {
    return [...command.success, ...command.failure].map(sizeFault).find((fault) => fault !== undefined)
  }
  if (!('key' in command) && !('start' in command)) return undefined
  const start = 'key' in command ? command.key : command.start
  if (start.length > MAX_KV_KEY_BYTES) return refuse('key', start, MAX_KV_KEY_BYTES)
  if (command.kind !== 'put' || command.value.length <= MAX_KV_VALUE_BYTES) return undefined
  return refuse('value', command.value, MAX_KV_VALUE_BYTES)
}

function rangeOf(query: RangeQuery): Range {
  const { limit = 0, keysOnly = false, countOnly = false } = query
  const bounds =
    'prefix' in query
      ? prefixRange(bytesOf(query.prefix))
      : { start: bytesOf(query.start), end: query.end === undefined ? undefined : bytesOf(query.end) }
  return { kind: 'range', ...bounds, limit, keysOnly, countOnly }
}

function bytesOf(value: string | Uint8Array): Uint8Array {
  return typeof value === 'string' ? utf8(value) : value
}
