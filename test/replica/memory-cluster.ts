// Replicas of one cluster in this process, over the network and the store in memory; and a client that does the least it can.

import {
  hex,
  inclusionProof,
  leafHash,
  merkleTree,
  openMultiProof,
  type ReplicaIndex,
  replicaIndex,
  type Signer,
  statementBytes,
  utf8,
} from '../../crypto/index.ts'
import { DEFAULT_PARAMETERS, type Genesis, type Parameters, type ReplicaKeys } from '../../keys/index.ts'
import { type ClientTransport, MemoryNetwork } from '../../net/index.ts'
import { parseBehaviour } from '../../src/byzantine/index.ts'
import { requestId, type SignedRequest } from '../../src/consensus/index.ts'
import { decodeResultRecord, encodeKvCommand, type ResultRecord, type StateMachine } from '../../src/machine/index.ts'
import { SHELL_LIMITS, type ShellLimits } from '../../src/replica/limits.ts'
import { ReplicaProcess } from '../../src/replica/replica.ts'
import type { Log, ReplicaOptions } from '../../src/replica/types.ts'
import {
  emptyContents,
  type MemoryContents,
  memoryStore,
  type Store,
  type StoreOptions,
} from '../../src/storage/index.ts'
import {
  type Answer,
  decodeReplicaFrame,
  encodeClientFrame,
  type Question,
  type ReplicaFrame,
} from '../../src/wire/index.ts'
import { genesisOf, memberDraft, sample, seedNamed, signerNamed } from '../keys/sample.ts'

export const TEST_PARAMETERS: Parameters = {
  ...DEFAULT_PARAMETERS,
  window: 4,
  checkpointInterval: 8,
  viewTimeoutMs: 100,
}

export interface MemoryClusterOptions {
  readonly replicas?: number
  readonly byzantine?: number
  readonly crash?: number
  readonly parameters?: Partial<Parameters>
  readonly limits?: Partial<ShellLimits>
  readonly retention?: { readonly slots?: number }
  /** By replica: `equivocate`. */
  readonly liars?: Readonly<Record<number, string>>
  readonly machine?: (replica: number) => StateMachine
  /** Another store than one in memory. */
  readonly openStore?: (replica: number, options: StoreOptions) => Promise<Store>
  /** Changes what a store of this replica hands back. */
  readonly wrapStore?: (replica: number, store: Store) => Store
}

export class MemoryCluster {
  readonly genesis: Genesis
  readonly network: MemoryNetwork
  readonly replicas: (ReplicaProcess | undefined)[]
  readonly contents: MemoryContents[]
  readonly fatal: Error[] = []
  readonly logged: {
    readonly replica: number
    readonly level: string
    readonly text: string
    readonly facts: object
  }[] = []
  private readonly options: MemoryClusterOptions
  private readonly clients: TestClient[] = []

  constructor(options: MemoryClusterOptions = {}) {
    const { replicas = 4, byzantine = 1, crash = 0, parameters } = options
    this.options = options
    this.genesis = genesisOf(
      sample({
        quorum: { byzantine, crash },
        members: Array.from({ length: replicas }, (_, i) => memberDraft(i)),
        parameters: { ...TEST_PARAMETERS, ...parameters },
      }),
    )
    this.network = new MemoryNetwork({ genesis: this.genesis })
    this.replicas = Array.from({ length: replicas }, () => undefined)
    this.contents = Array.from({ length: replicas }, emptyContents)
  }

  async startWith(index: number, change: Partial<ReplicaOptions>): Promise<void> {
    const replica = this.make(index, change)
    this.replicas[index] = replica
    await replica.start()
  }

  make(index: number, change: Partial<ReplicaOptions> = {}): ReplicaProcess {
    const { limits, retention, liars, wrapStore, machine } = this.options
    const contents = this.contents[index]
    if (contents === undefined) throw new RangeError(`no replica ${index}`)
    const liar = liars?.[index]
    const options: ReplicaOptions = {
      genesis: this.genesis,
      keys: keysOf(index),
      data: `memory-${index}`,
      durability: 'memory',
      create: true,
      transport: this.network.replica(replicaIndex(index)),
      log: this.logOf(index),
      onFatal: (error) => this.fatal.push(error),
      ...(machine !== undefined && { machine: machine(index) }),
      ...(liar !== undefined && { liar: parseBehaviour(liar) }),
      ...change,
    }
    return new ReplicaProcess(options, {
      openStore: async (asked) => {
        const memory = () => memoryStore({ contents, ...(retention !== undefined && { retention }) })
        const store = (await this.options.openStore?.(index, asked)) ?? memory()
        return wrapStore?.(index, store) ?? store
      },
      limits: { ...SHELL_LIMITS, ...limits },
    })
  }

  async start(...indexes: readonly number[]): Promise<void> {
    const all = indexes.length > 0 ? indexes : this.replicas.map((_, i) => i)
    for (const index of all) {
      const replica = this.make(index)
      this.replicas[index] = replica
      await replica.start()
    }
  }

  async stop(...indexes: readonly number[]): Promise<void> {
    const all = indexes.length > 0 ? indexes : this.replicas.map((_, i) => i)
    for (const index of all) {
      await this.replicas[index]?.stop()
      this.replicas[index] = undefined
    }
  }

  async close(): Promise<void> {
    await this.stop()
    for (const client of this.clients) await client.close()
  }

  replica(index: number): ReplicaProcess {
    const found = this.replicas[index]
    if (found === undefined) throw new Error(`replica ${index} is not running`)
    return found
  }

  status(index: number) {
    return this.replica(index).status()
  }

  get running(): ReplicaProcess[] {
    return this.replicas.flatMap((each) => each ?? [])
  }

  async client(name = 'writer-1'): Promise<TestClient> {
    const signer = signerNamed(`client ${name}`)
    const client = new TestClient(this.genesis, this.network.client(signer.publicKey), signer)
    this.clients.push(client)
    await client.start()
    return client
  }

  private logOf(replica: number): Log {
    const at = (level: string) => (facts: object, text: string) =>
      void this.logged.push({ replica, level, text, facts })
    return { debug: () => {}, info: at('info'), warn: at('warn'), error: at('error') }
  }
}

export function keysOf(index: number): ReplicaKeys {
  const transport = signerNamed(`transport ${index}`)
  return {
    index: replicaIndex(index),
    consensus: signerNamed(`consensus ${index}`),
    transport: { publicKey: transport.publicKey, peerId: `unused ${index}`, seed: seedNamed(`transport ${index}`) },
  }
}

/** Resolves once `condition` holds; a test that waits for ever runs into its time limit. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 2))
}

type Reply = ReplicaFrame & { readonly kind: 'replies' }

/** Sends bundles to every replica and counts who said what. */
export class TestClient {
  readonly signer: Signer
  readonly refusals: { readonly from: ReplicaIndex; readonly code: string }[] = []
  /** Replicas that sent records which their receipts are not about. */
  readonly badProofs = new Set<number>()
  /** Members of the roster of its transport. */
  members: number
  /** Frames of replies that came. */
  replyFrames = 0
  private readonly genesis: Genesis
  private readonly transport: ClientTransport
  private sequence = 0
  private questions = 0
  private readonly answers = new Map<number, { answers: Answer[]; done: (all: Answer[]) => void }>()
  /** By request id: the last slot under whose receipt it was answered. */
  private readonly slots = new Map<string, number>()
  /** By request id and record: who said so. */
  private readonly heard = new Map<string, { record: Uint8Array; by: Set<number> }[]>()

  constructor(genesis: Genesis, transport: ClientTransport, signer: Signer) {
    this.genesis = genesis
    this.members = genesis.members.length
    this.signer = signer
    this.transport = transport
  }

  start(): Promise<void> {
    return this.transport.start({
      replicaFrame: (from, frame) => this.receive(from, frame),
      replicaUp: () => {},
      replicaDown: () => {},
    })
  }

  close(): Promise<void> {
    return this.transport.stop()
  }

  /** Requests under one signature. */
  bundle(commands: readonly Uint8Array[], signer: Signer = this.signer): SignedRequest[] {
    const requests = commands.map((command) => ({ client: this.signer.publicKey, sequence: ++this.sequence, command }))
    const ids = requests.map(requestId)
    const tree = merkleTree(ids)
    const count = requests.length
    const root = tree.root()
    const said = { client: this.signer.publicKey, clusterId: this.genesis.clusterId, count, root } as const
    const signature = signer.sign(statementBytes({ kind: 'bundle', ...said }))
    return requests.map((request, index) => ({
      request,
      id: requestId(request),
      proof: { index, count, root, path: inclusionProof(tree.read, index, count), signature },
    }))
  }

  put(key: string, value: string): Uint8Array {
    return encodeKvCommand({ kind: 'put', key: utf8(key), value: utf8(value), previous: false })
  }

  send(requests: readonly SignedRequest[], ...to: readonly number[]): void {
    this.sendFrame(encodeClientFrame({ kind: 'requests', requests }), ...to)
  }

  sendFrame(frame: Uint8Array, ...to: readonly number[]): void {
    const all = to.length > 0 ? to : Array.from({ length: this.members }, (_, i) => i)
    for (const index of all) this.transport.send(replicaIndex(index), frame)
  }

  /** Submits and waits until t replicas have answered each request alike; sends again meanwhile, to everybody. */
  async submit(commands: readonly Uint8Array[]): Promise<ResultRecord[]> {
    const requests = this.bundle(commands)
    this.send(requests)
    const again = setInterval(() => this.send(requests.filter((each) => this.resultOf(each) === undefined)), 300)
    try {
      await until(() => requests.every((each) => this.resultOf(each) !== undefined))
    } finally {
      clearInterval(again)
    }
    return requests.flatMap((each) => this.resultOf(each) ?? [])
  }

  resultOf({ id }: SignedRequest): ResultRecord | undefined {
    const { trust } = this.genesis.membership.quorums
    const enough = this.heard.get(hex(id))?.find(({ by }) => by.size >= trust)
    return enough && decodeResultRecord(enough.record)
  }

  /** Who answered this request, whatever they said. */
  answeredBy({ id }: SignedRequest): number[] {
    return (this.heard.get(hex(id)) ?? []).flatMap(({ by }) => [...by])
  }

  /** The last slot under whose receipt somebody answered this request. */
  answeredIn({ id }: SignedRequest): number | undefined {
    return this.slots.get(hex(id))
  }

  async ask(replica: number, question: Question): Promise<Answer[]> {
    const id = ++this.questions
    return new Promise((resolve) => {
      this.answers.set(id, { answers: [], done: resolve })
      this.sendFrame(encodeClientFrame({ kind: 'ask', id, question }), replica)
    })
  }

  private receive(from: ReplicaIndex, bytes: Uint8Array): void {
    const frame = decodeReplicaFrame(bytes)
    if (!frame.ok) throw new Error(`replica ${from} sent a frame that does not decode: ${frame.fault.code}`)
    switch (frame.value.kind) {
      case 'replies':
        this.replyFrames++
        return this.takeReplies(from, frame.value)
      case 'refusal':
        this.refusals.push({ from, code: frame.value.code })
        return
      case 'answer': {
        const open = this.answers.get(frame.value.id)
        open?.answers.push(frame.value.answer)
        if (frame.value.last) open?.done(open.answers)
      }
    }
  }

  private takeReplies(from: ReplicaIndex, { replies }: Reply): void {
    for (const { receipt, count, items, hashes } of replies) {
      const leaves = items.map(({ index, record }) => ({ index, leaf: leafHash(record) }))
      // A liar's receipt is of other results than it sends.
      if (hex(openMultiProof(count, leaves, hashes) ?? new Uint8Array()) !== hex(receipt.statement.digest)) {
        this.badProofs.add(from)
        continue
      }
      for (const { record } of items) {
        const decoded = decodeResultRecord(record)
        if (decoded === undefined) throw new Error('bad record')
        const key = hex(decoded.request)
        this.slots.set(key, Math.max(receipt.statement.slot, this.slots.get(key) ?? 0))
        const known = this.heard.get(key) ?? []
        this.heard.set(key, known)
        const same = known.find((each) => hex(each.record) === hex(record))
        if (same === undefined) known.push({ record, by: new Set([from]) })
        else same.by.add(from)
      }
    }
  }
}
