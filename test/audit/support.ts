// Whole logs of a cluster with real keys, made without a network: chosen entries, results under receipts, checkpoints, NewViews.

import {
  appendLeaf,
  assembleCertificate,
  assembleStableCheckpoint,
  type Certificate,
  type CertificateKind,
  concatBytes,
  type Digest,
  EMPTY_FRONTIER,
  type Frontier,
  frontierRoot,
  hex,
  inclusionProof,
  leafHash,
  markVerified,
  merkleTree,
  type ReplicaIndex,
  replicaIndex,
  type Signer,
  sha256,
  signVote,
  slot,
  statementBytes,
  utf8,
  type Vote,
  type VoteStatement,
  view,
  ZERO_DIGEST,
} from '../../crypto/index.ts'
import { assembleGenesis, DEFAULT_PARAMETERS, type Genesis, readGenesis } from '../../keys/genesis/index.ts'
import { nativeSigner, nativeVerifier } from '../../keys/native/index.ts'
import {
  type AuditContext,
  auditContext,
  type BundleContents,
  type BundleReceipt,
  type BundleState,
  BundleWriter,
  genesisExecutor,
} from '../../src/audit/verify/index.ts'
import {
  batchEntry,
  type CheckpointVote,
  checkpointBytes,
  type Entry,
  type Evidence,
  type NewView,
  newViewDigest,
  noopEntry,
  requestId,
  type SignedRequest,
  type StableCheckpoint,
  select,
  startCheckpoint,
  type ViewChange,
  viewChangeDigest,
} from '../../src/consensus/index.ts'
import {
  type Executor,
  encodeKvCommand,
  type KvCommand,
  kvStateKey,
  POSITION_STATE_KEY,
} from '../../src/machine/index.ts'
import type { Archive, ArchivedCheckpoint, ArchivedSlot } from '../../src/wire/index.ts'
import { bytesFor } from '../support/cluster.ts'

export const INTERVAL = 4

export interface TestGenesis {
  readonly genesis: Genesis
  readonly genesisBytes: Uint8Array
  readonly signers: readonly Signer[]
  readonly client: Signer
  readonly context: AuditContext
}

export function testGenesis(
  options: { replicas?: number; byzantine?: number; name?: string; interval?: number } = {},
): TestGenesis {
  const { replicas = 4, byzantine = 1, name = 'audited', interval = INTERVAL } = options
  const signers = Array.from({ length: replicas }, (_, i) => nativeSigner(bytesFor(`${name} consensus ${i}`)))
  const client = nativeSigner(bytesFor(`${name} client`))
  const contents = assembleGenesis({
    name,
    quorum: { byzantine, crash: 0 },
    members: signers.map((consensus, i) => ({
      consensus,
      transport: nativeSigner(bytesFor(`${name} transport ${i}`)),
      addresses: [`/ip4/127.0.0.1/tcp/${7400 + i}`],
    })),
    clients: [{ name: 'writer', role: 'writer', key: client }],
    parameters: { ...DEFAULT_PARAMETERS, window: Math.min(interval, 32), checkpointInterval: interval },
  })
  const genesisBytes = utf8(JSON.stringify(contents))
  const read = readGenesis(genesisBytes, nativeVerifier)
  if (!read.ok) throw new Error(JSON.stringify(read.fault))
  return { genesis: read.value, genesisBytes, signers, client, context: auditContext(read.value, nativeVerifier) }
}

/** Everything that a cluster's replicas would have kept of a log. */
export class TestLog {
  readonly test: TestGenesis
  readonly slots: {
    entry: Entry
    certificate: Certificate
    receipts: readonly Vote[]
    records: readonly Uint8Array[]
  }[] = []
  readonly checkpoints: (ArchivedCheckpoint & { readonly note: Uint8Array })[] = []
  readonly newViews: NewView[] = []
  readonly evidence: Evidence[] = []
  private readonly executor: Executor
  private frontier: Frontier = EMPTY_FRONTIER
  private sequence = 0

  constructor(test: TestGenesis) {
    this.test = test
    this.executor = genesisExecutor(test.context)
  }

  /** Requests of one bundle. */
  bundle(...commands: readonly KvCommand[]): SignedRequest[] {
    const { client, genesis } = this.test
    const made = commands.map((command) => {
      const request = { client: client.publicKey, sequence: ++this.sequence, command: encodeKvCommand(command) }
      return { request, id: requestId(request) }
    })
    const tree = merkleTree(made.map(({ id }) => id))
    const [count, root] = [made.length, tree.root()]
    const { clusterId } = genesis
    const signature = client.sign(statementBytes({ kind: 'bundle', clusterId, client: client.publicKey, count, root }))
    return made.map((each, index) => {
      const path = inclusionProof(tree.read, index, count)
      return { ...each, proof: { index, count, root, path, signature } }
    })
  }

  put(key: string, value = 'value'): SignedRequest {
    const [request] = this.bundle({ kind: 'put', key: utf8(key), value: utf8(value), previous: false })
    if (request === undefined) throw new Error('one request')
    return request
  }

  /** The next entry: chosen, executed, and checkpointed where it is time. No requests make a no-op. */
  append(requests: readonly SignedRequest[], signers: readonly number[] = [0, 1, 2]): Entry {
    const { epoch } = this.test.genesis.membership
    const at = slot(this.slots.length + 1)
    const entry = requests.length === 0 ? noopEntry(at, epoch) : batchEntry(at, epoch, 1_700_000_000_000 + at, requests)
    const certificate = this.certificate('accept', { slot: at, digest: entry.digest }, signers)
    const { timestampMs } = entry.header
    const { records, root } = this.executor.execute({ slot: at, timestampMs, requests })
    const receipts = this.test.signers.map((_, i) => this.vote(i, { kind: 'receipt', slot: at, digest: root }))
    this.slots.push({ entry, certificate, receipts, records })
    this.frontier = appendLeaf(this.frontier, entry.digest)
    if (at % this.test.genesis.parameters.checkpointInterval === 0) this.checkpoint()
    return entry
  }

  /** So many entries of one request each. */
  fill(count: number): this {
    for (let i = 0; i < count; i++) this.append([this.put(`key-${this.slots.length + 1}`)])
    return this
  }

  vote(replica: number, change: Partial<VoteStatement>): Vote {
    const { genesis, signers } = this.test
    const signer = signers[replica]
    if (signer === undefined) throw new RangeError('no such replica')
    const statement = {
      kind: 'accept',
      clusterId: genesis.clusterId,
      membership: genesis.membership.digest,
      view: view(0),
      justification: ZERO_DIGEST,
      slot: slot(1),
      digest: bytesFor('nothing'),
      ...change,
    } as const
    return signVote(statement, replicaIndex(replica), signer)
  }

  note(
    replica: number,
    said: Omit<CheckpointVote, 'replica' | 'signature' | 'next'> & { next?: Digest },
  ): CheckpointVote {
    const { genesis, signers } = this.test
    const content = { next: undefined, ...said }
    const bytes = checkpointBytes(content, genesis.membership, genesis.contents.name)
    const signed = signers[replica]?.sign(bytes)
    if (signed === undefined) throw new RangeError('no such replica')
    return { ...content, replica: replicaIndex(replica), signature: signed }
  }

  certificate(kind: CertificateKind, change: Partial<VoteStatement>, signers: readonly number[]): Certificate {
    const votes = signers.map((replica) => markVerified(this.vote(replica, { ...change, kind })))
    const [first] = votes
    if (first === undefined) throw new Error('no signers')
    const made = assembleCertificate({ ...first.statement, kind }, votes, this.test.genesis.membership)
    if (made === undefined) throw new Error('too few votes')
    return made
  }

  viewChange(replica: number, to: number, prepared: readonly Certificate[] = []): ViewChange {
    const stable: StableCheckpoint = startCheckpoint(this.test.context.chain.last)
    const body = { view: view(to), stable, prepared }
    const vote = this.vote(replica, {
      kind: 'view-change',
      view: view(to),
      slot: slot(0),
      digest: viewChangeDigest(body),
    })
    return { ...body, vote }
  }

  newView(to: number, viewChanges: readonly ViewChange[]): NewView {
    const { membership } = this.test.genesis
    const leader = to % membership.quorums.replicas
    const justification = newViewDigest(view(to), viewChanges)
    const proposals = select(viewChanges, membership.epoch).values.map((value) =>
      this.vote(leader, { kind: 'prepare', view: view(to), slot: value.slot, digest: value.digest, justification }),
    )
    const vote = this.vote(leader, { kind: 'new-view', view: view(to), slot: slot(0), digest: justification })
    return { view: view(to), viewChanges, vote, proposals }
  }

  /** What replica `index` keeps, changed as `lie` wants. */
  archive(index: number, lie: (slot: ArchivedSlot) => ArchivedSlot | undefined = (each) => each): Archive {
    const { slots, checkpoints, newViews, evidence } = this
    return {
      replica: replicaIndex(index),
      extent: async () => ({ first: slots.length === 0 ? 0 : 1, last: slots.length }),
      async *handOvers() {},
      async *slots(from, to) {
        for (const { entry, certificate, receipts, records } of slots.slice(from - 1, to)) {
          const told = lie({ entry, certificate, receipt: receipts[index], records })
          if (told !== undefined) yield told
        }
      },
      async *checkpoints(from, to) {
        for (const { checkpoint, frontier } of checkpoints) {
          if (checkpoint.slot >= from && checkpoint.slot <= to) yield { checkpoint, frontier }
        }
      },
      newViews: async () => newViews,
      evidence: async () => evidence,
      close: async () => {},
    }
  }

  archives(): Archive[] {
    return this.test.signers.map((_, i) => this.archive(i))
  }

  /** What a replica proves about a key of the store right after a checkpoint. */
  state(key: string): BundleState {
    const made = this.checkpoints.at(-1)
    if (made?.checkpoint.slot !== this.slots.length) throw new Error('no checkpoint of this slot')
    const { checkpoint, frontier } = made
    const state = this.executor.snapshot()
    const partOf = (stateKey: Uint8Array) => ({ value: state.get(stateKey), proof: state.prove(stateKey) })
    const stateKey = kvStateKey(utf8(key))
    const proof = { key: stateKey, ...partOf(stateKey), position: partOf(POSITION_STATE_KEY) }
    state.close()
    return { checkpoint, frontier, proof }
  }

  private checkpoint(): void {
    const { genesis, signers } = this.test
    const at = slot(this.slots.length)
    const content = {
      slot: at,
      logRoot: frontierRoot(this.frontier),
      stateRoot: this.executor.stateRoot(),
      next: undefined,
    }
    const bytes = checkpointBytes(content, genesis.membership, genesis.contents.name)
    const signatures = signers
      .slice(0, genesis.membership.quorums.quorum)
      .map((signer, i) => ({ replica: replicaIndex(i), signature: signer.sign(bytes) }))
    const made = assembleStableCheckpoint(
      content,
      signatures,
      genesis.membership,
      genesis.contents.name,
      nativeVerifier,
    )
    if (!made.ok) throw new Error(made.fault.code)
    const { note } = made.value.stable
    this.checkpoints.push({ checkpoint: { ...content, signatures }, frontier: this.frontier, note })
  }
}

/** A bundle of a log by hand: what the exporter should make of it. */
export function writeBundle(
  log: TestLog,
  options: { from?: number; to?: number; contents?: BundleContents; accounts?: boolean } = {},
): Uint8Array {
  const { from = 1, to = log.slots.length, accounts = true } = options
  const writer = new BundleWriter()
  const { genesis } = log.test
  const tree = merkleTree(log.slots.map(({ entry }) => entry.digest))
  const parts = [writer.head(genesis, options.contents ?? { kind: 'slots', from, to })]
  let above = 0
  for (const { entry, certificate, receipts, records } of log.slots.slice(from - 1, to)) {
    const at = entry.header.slot
    const covering = log.checkpoints.find(({ checkpoint }) => checkpoint.slot >= at)
    if (covering !== undefined && covering.checkpoint.slot > above) {
      above = covering.checkpoint.slot
      parts.push(writer.checkpoint(covering.note, covering.frontier))
    }
    const path = covering && inclusionProof(tree.read, at - 1, covering.checkpoint.slot)
    const receipt = receiptOf(log, receipts)
    parts.push(writer.entry({ entry, certificate, results: { receipt, records }, path }))
  }
  for (const newView of accounts ? log.newViews : []) parts.push(writer.newView(newView) ?? '')
  for (const evidence of accounts ? log.evidence : []) parts.push(writer.evidence(evidence) ?? '')
  return utf8([...parts, writer.end()].join(''))
}

export function receiptOf(log: TestLog, receipts: readonly Vote[]): Certificate {
  const [first] = receipts
  if (first === undefined) throw new Error('no receipts')
  const { kind } = first.statement
  if (kind !== 'receipt') throw new Error('no receipts')
  const made = assembleCertificate(
    { ...first.statement, kind },
    receipts.map((vote) => markVerified(vote)),
    log.test.genesis.membership,
  )
  if (made === undefined) throw new Error('too few receipts')
  return made
}

export function replicas(...indexes: number[]): ReplicaIndex[] {
  return indexes.map(replicaIndex)
}

/** The receipt of the first request of a slot. */
export function receiptFor(log: TestLog, at: number, index = 0): BundleReceipt {
  const kept = log.slots[at - 1]
  const request = kept?.entry.requests[index]
  const record = kept?.records[index]
  if (kept === undefined || request === undefined || record === undefined) throw new Error('no such request')
  const tree = merkleTree(kept.records.map(leafHash))
  const path = inclusionProof(tree.read, index, kept.records.length)
  return { request, certificate: receiptOf(log, kept.receipts), record, index, count: kept.records.length, path }
}

/** These lines as a bundle, with the seal that they would have: what somebody who forges one can always do. */
export function resealed(lines: readonly string[]): Uint8Array {
  return sealed(utf8(lines.map((line) => `${line}\n`).join('')))
}

/** These bytes and the seal that they would have. */
export function sealed(body: Uint8Array): Uint8Array {
  return concatBytes(body, utf8(`{"kind":"end","sha256":"${hex(sha256(body))}"}\n`))
}
