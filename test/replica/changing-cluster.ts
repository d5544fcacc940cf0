// Replicas of one cluster in this process, whose members change while it runs: over the network in memory, or over libp2p on the loopback
// interface. Whoever is ever a member has a number, by which its keys are called; the first ones have those of their positions.

import {
  admitKey,
  assembleStableCheckpoint,
  fromUtf8,
  memberId,
  replicaIndex,
  type Signer,
} from '../../crypto/index.ts'
import {
  type Charter,
  genesisCharter,
  joinBytes,
  memberPossessionBytes,
  membershipOf,
} from '../../keys/charter/index.ts'
import { type Genesis, type Parameters, peerIdOf, type ReplicaKeys } from '../../keys/index.ts'
import { nativeVerifier } from '../../keys/native/index.ts'
import {
  type ClientTransport,
  libp2pClientTransport,
  libp2pReplicaTransport,
  MemoryNetwork,
  type ReplicaTransport,
  type RosterEntry,
} from '../../net/index.ts'
import { EpochChain, type HandOver, type StableCheckpoint } from '../../src/consensus/index.ts'
import {
  type ChangeCommand,
  createExecutor,
  type Edit,
  encodeSystemCommand,
  kv,
  type NewMember,
  stateGenesis,
} from '../../src/machine/index.ts'
import { beginStore, type JoinState } from '../../src/replica/join.ts'
import { SHELL_LIMITS, type ShellLimits } from '../../src/replica/limits.ts'
import { ReplicaProcess } from '../../src/replica/replica.ts'
import type { Retired } from '../../src/replica/retirement.ts'
import type { Log, ReplicaOptions } from '../../src/replica/types.ts'
import { emptyContents, type MemoryContents, memoryStore, type Store } from '../../src/storage/index.ts'
import { genesisOf, memberDraft, sample, seedNamed, signerNamed } from '../keys/sample.ts'
import { TEST_PARAMETERS, TestClient, until } from './memory-cluster.ts'

const CLUSTER_NAME = 'demo'

export interface ChangingOptions {
  readonly replicas?: number
  readonly byzantine?: number
  readonly crash?: number
  readonly parameters?: Partial<Parameters>
  /** Loopback ports, one for each number that is ever a member: over libp2p. In memory without. */
  readonly ports?: readonly number[]
  readonly wrapStore?: (number: number, store: Store) => Store
  readonly limits?: Partial<ShellLimits>
}

export class ChangingCluster {
  readonly genesis: Genesis
  readonly retired: { readonly number: number; readonly retired: Retired }[] = []
  readonly fatal: { readonly number: number; readonly error: Error }[] = []
  readonly logged: { readonly number: number; readonly text: string; readonly facts: object }[] = []
  readonly contents = new Map<number, MemoryContents>()
  private readonly options: ChangingOptions
  private readonly network: MemoryNetwork
  private readonly running = new Map<number, ReplicaProcess>()
  private readonly clients: { readonly client: TestClient; readonly transport: ClientTransport }[] = []

  constructor(options: ChangingOptions = {}) {
    const { replicas = 4, byzantine = 1, crash = 0, parameters } = options
    this.options = options
    this.genesis = genesisOf(
      sample({
        name: CLUSTER_NAME,
        quorum: { byzantine, crash },
        members: Array.from({ length: replicas }, (_, i) => ({ ...memberDraft(i), addresses: this.addressesOf(i) })),
        parameters: { ...TEST_PARAMETERS, viewTimeoutMs: 300, ...parameters },
      }),
    )
    this.network = new MemoryNetwork({ genesis: this.genesis })
  }

  replica(number: number): ReplicaProcess {
    const found = this.running.get(number)
    if (found === undefined) throw new Error(`replica ${number} is not running`)
    return found
  }

  status(number: number) {
    return this.replica(number).status()
  }

  get numbers(): number[] {
    return [...this.running.keys()]
  }

  async start(...numbers: readonly number[]): Promise<void> {
    for (const number of numbers) await this.startWith(number, {})
  }

  async startWith(number: number, change: Partial<ReplicaOptions>): Promise<void> {
    const contents = this.contentsOf(number)
    const keys = keysNumbered(number)
    const options: ReplicaOptions = {
      ...{ genesis: this.genesis, keys, data: `memory-${number}`, durability: 'memory', create: true },
      transport: this.transport(number, change.keys ?? keys),
      log: this.logOf(number),
      onFatal: (error) => this.fatal.push({ number, error }),
      onRetired: (retired) => this.retired.push({ number, retired }),
      ...change,
    }
    const openStore = async () => {
      const store = memoryStore({ contents, retention: { slots: 100_000 } })
      return this.options.wrapStore?.(number, store) ?? store
    }
    const replica = new ReplicaProcess(options, { openStore, limits: { ...SHELL_LIMITS, ...this.options.limits } })
    this.running.set(number, replica)
    await replica.start()
  }

  async stop(...numbers: readonly number[]): Promise<void> {
    for (const number of numbers) {
      await this.running.get(number)?.stop()
      this.running.delete(number)
    }
  }

  async close(): Promise<void> {
    await this.stop(...this.numbers)
    for (const { client } of this.clients) await client.close()
  }

  async client(name = 'writer-1'): Promise<TestClient> {
    const signer = signerNamed(`client ${name}`)
    const { clusterId, members: roster } = this.genesis
    const transport =
      this.options.ports === undefined
        ? this.network.client(signer.publicKey)
        : libp2pClientTransport({ clusterId, roster, seed: seedNamed(`client ${name}`) })
    const client = new TestClient(this.genesis, transport, signer)
    this.clients.push({ client, transport })
    await client.start()
    return client
  }

  /** Clients go on with these members. */
  meet(...numbers: readonly number[]): void {
    for (const { client, transport } of this.clients) {
      transport.update(numbers.map((number) => this.entryOf(number)))
      client.members = numbers.length
    }
  }

  /** How the epochs began, as a replica tells it that stands at `position` of the client's roster. */
  async links(client: TestClient, position: number): Promise<readonly HandOver[]> {
    const answers = await client.ask(position, { kind: 'chain', from: genesisCharter(this.genesis).epoch })
    return answers.flatMap((each) => (each.kind === 'chain' ? each.links : []))
  }

  /** The chain of `links`; throws where they do not lead from epoch to epoch. */
  chainOf(links: readonly HandOver[]): EpochChain {
    const { genesis } = this
    const { clusterId } = genesis
    const stateRoot = createExecutor({ machine: kv, ...stateGenesis(genesis) }).stateRoot()
    const charter = genesisCharter(genesis)
    let chain = EpochChain.genesis({
      ...{ clusterId, clusterName: CLUSTER_NAME, charter, stateRoot, verifier: nativeVerifier, admit: admitKey },
    })
    for (const link of links) {
      const longer = chain.extend(link)
      if (!longer.ok) throw new Error(longer.fault.code)
      chain = longer.value
    }
    return chain
  }

  change(base: Charter, command: Partial<ChangeCommand>): Uint8Array {
    const nothing = { edits: [], quorum: undefined, parameters: undefined, threshold: undefined }
    const { digest } = membershipOf(base, this.genesis.clusterId)
    return encodeSystemCommand({ kind: 'change', base: digest, ...nothing, ...command })
  }

  /** One who may join from `base` on, and holds the state of `held`, which members of `signers` signed; that of the genesis unless told. */
  newcomer(number: number, base: Charter, held?: StableCheckpoint, signers = base): NewMember {
    const { clusterId } = this.genesis
    const membership = membershipOf(base, clusterId)
    const [consensus, transport] = [signerNamed(`consensus ${number}`), signerNamed(`transport ${number}`)]
    const against = { clusterId, membership: membership.digest }
    const prove = (signer: Signer, purpose: 'consensus' | 'transport') =>
      signer.sign(memberPossessionBytes(purpose, signer.publicKey, against))
    const note = held === undefined ? new Uint8Array(0) : noteOf(held, membershipOf(signers, clusterId))
    const text = fromUtf8(note) ?? ''
    const signed = held === undefined ? '' : text.slice(0, text.lastIndexOf('\n\n') + 1)
    return {
      ...{ consensusKey: consensus.publicKey, transportKey: transport.publicKey, operator: undefined },
      addresses: this.addressesOf(number),
      possession: { consensus: prove(consensus, 'consensus'), transport: prove(transport, 'transport') },
      held: note,
      joined: consensus.sign(joinBytes(consensus.publicKey, against, signed)),
    }
  }

  rotation(id: number, base: Charter, next: Signer): Edit {
    const { clusterId } = this.genesis
    const against = { clusterId, membership: membershipOf(base, clusterId).digest }
    const possession = next.sign(memberPossessionBytes('consensus', next.publicKey, against))
    return { op: 'rotate-key', id: memberId(id), consensusKey: next.publicKey, possession }
  }

  /** Waits until a change has ended the epoch for all of these, which are in `epoch` then. */
  async inEpoch(epoch: number, ...numbers: readonly number[]): Promise<void> {
    await until(() => numbers.every((number) => this.status(number).epoch === epoch))
  }

  /** A store with which `number` begins in the last epoch of `links`, with a state where there is one. */
  async join(number: number, links: readonly HandOver[], state?: JoinState): Promise<void> {
    const store = memoryStore({ contents: this.contentsOf(number) })
    await beginStore(store, { links, state })
    await store.close()
  }

  /** Waits until all of these have executed what one of them has. */
  async settled(...numbers: readonly number[]): Promise<void> {
    const most = Math.max(...numbers.map((number) => this.status(number).executed))
    await until(() => numbers.every((number) => this.status(number).executed >= most))
  }

  private contentsOf(number: number): MemoryContents {
    const contents = this.contents.get(number) ?? emptyContents()
    this.contents.set(number, contents)
    return contents
  }

  private addressesOf(number: number): string[] {
    const port = this.options.ports === undefined ? 7400 + number : this.options.ports[number]
    return [`/ip4/127.0.0.1/tcp/${port}`]
  }

  private entryOf(number: number): RosterEntry {
    return { peerId: keysNumbered(number).transport.peerId, addresses: this.addressesOf(number) }
  }

  private transport(number: number, keys: ReplicaKeys): ReplicaTransport {
    const { clusterId, members } = this.genesis
    const own = this.entryOf(number)
    const position = members.findIndex(({ peerId }) => peerId === own.peerId)
    const roster = position >= 0 ? members : [...members, own]
    const self = replicaIndex(position >= 0 ? position : members.length)
    if (this.options.ports === undefined) return this.network.replica(self, roster)
    return libp2pReplicaTransport({ clusterId, roster, self, seed: keys.transport.seed })
  }

  private logOf(number: number): Log {
    const take = (facts: object, text: string) => void this.logged.push({ number, text, facts })
    return { debug: () => {}, info: take, warn: take, error: take }
  }
}

export function keysNumbered(number: number): ReplicaKeys {
  const transport = signerNamed(`transport ${number}`)
  const { publicKey } = transport
  return {
    index: replicaIndex(number),
    consensus: signerNamed(`consensus ${number}`),
    transport: { publicKey, peerId: peerIdOf(publicKey), seed: seedNamed(`transport ${number}`) },
  }
}

function noteOf({ signatures, ...content }: StableCheckpoint, membership: ReturnType<typeof membershipOf>): Uint8Array {
  const made = assembleStableCheckpoint(content, signatures, membership, CLUSTER_NAME, nativeVerifier)
  if (!made.ok) throw new Error(made.fault.code)
  return made.value.stable.note
}

/** So many requests, one after another. */
export async function write(client: TestClient, count: number, key = 'key'): Promise<void> {
  for (let i = 0; i < count; i++) await client.submit([client.put(`${key} ${i}`, `value ${i}`)])
}
