// A handful of cores wired together by hand: instant disks, a network that a test can cut, time that a test moves. For claims about
// single rules; whole runs with faults belong to the simulator.

import {
  admitKey,
  appendLeaf,
  type Digest,
  type Frontier,
  hex,
  markVerified,
  merkleRoot,
  publicKey,
  type ReplicaIndex,
  type Result,
  replicaIndex,
  type Signer,
  type Slot,
  sha256,
  slot,
  statementBytes,
  utf8,
  type Verified,
} from '../../crypto/index.ts'
import { nativeSigner, nativeVerifier } from '../../keys/native/index.ts'
import { type Behaviour, parseBehaviour } from '../../src/byzantine/index.ts'
import {
  type CoreConfig,
  type CoreState,
  type CoreStatus,
  type DurableRecord,
  type Effect,
  type Entry,
  type Input,
  ignoreReason,
  init,
  type Message,
  type MessageFault,
  type Mutation,
  originOf,
  type ProtocolParameters,
  requestId,
  type SignedRequest,
  type StableCheckpoint,
  status,
  step,
  type VerifyContext,
  verifyMessage,
  verifyRequest,
} from '../../src/consensus/index.ts'
import { Random } from '../../src/simulation/kernel/index.ts'
import { bytesFor, testCluster } from './cluster.ts'
import { torsionSigner } from './ed25519.ts'
import { FIRST_EPOCH, type TestEpoch } from './epochs.ts'

export const PARAMETERS: ProtocolParameters = {
  window: 8,
  checkpointInterval: 8,
  maxBatchRequests: 4,
  maxBatchBytes: 4096,
  maxRequestBytes: 1024,
  clockDriftMs: 5000,
  viewTimeoutMs: 500,
  viewTimeoutCapMs: 8000,
  clockRatePercent: 10,
  rotation: { policy: 'sticky' },
  signedVotes: true,
}

export interface MiniReplica {
  readonly index: ReplicaIndex
  state: CoreState
  readonly records: DurableRecord[]
  readonly executed: Entry[]
  readonly evidence: Effect[]
  readonly views: string[]
  up: boolean
  /** State root after what was executed: a running hash. */
  root: Digest
  readonly machine: Machine
  /** Everything under its own signature that ever left it, before restarts and after. */
  readonly said: Set<Message>
  /** Messages that it refused: `blame code from I`. */
  readonly refused: string[]
  readonly alarms: string[]
  /** What wraps its effects; honest where undefined. */
  behaviour: Behaviour | undefined
}

/** The machine's side of a replica: the log's frontier, agreed time, and the snapshots of stable checkpoints. */
interface Machine {
  frontier: Frontier
  timestampMs: number
  /** Identities of the requests executed: the session table. */
  readonly done: Set<string>
  /** By slot, for peers. */
  readonly snapshots: Map<number, Snapshot>
  /** The last one on disk: where a restart begins. */
  saved: Snapshot | undefined
  /** A snapshot that the core asked for. */
  wanted: Verified<StableCheckpoint> | undefined
}

interface Snapshot {
  readonly executed: readonly Entry[]
  readonly root: Digest
  readonly frontier: Frontier
  readonly timestampMs: number
}

export type Filter = (from: number, to: number, message: Message) => boolean

export interface MiniCluster {
  readonly replicas: MiniReplica[]
  readonly context: VerifyContext
  readonly signers: readonly Signer[]
  /** The slot of this number in the epoch, from 1; 0 is the start. */
  slot(number: number): Slot
  /** Messages that pass; all by default. */
  filter: Filter
  nowMs: number
  submit(to: readonly number[], ...texts: string[]): void
  /** As `submit`, by another client. */
  submitAs(client: string, to: readonly number[], ...texts: string[]): void
  inject(from: number, to: number, message: Message): string | undefined
  input(index: number, input: Input): void
  /** Delivers everything under way. */
  settle(): void
  /** Moves time in steps of 25 ms, delivering all along. */
  run(ms: number): void
  crash(index: number): void
  restart(index: number): void
  status(index: number): CoreStatus
}

/** A request of the client with this label. */
export function request(clusterId: Digest, text: string, sequence: number, label = 'client'): SignedRequest {
  const client = clientKey(label)
  const made = { client: client.publicKey, sequence, command: utf8(text) }
  const id = requestId(made)
  const root = merkleRoot([id])
  const statement = { kind: 'bundle', clusterId, client: client.publicKey, count: 1, root } as const
  return {
    request: made,
    id,
    proof: { index: 0, count: 1, root, path: [], signature: client.sign(statementBytes(statement)) },
  }
}

export function miniCluster(
  options: {
    replicas?: number
    byzantine?: number
    crash?: number
    /** The first one unless told otherwise. */
    epoch?: TestEpoch
    parameters?: Partial<ProtocolParameters>
    mutations?: readonly Mutation[]
    /** Lying behaviours by replica, as `--liar` names them. */
    liars?: Readonly<Record<number, string>>
    seed?: string
    /** Wall clocks ahead by so many milliseconds, by replica. */
    clocks?: Readonly<Record<number, number>>
    /** Agreed times at each of which the machine has something to do by itself, ascending. */
    due?: readonly number[]
  } = {},
): MiniCluster {
  const { replicas: count = 4, byzantine = 1, crash = 0, epoch = FIRST_EPOCH } = options
  const parameters = { ...PARAMETERS, ...options.parameters }
  const { membership, signers } = testCluster({ replicas: count, byzantine, crash, epoch: epoch.number })
  const before: Snapshot = { executed: [], root: epoch.start.stateRoot, ...epoch }
  const context: VerifyContext = {
    membership,
    clusterName: 'test',
    parameters,
    start: epoch.start,
    verifier: nativeVerifier,
    admit: (key) => admitKey(publicKey(key)),
  }
  const queue: { readonly from: number; readonly to: number; readonly message: Message }[] = []
  let sequence = 0

  const config = (self: number): CoreConfig => {
    const signer = signers[self]
    if (signer === undefined) throw new RangeError('no such replica')
    const mutations = new Set(options.mutations ?? [])
    return {
      self: replicaIndex(self),
      membership,
      clusterName: 'test',
      parameters,
      signer,
      start: epoch.start,
      mutations,
    }
  }
  const start = (index: number, records: readonly DurableRecord[], { executed, frontier, timestampMs }: Snapshot) =>
    init(config(index), records, {
      slot: slot(epoch.start.slot + executed.length),
      frontier,
      timestampMs,
      ...outlookAt(timestampMs),
    })
  const outlookAt = (timestampMs: number) => ({
    dueMs: options.due?.find((due) => due > timestampMs),
    succession: undefined,
  })

  const replicas: MiniReplica[] = Array.from({ length: count }, (_, i) => ({
    index: replicaIndex(i),
    state: start(i, [], before).state,
    records: [],
    executed: [],
    evidence: [],
    views: [],
    up: true,
    root: before.root,
    machine: machineAt(before),
    said: new Set(),
    refused: [],
    alarms: [],
    behaviour: undefined,
  }))

  const verified = new WeakMap<Message, Result<Verified<Message>, MessageFault>>()
  /** One message object goes to many replicas, and is checked once. */
  const verify = (message: Message): Result<Verified<Message>, MessageFault> => {
    const known = verified.get(message) ?? verifyMessage(message, context)
    verified.set(message, known)
    return known
  }

  const feed = (replica: MiniReplica, input: Input): void => {
    const effects = step(replica.state, input)
    carryOut(replica, replica.behaviour?.(effects, input) ?? effects)
  }

  const carryOut = (replica: MiniReplica, effects: readonly Effect[]): void => {
    const { machine } = replica
    for (const effect of effects) {
      switch (effect.kind) {
        case 'persist':
          replica.records.push(...effect.records)
          feed(replica, { kind: 'durable', number: effect.number })
          break
        case 'send':
          if (originOf(effect.message) === replica.index) replica.said.add(effect.message)
          queue.push({ from: replica.index, to: effect.to, message: effect.message })
          break
        case 'broadcast':
          if (originOf(effect.message) === replica.index) replica.said.add(effect.message)
          for (let to = 0; to < count; to++) {
            if (to !== replica.index) queue.push({ from: replica.index, to, message: effect.message })
          }
          break
        case 'execute':
          execute(replica, effect.entry, effect.timestampMs)
          break
        case 'stabilize':
          machine.saved = machine.snapshots.get(effect.checkpoint.slot)
          for (const old of machine.snapshots.keys()) if (old < effect.checkpoint.slot) machine.snapshots.delete(old)
          break
        case 'hand-over':
          throw new Error('the epoch of a mini cluster does not end')
        case 'transfer':
          machine.wanted = effect.checkpoint
          break
        case 'alarm':
          replica.alarms.push(effect.code)
          break
        case 'evidence':
          replica.evidence.push(effect)
          break
        case 'view':
          replica.views.push(`${effect.view} ${effect.active ? 'active' : 'changing'} ${effect.reason}`)
          break
      }
    }
  }

  const execute = (replica: MiniReplica, entry: Entry, timestampMs: number): void => {
    const { machine } = replica
    const at = entry.header.slot
    replica.executed.push(entry)
    for (const { id } of entry.requests) machine.done.add(hex(id))
    replica.root = sha256(Uint8Array.of(...replica.root, ...entry.digest))
    machine.frontier = appendLeaf(machine.frontier, entry.digest)
    machine.timestampMs = timestampMs
    const checkpoint = at % parameters.checkpointInterval === 0
    if (checkpoint) machine.snapshots.set(at, snapshotOf(replica))
    const stateRoot = checkpoint ? replica.root : undefined
    feed(replica, {
      kind: 'executed',
      slot: at,
      resultsRoot: entry.header.root,
      stateRoot,
      ...outlookAt(timestampMs),
    })
  }

  /** Snapshots come from whoever has them and can be reached; chunks and proofs are the simulator's matter. */
  const install = (replica: MiniReplica): void => {
    const checkpoint = replica.machine.wanted
    if (checkpoint === undefined) return
    for (const source of replicas) {
      const snapshot = source.machine.snapshots.get(checkpoint.slot)
      const asked = { kind: 'stable', checkpoint } as const
      if (snapshot === undefined || !source.up || source === replica) continue
      if (source.behaviour !== undefined || !cluster.filter(source.index, replica.index, asked)) continue
      restore(replica, snapshot)
      replica.machine.wanted = undefined
      const { frontier, timestampMs } = snapshot
      return feed(replica, { kind: 'installed', checkpoint, frontier, timestampMs, ...outlookAt(timestampMs) })
    }
  }

  const at = (index: number): MiniReplica => {
    const replica = replicas[index]
    if (replica === undefined) throw new RangeError(`no replica ${index}`)
    return replica
  }

  const cluster: MiniCluster = {
    replicas,
    context,
    signers,
    slot: (number) => slot(epoch.start.slot + number),
    filter: () => true,
    nowMs: 0,
    submit: (to, ...texts) => cluster.submitAs('client', to, ...texts),
    submitAs(label, to, ...texts) {
      const requests = texts.map((text): Verified<SignedRequest> => {
        sequence += 1
        const checked = verifyRequest(request(membership.clusterId, text, sequence, label), context)
        if (!checked.ok) throw new Error(checked.fault.code)
        return checked.value
      })
      for (const index of to) if (at(index).up) feed(at(index), { kind: 'requests', requests })
    },
    inject(from, to, message) {
      const replica = at(to)
      const ignored = ignoreReason(replica.state, replicaIndex(from), message)
      if (ignored !== undefined) return ignored
      const checked = verify(message)
      if (!checked.ok) {
        replica.refused.push(`${checked.fault.class} ${checked.fault.code} from ${from}`)
        return checked.fault.code
      }
      feed(replica, { kind: 'message', from: replicaIndex(from), message: fresh(replica, checked.value) })
      return undefined
    },
    input: (index, input) => feed(at(index), input),
    settle() {
      for (let sent = queue.shift(); sent !== undefined; sent = queue.shift()) {
        if (!at(sent.from).up || !at(sent.to).up || !cluster.filter(sent.from, sent.to, sent.message)) continue
        cluster.inject(sent.from, sent.to, sent.message)
      }
    },
    run(ms) {
      for (let passed = 0; passed < ms; passed += 25) {
        cluster.nowMs += 25
        for (const replica of replicas) {
          if (!replica.up) continue
          const wallMs = 1_000_000 + cluster.nowMs + (options.clocks?.[replica.index] ?? 0)
          feed(replica, { kind: 'tick', nowMs: cluster.nowMs, wallMs })
          install(replica)
        }
        cluster.settle()
      }
    },
    crash(index) {
      at(index).up = false
    },
    restart(index) {
      const replica = at(index)
      const { saved = before } = replica.machine
      restore(replica, saved)
      replica.machine.wanted = undefined
      const { state, effects } = start(index, replica.records, saved)
      replica.state = state
      replica.up = true
      carryOut(replica, replica.behaviour?.(effects, undefined) ?? effects)
    },
    status: (index) => status(at(index).state),
  }
  for (const [index, text] of Object.entries(options.liars ?? {})) {
    const self = replicaIndex(Number(index))
    at(self).behaviour = parseBehaviour(text).make({
      self,
      membership,
      start: epoch.start,
      clusterName: 'test',
      parameters,
      signer: config(self).signer,
      torsionSigner: torsionSigner(bytesFor(`consensus ${self}`)),
      random: new Random(`${options.seed ?? 'mini cluster'} ${self}`),
    })
  }
  return cluster
}

/** The commands executed by a replica, in order; a request that was agreed twice counts once, as sessions see to. */
export function commands(replica: MiniReplica): string[] {
  const decoder = new TextDecoder()
  const seen = new Set<string>()
  return replica.executed.flatMap((entry) =>
    entry.requests.flatMap(({ request: each, id }) => {
      if (seen.has(hex(id))) return []
      seen.add(hex(id))
      return [decoder.decode(each.command)]
    }),
  )
}

const clientKeys = new Map<string, Signer>()

function clientKey(label: string): Signer {
  const signer = clientKeys.get(label) ?? nativeSigner(bytesFor(label))
  clientKeys.set(label, signer)
  return signer
}

function machineAt({ frontier, timestampMs }: Snapshot): Machine {
  return {
    frontier,
    timestampMs,
    done: new Set(),
    snapshots: new Map(),
    saved: undefined,
    wanted: undefined,
  }
}

function snapshotOf(replica: MiniReplica): Snapshot {
  const { frontier, timestampMs } = replica.machine
  return { executed: [...replica.executed], root: replica.root, frontier, timestampMs }
}

function restore(replica: MiniReplica, snapshot: Snapshot): void {
  const { machine } = replica
  replica.executed.splice(0, replica.executed.length, ...snapshot.executed)
  replica.root = snapshot.root
  machine.frontier = snapshot.frontier
  machine.timestampMs = snapshot.timestampMs
  machine.done.clear()
  for (const entry of snapshot.executed) for (const { id } of entry.requests) machine.done.add(hex(id))
}

/** What the shell's session table lets through of the requests that a peer passes on (pitfall P50). */
function fresh(replica: MiniReplica, message: Verified<Message>): Verified<Message> {
  if (message.kind !== 'requests') return message
  const requests = message.requests.filter(({ id }) => !replica.machine.done.has(hex(id)))
  return markVerified({ kind: 'requests', requests })
}
