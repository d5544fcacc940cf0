// A cluster that agrees with itself without any protocol, for tests of the client: it executes what it is sent, in the order in which it
// comes, and every replica signs. Tests make single replicas silent, let them lie, or answer by hand; and they hand the cluster over to
// other members. Replicas go by the numbers of their keys, which in the first epoch are their positions.

import {
  type AdmittedKey,
  admitKey,
  type Digest,
  digest,
  epoch,
  hex,
  inclusionProof,
  leafHash,
  memberId,
  merkleTree,
  multiProof,
  type PublicKey,
  type ReplicaIndex,
  replicaIndex,
  type Signer,
  sha256,
  signVote,
  slot as slotOf,
  utf8,
  type Vote,
  view,
  ZERO_DIGEST,
} from '../../crypto/index.ts'
import { type Charter, membershipOf } from '../../keys/charter/index.ts'
import { DEFAULT_PARAMETERS, type Genesis, type Parameters, peerIdOf } from '../../keys/index.ts'
import { nativeVerifier } from '../../keys/native/index.ts'
import type { ClientTransport, ClientTransportHandlers } from '../../net/index.ts'
import { auditContext } from '../../src/audit/verify/index.ts'
import { type Client, type ConnectOptions, connect } from '../../src/client/index.ts'
import {
  checkpointBytes,
  type EpochChain,
  type EpochContext,
  genesisStart,
  type HandOver,
  type SignedRequest,
  verifyRequest,
} from '../../src/consensus/index.ts'
import {
  createExecutor,
  decodeResultRecord,
  type Executor,
  kv,
  type StateMachine,
  stateGenesis,
} from '../../src/machine/index.ts'
import {
  type ClientFrame,
  decodeClientFrame,
  encodeReplicaFrame,
  type Question,
  type ReplicaFrame,
  type SlotReply,
} from '../../src/wire/index.ts'
import { genesisOf, memberDraft, sample, seedNamed, signerNamed } from '../keys/sample.ts'

export const ADMIN = 'client admin'

interface ExecutedSlot {
  readonly requests: readonly SignedRequest[]
  readonly records: readonly Uint8Array[]
  readonly root: Digest
}

/** What a replica says in place of the true reply: frames, or bytes that are none. */
export type Lie = (truth: SlotReply, cluster: FakeCluster) => readonly (ReplicaFrame | Uint8Array)[]
/** What a replica does with requests in place of ordering them. */
export type Door = (requests: readonly SignedRequest[], cluster: FakeCluster) => void

/** What a replica does with a question; truly answers reads unless told. */
export type Counter = (id: number, question: Question, cluster: FakeCluster) => void

export interface FakeClusterOptions {
  readonly replicas?: number
  readonly byzantine?: number
  readonly machine?: StateMachine
  readonly parameters?: Partial<Parameters>
}

export class FakeCluster {
  readonly genesis: Genesis
  readonly executor: Executor
  /** Every frame that the client sent and a link took. */
  readonly sent: { readonly to: number; readonly frame: ClientFrame }[] = []
  /** Answers nothing. */
  readonly silent = new Set<number>()
  readonly lies = new Map<number, Lie>()
  readonly doors = new Map<number, Door>()
  readonly counters = new Map<number, Counter>()
  readonly down = new Set<number>()
  /** Everything that was handed over; what replicas show of it unless told otherwise. */
  chain: EpochChain
  /** Of replicas that have not followed the last hand-overs: the epoch that they are in. */
  readonly lagging = new Map<number, number>()
  /** Where the client looks for each key, once it was told to look elsewhere than the genesis says. */
  readonly dialled = new Map<number, readonly string[]>()
  view = 0
  /** Called when a frame was sent. */
  onSent: () => void = () => {}
  private readonly slots: ExecutedSlot[] = []
  private readonly admitted = new Map<string, AdmittedKey>()
  private readonly slotOf = new Map<string, number>()
  private handlers: ClientTransportHandlers | undefined
  /** At each position of the client's roster: the key there. */
  private roster: readonly number[]

  constructor({ replicas = 4, byzantine = 1, machine = kv, parameters = {} }: FakeClusterOptions = {}) {
    this.genesis = genesisFor(replicas, byzantine, parameters)
    this.executor = createExecutor({ machine, ...stateGenesis(this.genesis) })
    this.chain = auditContext(this.genesis, nativeVerifier).chain
    this.roster = this.members
  }

  get trust(): number {
    return this.genesis.membership.quorums.trust
  }

  get members(): readonly ReplicaIndex[] {
    return this.genesis.members.map((_, i) => replicaIndex(i))
  }

  connect(options: Partial<ConnectOptions> = {}): Promise<Client> {
    const { genesis } = this
    return connect({
      genesis,
      key: signerNamed(ADMIN),
      seed: seedNamed(ADMIN),
      transport: this.transport(),
      ...options,
    })
  }

  transport(): ClientTransport {
    return {
      start: async (handlers) => {
        this.handlers = handlers
        for (const [at, key] of this.roster.entries()) if (!this.down.has(key)) handlers.replicaUp(replicaIndex(at))
      },
      stop: async () => {
        this.handlers = undefined
      },
      update: (roster) => {
        for (const { peerId, addresses } of roster) this.dialled.set(keyNumber(peerId), addresses)
        this.update(roster.map(({ peerId }) => keyNumber(peerId)))
      },
      send: (at, bytes) => {
        const to = this.roster[at] ?? -1
        if (this.down.has(to) || this.handlers === undefined) return false
        const decoded = decodeClientFrame(bytes)
        if (!decoded.ok) throw new Error(`the client sent ${decoded.fault.code}: ${decoded.fault.detail}`)
        this.sent.push({ to, frame: decoded.value })
        setImmediate(() => this.onSent())
        setImmediate(() => this.receive(to, decoded.value))
        return true
      },
      connected: (at) => this.handlers !== undefined && at in this.roster && !this.down.has(this.roster[at] ?? -1),
    }
  }

  raise(replica: number): void {
    this.down.delete(replica)
    this.handlers?.replicaUp(replicaIndex(this.roster.indexOf(replica)))
  }

  cut(replica: number): void {
    this.down.add(replica)
    this.handlers?.replicaDown(replicaIndex(this.roster.indexOf(replica)))
  }

  /** Hands the client something from replica `from`. */
  say(from: number, what: ReplicaFrame | Uint8Array): void {
    const bytes = what instanceof Uint8Array ? what : encodeReplicaFrame(what)
    const at = this.roster.indexOf(from)
    if (at >= 0 && !this.down.has(from)) this.handlers?.replicaFrame(replicaIndex(at), bytes)
  }

  /** The requests that were sent to `to`, in frames. */
  requestsTo(to: number): readonly (readonly SignedRequest[])[] {
    return this.sent.flatMap(({ to: at, frame }) => (at === to && frame.kind === 'requests' ? [frame.requests] : []))
  }

  /** The receipt of `replica` for a slot and root of the test's choice. */
  receipt(
    replica: number,
    slot: number,
    digest: Digest,
    signer = this.signer(replica),
    { membership: { clusterId, digest: membership }, charter } = this.epochOf(replica),
  ): Vote {
    const [start, justification] = [view(0), ZERO_DIGEST]
    const index = charter.members.findIndex(({ id }) => id === replica)
    return signVote(
      { kind: 'receipt', clusterId, membership, view: start, justification, slot: slotOf(slot), digest },
      replicaIndex(index < 0 ? replica : index),
      signer,
    )
  }

  signer(replica: number): Signer {
    return signerNamed(`consensus ${replica}`)
  }

  /** A reply of `replica` about `records` as if they were all of a slot. */
  replyWith(
    replica: number,
    slot: number,
    records: readonly Uint8Array[],
    which = records.map((_, i) => i),
  ): SlotReply {
    const tree = merkleTree(records.map(leafHash))
    const items = which.map((index) => ({ index, record: records[index] ?? new Uint8Array(0) }))
    const hashes = multiProof(records.length, which, (index) => inclusionProof(tree.read, index, records.length))
    const receipt = this.receipt(replica, slot, tree.root())
    return { view: view(this.view), receipt, count: records.length, items, hashes }
  }

  /** What `replica` truly has to say about the slot of these requests. */
  truth(replica: number, slot: number, requests: readonly SignedRequest[]): SlotReply {
    const done = this.slots[slot - 1]
    if (done === undefined) throw new Error(`nothing was executed in slot ${slot}`)
    const ids = new Set(requests.map(({ id }) => hex(id)))
    const which = [...done.requests.keys()].filter((i) => ids.has(hex(done.requests[i]?.id ?? ZERO_DIGEST)))
    return this.replyWith(replica, slot, done.records, which)
  }

  /** Executes requests in the next slot; the slot. */
  execute(requests: readonly SignedRequest[]): number {
    const slot = this.executor.slot + 1
    const { records, root } = this.executor.execute({ slot, timestampMs: slot, requests })
    this.slots.push({ requests, records, root })
    for (const { id } of requests) this.slotOf.set(hex(id), slot)
    return slot
  }

  /** What the state answers to reads, as an answer from `from`. */
  read(from: number, id: number, commands: readonly Uint8Array[]): void {
    const client = signerNamed(ADMIN).publicKey
    const results = commands.map((command) => this.executor.read(command, client))
    this.say(from, {
      kind: 'answer',
      id,
      last: true,
      answer: {
        kind: 'read',
        epoch: this.epochOf(from).charter.epoch,
        slot: slotOf(this.executor.slot),
        first: 0,
        results,
      },
    })
  }

  /** `from` answers what hand-overs it knows, or `links`. */
  show(from: number, id: number, since: number, links: readonly HandOver[] = this.chain.links): void {
    const known = links.slice(since, this.lagging.get(from) ?? links.length)
    this.say(from, { kind: 'answer', id, last: true, answer: { kind: 'chain', links: known } })
  }

  /** The epoch that a replica is in. */
  epochOf(replica: number): EpochContext {
    return this.chain.epochs[this.lagging.get(replica) ?? this.chain.links.length] ?? this.chain.last
  }

  /** Empty slots up to the next checkpoint, and then the members with these keys. */
  handOver(keys: readonly number[], change: Partial<Charter> = {}, roots: Partial<Roots> = {}): HandOver {
    const { checkpointInterval } = this.genesis.parameters
    do this.execute([])
    while (this.executor.slot % checkpointInterval !== 0)
    const link = handOverTo(this.chain.last, keys, this.executor.slot, change, roots)
    const longer = this.chain.extend(link)
    if (!longer.ok) throw new Error(longer.fault.code)
    this.chain = longer.value
    return link
  }

  private update(roster: readonly number[]): void {
    const before = this.roster
    for (const [at, key] of before.entries()) {
      if (!roster.includes(key) && !this.down.has(key)) this.handlers?.replicaDown(replicaIndex(at))
    }
    this.roster = roster
    const fresh = roster.filter((key) => !before.includes(key) && !this.down.has(key))
    for (const key of fresh) setImmediate(() => this.handlers?.replicaUp(replicaIndex(this.roster.indexOf(key))))
  }

  private receive(to: number, frame: ClientFrame): void {
    if (this.silent.has(to) || this.down.has(to)) return
    if (frame.kind === 'ask') {
      const counter = this.counters.get(to)
      if (counter !== undefined) counter(frame.id, frame.question, this)
      else if (frame.question.kind === 'read') this.read(to, frame.id, frame.question.commands)
      else if (frame.question.kind === 'chain') this.show(to, frame.id, frame.question.from)
      return
    }
    if (frame.kind !== 'requests') return
    const door = this.doors.get(to)
    if (door !== undefined) return door(frame.requests, this)
    const { membership, parameters } = this.genesis
    const context = {
      membership,
      parameters,
      clusterName: this.genesis.contents.name,
      start: genesisStart(ZERO_DIGEST),
      verifier: nativeVerifier,
      admit: (key: PublicKey) => this.admit(key),
    }
    for (const request of frame.requests) {
      const verified = verifyRequest(request, context)
      if (!verified.ok) throw new Error(`the client sent a request that is refused: ${JSON.stringify(verified.fault)}`)
    }
    // What was executed in an epoch that is over is answered again in this one, out of the sessions.
    const { slot: start } = this.chain.last.start
    const fresh = frame.requests.filter(({ id }) => (this.slotOf.get(hex(id)) ?? 0) <= start)
    if (fresh.length > 0) this.announce(this.execute(fresh), fresh)
    const again = frame.requests.filter((request) => !fresh.includes(request))
    for (const slot of new Set(again.map(({ id }) => this.slotOf.get(hex(id)) ?? 0))) this.reply(to, slot, again)
  }

  private admit(key: PublicKey) {
    const admitted = this.admitted.get(hex(key)) ?? admitKey(key)
    if (admitted !== undefined) this.admitted.set(hex(key), admitted)
    return admitted
  }

  /** Every replica replies; liars first. */
  private announce(slot: number, requests: readonly SignedRequest[]): void {
    const office = this.chain.last.charter.members.map(({ id }) => id)
    const liars = office.filter((replica) => this.lies.has(replica))
    const others = office.filter((replica) => !this.lies.has(replica))
    for (const replica of [...liars, ...others]) this.reply(replica, slot, requests)
  }

  private reply(replica: number, slot: number, requests: readonly SignedRequest[]): void {
    if (this.silent.has(replica)) return
    const truth = this.truth(replica, slot, requests)
    const lie = this.lies.get(replica)
    const frames = lie === undefined ? [{ kind: 'replies', replies: [truth] } as const] : lie(truth, this)
    for (const frame of frames) this.say(replica, frame)
  }
}

/** Of the log and the state with which an epoch begins. */
export interface Roots {
  readonly logRoot: Digest
  readonly stateRoot: Digest
}

/** A hand-over from `before` to the members with these keys, signed by a quorum of those before. */
export function handOverTo(
  before: EpochContext,
  keys: readonly number[],
  at: number,
  change: Partial<Charter> = {},
  roots: Partial<Roots> = {},
): HandOver {
  const { charter, membership, verify } = before
  const next: Charter = {
    ...charter,
    ...{ epoch: epoch(charter.epoch + 1), previous: membership.digest, start: slotOf(at) },
    members: keys.map((key) => ({
      id: memberId(key),
      consensusKey: admitted(`consensus ${key}`),
      transportKey: admitted(`transport ${key}`),
      operator: undefined,
    })),
    ...change,
  }
  const content = {
    slot: slotOf(at),
    logRoot: utf8Digest(`log ${at} ${keys.join()}`),
    stateRoot: utf8Digest(`state ${at} ${keys.join()}`),
    next: membershipOf(next, membership.clusterId).digest,
    ...roots,
  }
  const bytes = checkpointBytes(content, membership, verify.clusterName)
  const signatures = charter.members.slice(0, membership.quorums.quorum).map(({ id }, position) => ({
    replica: replicaIndex(position),
    signature: signerNamed(`consensus ${id}`).sign(bytes),
  }))
  return { checkpoint: { signatures, ...content }, charter: next }
}

function admitted(name: string): AdmittedKey {
  const key = admitKey(signerNamed(name).publicKey)
  if (key === undefined) throw new Error(`${name} is no key`)
  return key
}

function utf8Digest(text: string): Digest {
  return digest(sha256(utf8(text)))
}

function keyNumber(peerId: string): number {
  for (let key = 0; ; key++) if (peerIdOf(signerNamed(`transport ${key}`).publicKey) === peerId) return key
}

const known = new Map<string, Genesis>()

/** Checking a genesis takes a while, and tests use few. */
function genesisFor(replicas: number, byzantine: number, parameters: Partial<Parameters>): Genesis {
  const name = JSON.stringify([replicas, byzantine, parameters])
  const members = Array.from({ length: replicas }, (_, i) => memberDraft(i))
  const quorum = { byzantine, crash: Math.floor((replicas - 3 * byzantine - 1) / 2) }
  const genesis =
    known.get(name) ?? genesisOf(sample({ members, quorum, parameters: { ...DEFAULT_PARAMETERS, ...parameters } }))
  known.set(name, genesis)
  return genesis
}

/** The sequence numbers of the requests in a list of frames. */
export function numbersOf(frames: readonly (readonly SignedRequest[])[]): number[] {
  return frames.flatMap((requests) => requests.map(({ request }) => request.sequence))
}

export function recordOf(bytes: Uint8Array) {
  const record = decodeResultRecord(bytes)
  if (record === undefined) throw new Error('not a result record')
  return record
}
