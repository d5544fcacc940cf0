// A handful of cores wired together by hand: instant disks, a network that a test can cut, time that a test moves. For claims about
// single rules; whole runs with faults belong to the simulator.

import {
  admitKey,
  type Digest,
  EMPTY_FRONTIER,
  merkleRoot,
  publicKey,
  type ReplicaIndex,
  replicaIndex,
  type Signer,
  sha256,
  slot,
  statementBytes,
  utf8,
  type Verified,
} from '../../crypto/index.ts'
import { nativeSigner, nativeVerifier } from '../../keys/native/index.ts'
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
  type Mutation,
  type ProtocolParameters,
  requestId,
  type SignedRequest,
  status,
  step,
  type VerifyContext,
  verifyMessage,
  verifyRequest,
} from '../../src/consensus/index.ts'
import { bytesFor, testCluster } from './cluster.ts'

export const PARAMETERS: ProtocolParameters = {
  window: 8,
  checkpointInterval: 8,
  maxBatchRequests: 4,
  maxBatchBytes: 4096,
  maxRequestBytes: 1024,
  clockDriftMs: 5000,
  viewTimeoutMs: 500,
  viewTimeoutCapMs: 8000,
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
}

export type Filter = (from: number, to: number, message: Message) => boolean

export interface MiniCluster {
  readonly replicas: MiniReplica[]
  readonly context: VerifyContext
  readonly signers: readonly Signer[]
  /** Messages that pass; all by default. */
  filter: Filter
  nowMs: number
  submit(to: readonly number[], ...texts: string[]): void
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

const client = nativeSigner(bytesFor('client'))

export function request(clusterId: Digest, text: string, sequence: number): SignedRequest {
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
    parameters?: Partial<ProtocolParameters>
    mutations?: readonly Mutation[]
  } = {},
): MiniCluster {
  const { replicas: count = 4, byzantine = 1, crash = 0 } = options
  const parameters = { ...PARAMETERS, ...options.parameters }
  const { membership, signers } = testCluster({ replicas: count, byzantine, crash })
  const genesisStateRoot = sha256(utf8('genesis'))
  const context: VerifyContext = {
    membership,
    clusterName: 'test',
    parameters,
    genesisStateRoot,
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
      genesisStateRoot,
      mutations,
    }
  }
  const fresh = { slot: slot(0), frontier: EMPTY_FRONTIER, timestampMs: 0 }
  const start = (index: number, records: readonly DurableRecord[]) => init(config(index), records, fresh)

  const replicas: MiniReplica[] = Array.from({ length: count }, (_, i) => ({
    index: replicaIndex(i),
    state: start(i, []).state,
    records: [],
    executed: [],
    evidence: [],
    views: [],
    up: true,
    root: genesisStateRoot,
  }))

  const carryOut = (replica: MiniReplica, effects: readonly Effect[]): void => {
    for (const effect of effects) {
      switch (effect.kind) {
        case 'persist':
          replica.records.push(...effect.records)
          carryOut(replica, step(replica.state, { kind: 'durable', number: effect.number }))
          break
        case 'send':
          queue.push({ from: replica.index, to: effect.to, message: effect.message })
          break
        case 'broadcast':
          for (let to = 0; to < count; to++) {
            if (to !== replica.index) queue.push({ from: replica.index, to, message: effect.message })
          }
          break
        case 'execute': {
          replica.executed.push(effect.entry)
          replica.root = sha256(Uint8Array.of(...replica.root, ...effect.entry.digest))
          const at = effect.entry.header.slot
          const stateRoot = at % parameters.checkpointInterval === 0 ? replica.root : undefined
          const resultsRoot = effect.entry.header.root
          carryOut(replica, step(replica.state, { kind: 'executed', slot: at, resultsRoot, stateRoot }))
          break
        }
        case 'evidence':
          replica.evidence.push(effect)
          break
        case 'view':
          replica.views.push(`${effect.view} ${effect.active ? 'active' : 'changing'} ${effect.reason}`)
          break
      }
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
    filter: () => true,
    nowMs: 0,
    submit(to, ...texts) {
      const requests = texts.map((text) => {
        sequence += 1
        const verified = verifyRequest(request(membership.clusterId, text, sequence), context)
        if (!verified.ok) throw new Error(verified.fault.code)
        return verified.value as Verified<SignedRequest>
      })
      for (const index of to)
        if (at(index).up) carryOut(at(index), step(at(index).state, { kind: 'requests', requests }))
    },
    inject(from, to, message) {
      const replica = at(to)
      const ignored = ignoreReason(replica.state, replicaIndex(from), message)
      if (ignored !== undefined) return ignored
      const verified = verifyMessage(message, context)
      if (!verified.ok) return verified.fault.code
      carryOut(replica, step(replica.state, { kind: 'message', from: replicaIndex(from), message: verified.value }))
      return undefined
    },
    input(index, input) {
      carryOut(at(index), step(at(index).state, input))
    },
    settle() {
      for (let sent = queue.shift(); sent !== undefined; sent = queue.shift()) {
        if (!at(sent.from).up || !at(sent.to).up || !cluster.filter(sent.from, sent.to, sent.message)) continue
        const fault = cluster.inject(sent.from, sent.to, sent.message)
        void fault
      }
    },
    run(ms) {
      for (let passed = 0; passed < ms; passed += 25) {
        cluster.nowMs += 25
        for (const replica of replicas) {
          if (!replica.up) continue
          carryOut(
            replica,
            step(replica.state, { kind: 'tick', nowMs: cluster.nowMs, wallMs: 1_000_000 + cluster.nowMs }),
          )
        }
        cluster.settle()
      }
    },
    crash(index) {
      at(index).up = false
    },
    restart(index) {
      const replica = at(index)
      replica.executed.length = 0
      replica.root = genesisStateRoot
      const { state, effects } = start(index, replica.records)
      replica.state = state
      replica.up = true
      carryOut(replica, effects)
    },
    status: (index) => status(at(index).state),
  }
  return cluster
}

/** The commands executed by a replica, in order. */
export function commands(replica: MiniReplica): string[] {
  const decoder = new TextDecoder()
  return replica.executed.flatMap((entry) => entry.requests.map(({ request: each }) => decoder.decode(each.command)))
}
