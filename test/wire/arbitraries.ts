// Anything that may be put on the wire, for property tests. Signatures in it are any 64 bytes; inclusion proofs hold,
// entries have the root and digest of their requests, and what the wire leaves out as following from the rest does
// follow from it.

import fc from 'fast-check'
import {
  appendLeaf,
  type Certificate,
  type Digest,
  digest,
  EMPTY_FRONTIER,
  epoch,
  type Frontier,
  inclusionProof,
  MAX_REPLICAS,
  merkleTree,
  publicKey,
  replicaIndex,
  type Signature,
  sha256,
  signature,
  slot,
  utf8,
  type Vote,
  type VoteKind,
  view,
} from '../../crypto/index.ts'
import {
  batchEntry,
  type CheckpointVote,
  type ChosenEntry,
  type DurableRecord,
  type Entry,
  EpochChain,
  type Evidence,
  type HandOver,
  type Message,
  type NewView,
  noopEntry,
  requestId,
  type SignedRequest,
  type StableCheckpoint,
  type ViewChange,
} from '../../src/consensus/index.ts'
import { type Outcome as MachineOutcome, OUTCOME_BYTES } from '../../src/machine/index.ts'
import type {
  Answer,
  ArchivedCheckpoint,
  ArchivedSlot,
  ChainMessage,
  ClientFrame,
  Outcome,
  Question,
  RefusalCode,
  ReplicaFrame,
  ReplicaStatus,
  SlotReply,
  StartMessage,
  TransferFrame,
  WatchEndCode,
  WatchedRequest,
  WatchedSlot,
  WatchUpdate,
} from '../../src/wire/index.ts'

import { chainParts, charterAfter } from '../support/chain.ts'

type Arbitrary<Value> = fc.Arbitrary<Value>

/** Small numbers, those where an encoding gets longer, and the largest. */
export const anyNumber: Arbitrary<number> = fc.oneof(
  fc.nat(300),
  fc.constantFrom(0, 127, 128, 16_383, 16_384, 2 ** 31, 2 ** 32, 2 ** 49, Number.MAX_SAFE_INTEGER),
  fc.maxSafeNat(),
)
export const anyEpoch = anyNumber.map(epoch)
export const anySlot = anyNumber.map(slot)
export const anyView = anyNumber.map(view)
export const anyReplica = fc.nat(MAX_REPLICAS - 1).map(replicaIndex)
const seed = fc.nat(1 << 20)
export const anyDigest: Arbitrary<Digest> = fc.oneof(
  { weight: 9, arbitrary: seed.map((label) => sha256(utf8(`digest ${label}`))) },
  { weight: 1, arbitrary: fc.constant(digest(new Uint8Array(32))) },
)
export const anySignature: Arbitrary<Signature> = seed.map((label) => {
  const half = sha256(utf8(`signature ${label}`))
  return signature(Uint8Array.of(...half, ...half.toReversed()))
})
export const anyBytes = fc.uint8Array({ maxLength: 40 }).map((bytes) => Uint8Array.from(bytes))
const text = fc.string({ unit: 'binary', maxLength: 20 })

function vote(...kinds: readonly VoteKind[]): Arbitrary<Vote> {
  return fc.record({
    statement: fc.record({
      kind: fc.constantFrom(...kinds),
      clusterId: anyDigest,
      membership: anyDigest,
      view: anyView,
      justification: anyDigest,
      slot: anySlot,
      digest: anyDigest,
    }),
    replica: anyReplica,
    signature: anySignature,
  })
}

export const anyVote = vote('prepare', 'accept', 'view-change', 'new-view', 'receipt')

const signers = fc.uniqueArray(fc.nat(MAX_REPLICAS - 1), { maxLength: 5 }).chain((indices) => {
  const ascending = indices.toSorted((a, b) => a - b)
  return fc.tuple(
    ...ascending.map((at) => fc.record({ replica: fc.constant(replicaIndex(at)), signature: anySignature })),
  )
})

export const anyCertificate: Arbitrary<Certificate> = fc
  .tuple(anyVote, signers)
  .map(([{ statement }, signatures]) => ({ statement, signatures }))

export const anyStable: Arbitrary<StableCheckpoint> = fc.record({
  slot: anySlot,
  logRoot: anyDigest,
  stateRoot: anyDigest,
  next: fc.option(anyDigest, { nil: undefined }),
  signatures: signers,
})

export const anyCheckpointVote: Arbitrary<CheckpointVote> = fc.record({
  slot: anySlot,
  logRoot: anyDigest,
  stateRoot: anyDigest,
  next: fc.option(anyDigest, { nil: undefined }),
  replica: anyReplica,
  signature: anySignature,
})

export const anyFrontier: Arbitrary<Frontier> = fc.nat(40).map((leaves) => {
  let frontier = EMPTY_FRONTIER
  for (let i = 0; i < leaves; i++) frontier = appendLeaf(frontier, sha256(utf8(`leaf ${i}`)))
  return frontier
})

export const anyViewChange: Arbitrary<ViewChange> = fc
  .record({ stable: anyStable, prepared: fc.array(anyCertificate, { maxLength: 3 }), vote: vote('view-change') })
  .map((parts) => ({ view: parts.vote.statement.view, ...parts }))

export const anyNewView: Arbitrary<NewView> = fc
  .record({
    viewChanges: fc.array(anyViewChange, { maxLength: 3 }),
    vote: vote('new-view'),
    proposals: fc.array(vote('prepare'), { maxLength: 3 }),
  })
  .map((parts) => ({ view: parts.vote.statement.view, ...parts }))

export const anyEvidence: Arbitrary<Evidence> = fc.oneof(
  fc
    .record({ first: anyVote, second: anyVote })
    .map((parts): Evidence => ({ kind: 'two-votes', accused: parts.first.replica, ...parts })),
  fc
    .record({ first: anyCheckpointVote, second: anyCheckpointVote })
    .map((parts): Evidence => ({ kind: 'two-checkpoints', accused: parts.first.replica, ...parts })),
  fc
    .record({ accept: vote('accept'), viewChange: anyViewChange })
    .map((parts): Evidence => ({ kind: 'hidden-prepared', accused: parts.accept.replica, ...parts })),
  fc
    .record({ vote: anyVote, newView: anyNewView })
    .map((parts): Evidence => ({ kind: 'against-new-view', accused: parts.vote.replica, ...parts })),
  fc
    .record({ receipt: vote('receipt'), certificate: anyCertificate })
    .map((parts): Evidence => ({ kind: 'wrong-receipt', accused: parts.receipt.replica, ...parts })),
  fc
    .record({
      end: anyCheckpointVote,
      late: fc.oneof(
        fc.record({ kind: fc.constant('vote' as const), vote: anyVote }),
        fc.record({ kind: fc.constant('checkpoint' as const), vote: anyCheckpointVote }),
      ),
    })
    .map((parts): Evidence => ({ kind: 'past-the-end', accused: parts.end.replica, ...parts })),
)

const { last } = EpochChain.genesis(chainParts([0, 1, 2, 3]))
const charters = [last.charter, charterAfter(last, [3, 2, 4, 5, 0], 256), charterAfter(last, [], 1)]

export const anyHandOver: Arbitrary<HandOver> = fc.record({
  checkpoint: anyStable,
  charter: fc.constantFrom(...charters),
})

/** A whole bundle of one client, in order. */
export function bundleOf(commands: readonly Uint8Array[], client: number, first = 1): SignedRequest[] {
  const key = publicKey(sha256(utf8(`client ${client}`)))
  const requests = commands.map((command, i) => ({ client: key, sequence: first + i, command }))
  const ids = requests.map(requestId)
  const tree = merkleTree(ids)
  const half = sha256(utf8(`bundle ${client} ${first}`))
  const shared = { count: commands.length, root: tree.root(), signature: signature(Uint8Array.of(...half, ...half)) }
  return requests.flatMap((request, index) => {
    const id = ids[index]
    return id
      ? [{ request, id, proof: { index, path: inclusionProof(tree.read, index, commands.length), ...shared } }]
      : []
  })
}

const anyBundle = fc
  .tuple(fc.array(anyBytes, { minLength: 1, maxLength: 12 }), fc.nat(3), fc.integer({ min: 1, max: 1000 }))
  .map(([commands, client, first]) => bundleOf(commands, client, first))

/** Requests of several bundles, whole or in part, in any order, some of them twice. */
export const anyRequests: Arbitrary<readonly SignedRequest[]> = fc
  .array(anyBundle, { maxLength: 3 })
  .chain((bundles) =>
    fc.oneof(
      fc.constant(bundles.flat()),
      fc.shuffledSubarray(bundles.flat()),
      fc.subarray([...bundles.flat(), ...bundles.flat()]),
    ),
  )

export const anyEntry: Arbitrary<Entry> = fc.oneof(
  fc.tuple(anySlot, anyNumber).map(([at, of]) => noopEntry(at, epoch(of))),
  fc
    .tuple(anySlot, anyNumber, anyNumber, anyRequests)
    .map(([at, of, timestampMs, requests]) => batchEntry(at, epoch(of), timestampMs, requests)),
)

export const anyChosen: Arbitrary<ChosenEntry> = fc.record({ entry: anyEntry, certificate: anyCertificate })

type Arbitraries<Value extends { readonly kind: string }> = {
  readonly [Kind in Value['kind']]: Arbitrary<Extract<Value, { readonly kind: Kind }>>
}

function kind<Kind extends string>(name: Kind): Arbitrary<Kind> {
  return fc.constant(name)
}

export const chainMessages: Arbitraries<ChainMessage> = {
  'fetch-chain': fc.record({ kind: kind('fetch-chain'), from: anyEpoch }),
  chain: fc.record({
    kind: kind('chain'),
    links: fc.array(fc.record({ checkpoint: anyStable, charter: anyBytes }), { maxLength: 3 }),
    stable: fc.option(anyStable, { nil: undefined }),
  }),
}

export const startMessages: Arbitraries<StartMessage> = {
  'what-of-me': fc.record({ kind: kind('what-of-me') }),
  'held-of-you': fc.record({
    kind: kind('held-of-you'),
    promise: fc.option(vote('view-change'), { nil: undefined }),
    vote: fc.option(vote('accept'), { nil: undefined }),
    note: fc.option(anyCheckpointVote, { nil: undefined }),
  }),
}

/** By kind: a kind without an arbitrary does not compile. */
export const messages: Arbitraries<Message> = {
  requests: fc.record({ kind: kind('requests'), requests: anyRequests }),
  propose: fc.record({ kind: kind('propose'), vote: vote('prepare'), entry: anyEntry }),
  vote: fc.record({ kind: kind('vote'), vote: anyVote }),
  'view-change': fc.record({ kind: kind('view-change'), viewChange: anyViewChange }),
  'new-view': fc.record({ kind: kind('new-view'), newView: anyNewView }),
  checkpoint: fc.record({ kind: kind('checkpoint'), vote: anyCheckpointVote }),
  stable: fc.record({ kind: kind('stable'), checkpoint: anyStable }),
  entries: fc.record({ kind: kind('entries'), entries: fc.array(anyChosen, { maxLength: 3 }) }),
  bodies: fc.record({ kind: kind('bodies'), entries: fc.array(anyEntry, { maxLength: 3 }) }),
  evidence: fc.record({ kind: kind('evidence'), evidence: anyEvidence }),
  heartbeat: fc.record({
    kind: kind('heartbeat'),
    view: anyView,
    active: fc.boolean(),
    chosen: anySlot,
    executed: anySlot,
    stable: anySlot,
    heard: fc.array(anyReplica, { maxLength: 5 }),
  }),
  'fetch-entries': fc.record({ kind: kind('fetch-entries'), from: anySlot, to: anySlot }),
  'fetch-bodies': fc.record({
    kind: kind('fetch-bodies'),
    digests: fc.array(fc.record({ slot: anySlot, digest: anyDigest }), { maxLength: 3 }),
  }),
  probe: fc.record({ kind: kind('probe'), view: anyView }),
  'probe-answer': fc.record({ kind: kind('probe-answer'), view: anyView }),
  'lease-ask': fc.record({ kind: kind('lease-ask'), view: anyView, monotonicMs: anyNumber, wallMs: anyNumber }),
  'lease-grant': fc.record({ kind: kind('lease-grant'), view: anyView, monotonicMs: anyNumber, wallMs: anyNumber }),
}

export const records: Arbitraries<DurableRecord> = {
  entry: fc.record({ kind: kind('entry'), entry: anyEntry }),
  vote: fc.record({ kind: kind('vote'), vote: anyVote }),
  prepared: fc.record({ kind: kind('prepared'), certificate: anyCertificate }),
  chosen: fc.record({ kind: kind('chosen'), certificate: anyCertificate }),
  promise: fc.record({ kind: kind('promise'), viewChange: anyViewChange }),
  'new-view': fc.record({ kind: kind('new-view'), newView: anyNewView }),
  checkpoint: fc.record({ kind: kind('checkpoint'), vote: anyCheckpointVote, frontier: anyFrontier }),
  stable: fc.record({ kind: kind('stable'), checkpoint: anyStable, frontier: anyFrontier }),
  evidence: fc.record({ kind: kind('evidence'), evidence: anyEvidence }),
  'hand-over': fc.record({ kind: kind('hand-over'), handOver: anyHandOver, frontier: anyFrontier }),
}

export const questions: Arbitraries<Question> = {
  status: fc.record({ kind: kind('status') }),
  slots: fc.record({ kind: kind('slots'), from: anySlot, to: anySlot }),
  checkpoints: fc.record({ kind: kind('checkpoints'), from: anySlot, to: anySlot }),
  'new-views': fc.record({ kind: kind('new-views') }),
  evidence: fc.record({ kind: kind('evidence') }),
  read: fc.record({ kind: kind('read'), commands: fc.array(anyBytes, { maxLength: 3 }), lease: fc.boolean() }),
  prove: fc.record({ kind: kind('prove'), keys: fc.array(anyBytes, { maxLength: 3 }) }),
  state: fc.record({ kind: kind('state'), atMost: anySlot, path: fc.uint8Array({ maxLength: 32 }) }),
  chain: fc.record({ kind: kind('chain'), from: anyEpoch }),
}

export const clientFrames: Arbitraries<ClientFrame> = {
  requests: fc.record({ kind: kind('requests'), requests: anyRequests }),
  ask: fc.record({ kind: kind('ask'), id: anyNumber, question: oneOf<Question>(questions) }),
  watch: fc.record({
    kind: kind('watch'),
    id: anyNumber,
    start: anyBytes,
    end: fc.option(anyBytes, { nil: undefined }),
    after: anySlot,
    credit: anyNumber,
    single: fc.boolean(),
  }),
  credit: fc.record({
    kind: kind('credit'),
    credits: fc.array(fc.record({ id: anyNumber, more: anyNumber }), { maxLength: 3 }),
  }),
  unwatch: fc.record({ kind: kind('unwatch'), id: anyNumber }),
}

const anyReply: Arbitrary<SlotReply> = fc.record({
  view: anyView,
  receipt: vote('receipt'),
  count: fc.nat(65_536),
  items: fc.array(fc.record({ index: fc.nat(65_535), record: anyBytes }), { maxLength: 3 }),
  hashes: anyBytes,
})

export const anyArchivedSlot: Arbitrary<ArchivedSlot> = fc.record({
  entry: anyEntry,
  certificate: anyCertificate,
  receipt: fc.option(vote('receipt'), { nil: undefined }),
  records: fc.array(anyBytes, { maxLength: 3 }),
})

export const anyArchivedCheckpoint: Arbitrary<ArchivedCheckpoint> = fc.record({
  checkpoint: anyStable,
  frontier: anyFrontier,
})

export const anyStatus: Arbitrary<ReplicaStatus> = fc.record({
  replica: anyReplica,
  epoch: anyEpoch,
  view: anyView,
  leader: anyReplica,
  active: fc.boolean(),
  chosen: anySlot,
  executed: anySlot,
  stable: anySlot,
  stateRoot: anyDigest,
  firstSlot: anySlot,
  pending: anyNumber,
  transferring: fc.boolean(),
  requests: anyNumber,
  uptimeMs: anyNumber,
  connected: fc.array(anyReplica, { maxLength: 5 }),
  lies: fc.array(fc.record({ accused: anyReplica, kind: text, count: anyNumber }), { maxLength: 3 }),
  liar: text,
  alarms: fc.array(text, { maxLength: 3 }),
  version: text,
})

const outcomes = Object.keys(OUTCOME_BYTES) as readonly MachineOutcome[]
const anyProven = fc.record({ value: fc.option(anyBytes, { nil: undefined }), proof: anyBytes })

export const answers: Arbitraries<Answer> = {
  status: fc.record({ kind: kind('status'), status: anyStatus }),
  slots: fc.record({ kind: kind('slots'), slots: fc.array(anyArchivedSlot, { maxLength: 3 }) }),
  checkpoints: fc.record({ kind: kind('checkpoints'), checkpoints: fc.array(anyArchivedCheckpoint, { maxLength: 3 }) }),
  'new-views': fc.record({ kind: kind('new-views'), newViews: fc.array(anyNewView, { maxLength: 2 }) }),
  evidence: fc.record({ kind: kind('evidence'), evidence: fc.array(anyEvidence, { maxLength: 3 }) }),
  refused: fc.record({ kind: kind('refused'), reason: text }),
  read: fc.record({
    kind: kind('read'),
    epoch: anyEpoch,
    slot: anySlot,
    first: fc.nat(255),
    results: fc.array(fc.record({ outcome: fc.constantFrom(...outcomes), result: anyBytes }), { maxLength: 3 }),
  }),
  prove: fc.record({
    kind: kind('prove'),
    state: fc.option(
      fc.record({
        checkpoint: anyStable,
        frontier: anyFrontier,
        position: anyProven,
        values: fc.array(anyProven, { maxLength: 3 }),
      }),
      { nil: undefined },
    ),
  }),
  state: fc.record({
    kind: kind('state'),
    part: fc.option(fc.record({ checkpoint: anyStable, frontier: anyFrontier, chunk: anyBytes }), { nil: undefined }),
  }),
  chain: fc.record({ kind: kind('chain'), links: fc.array(anyHandOver, { maxLength: 2 }) }),
}

const refusalCodes: Readonly<Record<RefusalCode, true>> = {
  busy: true,
  'unknown-client': true,
  'too-large': true,
  'bad-signature': true,
  malformed: true,
  'not-allowed': true,
}

const anyWatchedRequest: Arbitrary<WatchedRequest> = fc.record({
  index: fc.nat(65_535),
  client: anyDigest.map(publicKey),
  sequence: anyNumber,
  identity: fc.oneof(
    fc.record({ kind: kind('id'), id: anyDigest }),
    fc.record({ kind: kind('proof'), command: anyBytes, path: fc.array(anyDigest, { maxLength: 4 }) }),
  ),
})

export const anyWatchedSlot: Arbitrary<WatchedSlot> = fc
  .record({
    entry: anyEntry,
    certificate: anyCertificate,
    timestampMs: anyNumber,
    requests: fc.array(anyWatchedRequest, { maxLength: 3 }),
    changes: fc.array(
      fc.record({
        index: fc.option(fc.nat(65_535), { nil: undefined }),
        key: anyBytes,
        value: fc.option(anyBytes, { nil: undefined }),
      }),
      { maxLength: 3 },
    ),
  })
  .map(({ entry: { header }, ...parts }) => ({ slot: header.slot, header, ...parts }))

const watchEndCodes: Readonly<Record<WatchEndCode, true>> = {
  'fell-behind': true,
  busy: true,
  'not-allowed': true,
  'too-many': true,
}

export const anyWatchUpdate: Arbitrary<WatchUpdate> = fc.oneof(
  fc.record({
    kind: kind('batch'),
    id: anyNumber,
    after: anySlot,
    upTo: anySlot,
    slots: fc.array(anyWatchedSlot, { maxLength: 3 }),
  }),
  fc.record({
    kind: kind('ended'),
    id: anyNumber,
    code: fc.constantFrom(...(Object.keys(watchEndCodes) as WatchEndCode[])),
    firstSlot: anySlot,
  }),
)

export const replicaFrames: Arbitraries<ReplicaFrame> = {
  replies: fc.record({ kind: kind('replies'), replies: fc.array(anyReply, { maxLength: 3 }) }),
  refusal: fc.record({
    kind: kind('refusal'),
    request: anyDigest,
    code: fc.constantFrom(...(Object.keys(refusalCodes) as RefusalCode[])),
  }),
  answer: fc.record({ kind: kind('answer'), id: anyNumber, last: fc.boolean(), answer: oneOf<Answer>(answers) }),
  watched: fc.record({ kind: kind('watched'), updates: fc.array(anyWatchUpdate, { maxLength: 3 }) }),
}

const place = anyDigest.map((path) => Uint8Array.from(path))

export const transferFrames: Arbitraries<TransferFrame> = {
  ask: fc.record({ kind: kind('ask'), slot: anySlot, path: place }),
  chunk: fc.record({
    kind: kind('chunk'),
    slot: anySlot,
    path: place,
    frontier: anyFrontier,
    timestampMs: anyNumber,
    chunk: anyBytes,
  }),
  none: fc.record({ kind: kind('none'), slot: anySlot }),
}

export const anyOutcome: Arbitrary<Outcome> = fc.record({
  receipt: vote('receipt'),
  records: fc.array(anyBytes, { maxLength: 4 }),
})

export const anySignedRequest: Arbitrary<SignedRequest> = anyBundle.chain((bundle) => fc.constantFrom(...bundle))

/** Any of the kinds. */
export function oneOf<Value extends { readonly kind: string }>(kinds: Arbitraries<Value>): Arbitrary<Value> {
  return fc.oneof(...(Object.values(kinds) as Arbitrary<Value>[]))
}
