// Whole logs of several epochs with real keys, made without a network: the machine itself says when an epoch ends and with which
// charter, and a quorum of it hands over. What goes on with the keys of an epoch after its end is up to the test.

import {
  appendLeaf,
  assembleCertificate,
  type Certificate,
  type CertificateKind,
  checkpointKeys,
  consistencyProof,
  EMPTY_FRONTIER,
  type Frontier,
  formatNote,
  fromUtf8,
  frontierRoot,
  inclusionProof,
  leafHash,
  type MemberId,
  markVerified,
  memberId,
  merkleTree,
  replicaIndex,
  type Signer,
  signVote,
  slot,
  statementBytes,
  utf8,
  type Vote,
  type VoteStatement,
  view,
  ZERO_DIGEST,
} from '../../crypto/index.ts'
import { type Charter, joinBytes, memberPossessionBytes, membershipOf } from '../../keys/charter/index.ts'
import { nativeVerifier } from '../../keys/native/index.ts'
import {
  type AuditContext,
  auditContext,
  type BundleContents,
  type BundleReceipt,
  type BundleState,
  BundleWriter,
} from '../../src/audit/verify/index.ts'
import {
  batchEntry,
  type CheckpointVote,
  checkpointBytes,
  type Entry,
  type EpochChain,
  type EpochContext,
  type Evidence,
  type NewView,
  newViewDigest,
  noopEntry,
  requestId,
  type SignedRequest,
  type StableCheckpoint,
  select,
  startCheckpoint,
  viewChangeDigest,
} from '../../src/consensus/index.ts'
import {
  createExecutor,
  type Edit,
  type Executor,
  encodeKvCommand,
  encodeSystemCommand,
  type KvCommand,
  kvStateKey,
  POSITION_STATE_KEY,
} from '../../src/machine/index.ts'
import type { Archive, ArchivedSlot } from '../../src/wire/index.ts'
import { bytesFor } from '../support/cluster.ts'
import { ADMIN, consensusNamed, GENESIS, INTERVAL, signerAt, signerNamed, WRITER } from './epochs-keys.ts'

interface Kept {
  readonly entry: Entry
  readonly certificate: Certificate
  readonly receipt: Certificate
  readonly records: readonly Uint8Array[]
}

interface KeptCheckpoint {
  readonly checkpoint: StableCheckpoint
  readonly frontier: Frontier
  readonly note: Uint8Array
}

export class EpochsLog {
  chain: EpochChain
  readonly slots: Kept[] = []
  readonly checkpoints: KeptCheckpoint[] = []
  readonly newViews: NewView[] = []
  readonly evidence: { readonly epoch: EpochContext; readonly evidence: Evidence }[] = []
  private readonly executor: Executor
  private readonly sequences = new Map<Signer, number>()
  private frontier: Frontier = EMPTY_FRONTIER
  private forge = (charter: Charter) => charter

  constructor(context: AuditContext = auditContext(GENESIS, nativeVerifier)) {
    this.chain = context.chain
    const { machine, genesis } = context
    this.executor = createExecutor({ machine, ...genesis, verifier: nativeVerifier })
  }

  /** Entries of one put each. */
  fill(count: number, name = 'key'): this {
    for (let i = 0; i < count; i++) this.append(this.put(`${name}-${this.slots.length + 1}`))
    return this
  }

  put(key: string, value = 'value'): SignedRequest[] {
    return this.ask({ kind: 'put', key: utf8(key), value: utf8(value), previous: false })
  }

  ask(command: KvCommand): SignedRequest[] {
    return [this.request(WRITER, encodeKvCommand(command))]
  }

  /** The next entry holds the change, as the one admin wants it. */
  change(edits: readonly Edit[]): this {
    const base = this.chain.last.membership.digest
    const nothing = { quorum: undefined, parameters: undefined, threshold: undefined }
    const command = encodeSystemCommand({ kind: 'change', base, edits, ...nothing })
    this.append([this.request(ADMIN, command)])
    if (this.executor.succession() === undefined) throw new Error('the change was refused')
    return this
  }

  /** Another member, whose keys are of this name, where the one of this id was; only in epoch 0. */
  replacement(id: number, name: string): Edit {
    const consensus = consensusNamed(name)
    const transport = signerNamed(`epochs transport ${name}`)
    const base = { clusterId: GENESIS.clusterId, membership: this.chain.last.membership.digest }
    const prove = (purpose: 'consensus' | 'transport', signer: Signer) =>
      signer.sign(memberPossessionBytes(purpose, signer.publicKey, base))
    return {
      op: 'replace',
      id: memberId(id),
      member: {
        consensusKey: consensus.publicKey,
        transportKey: transport.publicKey,
        operator: undefined,
        addresses: [`/dns/${name}/tcp/7400`],
        possession: { consensus: prove('consensus', consensus), transport: prove('transport', transport) },
        held: new Uint8Array(0),
        joined: consensus.sign(joinBytes(consensus.publicKey, base, '')),
      },
    }
  }

  rotation(id: number, name: string): Edit {
    const signer = consensusNamed(name)
    const base = { clusterId: GENESIS.clusterId, membership: this.chain.last.membership.digest }
    const possession = signer.sign(memberPossessionBytes('consensus', signer.publicKey, base))
    return { op: 'rotate-key', id: memberId(id), consensusKey: signer.publicKey, possession }
  }

  /** Entries without requests up to the end of the epoch, which is then handed over; `forge` makes another charter of the agreed one. */
  endEpoch(forge: (charter: Charter) => Charter = (charter) => charter): this {
    this.forge = forge
    const lastSlot = this.executor.succession()?.lastSlot
    if (lastSlot === undefined) throw new Error('no change is in flight')
    while (this.slots.length < lastSlot) this.append([])
    return this
  }

  /** The next entry: chosen, executed, and checkpointed where it is time. No requests make a no-op. */
  append(requests: readonly SignedRequest[]): Entry {
    const at = slot(this.slots.length + 1)
    const { epoch } = this.chain.last.charter
    const entry = requests.length === 0 ? noopEntry(at, epoch) : batchEntry(at, epoch, 1_700_000_000_000 + at, requests)
    const certificate = this.certificate('accept', { slot: at, digest: entry.digest }, [0, 1, 2])
    const { timestampMs } = entry.header
    const { records, root } = this.executor.execute({ slot: at, timestampMs, requests })
    const receipt = this.certificate('receipt', { slot: at, digest: root }, [0, 1])
    this.slots.push({ entry, certificate, receipt, records })
    this.frontier = appendLeaf(this.frontier, entry.digest)
    if (at % INTERVAL === 0) this.checkpoint()
    return entry
  }

  /** By the member at this index of the epoch, in its view 0 unless told. */
  vote(replica: number, change: Partial<VoteStatement>, of: EpochContext = this.chain.last): Vote {
    const statement: VoteStatement = {
      kind: 'accept',
      clusterId: GENESIS.clusterId,
      membership: of.membership.digest,
      view: view(0),
      justification: change.kind === 'receipt' ? ZERO_DIGEST : of.start.justification,
      slot: slot(this.slots.length + 1),
      digest: bytesFor('nothing'),
      ...change,
    }
    return signVote(statement, replicaIndex(replica), signerAt(of, replica))
  }

  note(
    replica: number,
    content: Omit<CheckpointVote, 'replica' | 'signature'>,
    of: EpochContext = this.chain.last,
  ): CheckpointVote {
    const bytes = checkpointBytes(content, of.membership, GENESIS.contents.name)
    return { ...content, replica: replicaIndex(replica), signature: signerAt(of, replica).sign(bytes) }
  }

  /** The note of these. */
  noteOf(checkpoint: StableCheckpoint, of: EpochContext): string {
    const keys = checkpointKeys(of.membership, GENESIS.contents.name)
    const signatures = checkpoint.signatures.flatMap(({ replica, signature }) => {
      const key = keys[replica]
      return key === undefined ? [] : [{ name: key.name, id: key.id, signature }]
    })
    const signed = fromUtf8(checkpointBytes(checkpoint, of.membership, GENESIS.contents.name)) ?? ''
    return text(formatNote({ text: signed, signatures }))
  }

  certificate(
    kind: CertificateKind,
    change: Partial<VoteStatement>,
    by: readonly number[],
    of: EpochContext = this.chain.last,
  ): Certificate {
    const votes = by.map((replica) => markVerified(this.vote(replica, { ...change, kind }, of)))
    const [first] = votes
    const made = first && assembleCertificate({ ...first.statement, kind }, votes, of.membership)
    if (made === undefined) throw new Error('too few votes')
    return made
  }

  /** Of the first view after the one that the epoch began with, and carrying over what it began with alone. */
  newView(of: EpochContext = this.chain.last): NewView {
    const to = view(1)
    const viewChanges = [0, 1, 2].map((replica) => {
      const body = { view: to, stable: startCheckpoint(of), prepared: [] }
      const said = { kind: 'view-change', view: to, slot: of.start.slot, digest: viewChangeDigest(body) } as const
      return { ...body, vote: this.vote(replica, said, of) }
    })
    const digest = newViewDigest(to, viewChanges)
    const vote = this.vote(
      1,
      { kind: 'new-view', view: to, slot: select(viewChanges, of.charter.epoch).start.slot, digest },
      of,
    )
    return { view: to, viewChanges, vote, proposals: [] }
  }

  idOf(replica: number, of: EpochContext = this.chain.last): MemberId {
    const id = of.charter.members[replica]?.id
    if (id === undefined) throw new Error('no such member')
    return id
  }

  /** A bundle of these slots. `lead`: with proofs that the checkpoints lead to the last epoch's log. */
  bundle(
    options: { from?: number; to?: number; contents?: BundleContents; lead?: boolean; accounts?: boolean } = {},
  ): Uint8Array {
    const { from = 1, to = this.slots.length, lead = true, accounts = true } = options
    const writer = new BundleWriter()
    const tree = merkleTree(this.slots.map(({ entry }) => entry.digest))
    const start = this.chain.last.start.slot
    const parts = [writer.head(GENESIS, options.contents ?? { kind: 'slots', from, to }, this.chain)]
    let above = 0
    for (const { entry, certificate, receipt, records } of this.slots.slice(from - 1, to)) {
      const at = entry.header.slot
      const covering = this.checkpoints.find(({ checkpoint }) => checkpoint.slot >= at)
      const size = covering?.checkpoint.slot
      if (covering !== undefined && size !== undefined && size > above) {
        above = size
        const leads = lead && size < start ? consistencyProof(tree.read, size, start) : undefined
        parts.push(writer.checkpoint(covering.note, covering.frontier, leads))
      }
      const path = size === undefined ? undefined : inclusionProof(tree.read, at - 1, size)
      parts.push(writer.entry({ entry, certificate, results: { receipt, records }, path }))
    }
    for (const newView of accounts ? this.newViews : []) parts.push(writer.newView(newView) ?? '')
    for (const { epoch, evidence } of accounts ? this.evidence : []) {
      parts.push(writer.evidence(evidence, epoch.charter.epoch) ?? '')
    }
    return utf8([...parts, writer.end()].join(''))
  }

  /** What the replica keeps whose receipts are the `index`-th of each slot, changed as `lie` wants. */
  archive(index: number, lie: (slot: ArchivedSlot) => ArchivedSlot | undefined = (each) => each): Archive {
    const { slots, checkpoints, newViews, evidence, chain } = this
    return {
      replica: replicaIndex(index),
      extent: async () => ({ first: 1, last: slots.length }),
      async *handOvers() {
        yield* chain.links
      },
      async *slots(from, to) {
        for (const { entry, certificate, receipt, records } of slots.slice(from - 1, to)) {
          const signed = receipt.signatures[index]
          const own = signed && { statement: receipt.statement, ...signed }
          const told = lie({ entry, certificate, receipt: own, records })
          if (told !== undefined) yield told
        }
      },
      async *checkpoints(from, to) {
        for (const { checkpoint, frontier } of checkpoints) {
          if (checkpoint.slot >= from && checkpoint.slot <= to) yield { checkpoint, frontier }
        }
      },
      newViews: async () => newViews,
      evidence: async () => evidence.map((each) => each.evidence),
      close: async () => {},
    }
  }

  /** Of the only request of a slot. */
  receiptFor(at: number): BundleReceipt {
    const kept = this.slots[at - 1]
    const [request] = kept?.entry.requests ?? []
    const [record] = kept?.records ?? []
    if (kept === undefined || request === undefined || record === undefined) throw new Error('no such request')
    const path = inclusionProof(merkleTree(kept.records.map(leafHash)).read, 0, 1)
    return { request, certificate: kept.receipt, record, index: 0, count: 1, path }
  }

  /** What a replica proves about a key of the store right after a checkpoint. */
  state(key: string): BundleState {
    const made = this.checkpoints.at(-1)
    if (made?.checkpoint.slot !== this.slots.length) throw new Error('no checkpoint of this slot')
    const state = this.executor.snapshot()
    const partOf = (stateKey: Uint8Array) => ({ value: state.get(stateKey), proof: state.prove(stateKey) })
    const stateKey = kvStateKey(utf8(key))
    const proof = { key: stateKey, ...partOf(stateKey), position: partOf(POSITION_STATE_KEY) }
    state.close()
    return { checkpoint: made.checkpoint, frontier: made.frontier, proof }
  }

  private checkpoint(): void {
    const { last } = this.chain
    const at = slot(this.slots.length)
    const succession = this.executor.succession()
    const charter = succession?.lastSlot === at ? this.forge(succession.charter) : undefined
    const next = charter && membershipOf(charter, GENESIS.clusterId).digest
    const logRoot = frontierRoot(this.frontier)
    const content = { slot: at, logRoot, stateRoot: this.executor.stateRoot(), next }
    const signatures = [0, 1, 2].map((replica) => this.note(replica, content))
    const checkpoint = {
      ...content,
      signatures: signatures.map(({ replica, signature }) => ({ replica, signature })),
    }
    this.checkpoints.push({ checkpoint, frontier: this.frontier, note: utf8(this.noteOf(checkpoint, last)) })
    if (charter === undefined) return
    const longer = this.chain.extend({ checkpoint, charter })
    if (!longer.ok) throw new Error(JSON.stringify(longer.fault))
    this.chain = longer.value
  }

  private request(client: Signer, command: Uint8Array): SignedRequest {
    const sequence = (this.sequences.get(client) ?? 0) + 1
    this.sequences.set(client, sequence)
    const request = { client: client.publicKey, sequence, command }
    const id = requestId(request)
    const { clusterId } = GENESIS
    const signed = { kind: 'bundle', clusterId, client: client.publicKey, count: 1, root: id } as const
    const proof = { index: 0, count: 1, root: id, path: [], signature: client.sign(statementBytes(signed)) }
    return { request, id, proof }
  }
}

/** Three epochs: member 0 is replaced by 4, then 1 has another key; the last epoch has decided something too. */
export function threeEpochs(): EpochsLog {
  const log = new EpochsLog().fill(2)
  log
    .change([log.replacement(0, 'four')])
    .endEpoch()
    .fill(1)
  return log
    .change([log.rotation(1, 'one anew')])
    .endEpoch()
    .fill(5)
}

/**
 * The same log up to the end of its second epoch, whose members all have other keys in the third. Whoever calls this again has what a
 * thief has who stole all keys of the second epoch after it was over.
 */
export function secondEpoch(): EpochsLog {
  const log = new EpochsLog().fill(2)
  return log
    .change([log.replacement(0, 'four')])
    .endEpoch()
    .fill(1)
}

export function rotateAll(log: EpochsLog): EpochsLog {
  return log.change([4, 1, 2, 3].map((id) => log.rotation(id, `${id} anew`)))
}

/** The charter of the same epoch with keys of somebody else for everybody. */
export function captured(charter: Charter): Charter {
  const members = charter.members.map((member) => ({
    ...member,
    consensusKey: consensusNamed(`thief ${member.id}`).publicKey,
    transportKey: signerNamed(`epochs transport of thief ${member.id}`).publicKey,
  }))
  return { ...charter, members }
}

export const text = (bytes: Uint8Array) => fromUtf8(bytes) ?? ''
export const linesOf = (bytes: Uint8Array) => text(bytes).trimEnd().split('\n')
