import { expect, it } from 'vitest'
import {
  appendLeaf,
  type Certificate,
  EMPTY_FRONTIER,
  epoch,
  hex,
  replicaIndex,
  signVote,
  slot,
  utf8,
  type VoteKind,
  view,
} from '../../crypto/index.ts'
import { encodeCharter } from '../../keys/charter/index.ts'
import {
  batchEntry,
  type DurableRecord,
  EpochChain,
  type Evidence,
  type Message,
  type NewView,
  noopEntry,
  type ViewChange,
} from '../../src/consensus/index.ts'
import {
  type Answer,
  ARCHIVE_KINDS,
  encodeArchivedSlot,
  encodeClientFrame,
  encodeEvidence,
  encodeHandOver,
  encodeMessage,
  encodeOutcome,
  encodeRecord,
  encodeReplicaFrame,
  encodeTransferFrame,
  type Question,
  RECORD_KINDS,
  type WatchUpdate,
} from '../../src/wire/index.ts'
import { chainParts } from '../support/chain.ts'
import { bytesFor, testCluster } from '../support/cluster.ts'
import { golden } from '../support/golden.ts'
import { bundleOf } from './arbitraries.ts'

const cluster = testCluster()
const vote = (kind: VoteKind, replica = 0) => cluster.vote(replica, { kind, view: view(5), slot: slot(300) })
const certificate = (kind: VoteKind): Certificate => {
  const votes = [0, 2, 3].map((replica) => vote(kind, replica))
  return {
    statement: cluster.statement({ kind, view: view(5), slot: slot(300) }),
    signatures: votes.map(({ replica, signature }) => ({ replica, signature })),
  }
}
const roots = { slot: slot(256), logRoot: bytesFor('log'), stateRoot: bytesFor('state'), next: undefined }
const checkpointVote = { ...roots, replica: replicaIndex(1), signature: vote('receipt', 1).signature }
const stable = { ...roots, signatures: certificate('accept').signatures }
const viewChange: ViewChange = {
  view: view(5),
  stable,
  prepared: [certificate('prepare')],
  vote: vote('view-change', 2),
}
const newView: NewView = {
  view: view(5),
  viewChanges: [viewChange],
  vote: vote('new-view', 1),
  proposals: [vote('prepare', 1)],
}
const requests = [
  ...bundleOf(['put a', 'put b', 'put c'].map(utf8), 1),
  ...bundleOf(['get a', '', 'get c', 'get d', 'get e'].map(utf8), 2, 7).filter(({ proof }) => proof.index !== 2),
]
const entry = batchEntry(slot(300), epoch(0), 1_800_000_000_000, requests)
const noop = noopEntry(slot(301), epoch(0))
const frontier = ['a', 'b', 'c'].reduce((made, leaf) => appendLeaf(made, bytesFor(leaf)), EMPTY_FRONTIER)
const chosen = { entry, certificate: certificate('accept') }
const evidence: readonly Evidence[] = [
  {
    kind: 'two-votes',
    accused: replicaIndex(0),
    first: vote('prepare'),
    second: signVote(cluster.statement({ kind: 'prepare' }), replicaIndex(0), cluster.signers[0] ?? fail()),
  },
  {
    kind: 'two-checkpoints',
    accused: replicaIndex(1),
    first: checkpointVote,
    second: { ...checkpointVote, logRoot: bytesFor('other') },
  },
  { kind: 'hidden-prepared', accused: replicaIndex(2), accept: vote('accept', 2), viewChange },
  { kind: 'against-new-view', accused: replicaIndex(3), vote: vote('accept', 3), newView },
  { kind: 'wrong-receipt', accused: replicaIndex(3), receipt: vote('receipt', 3), certificate: certificate('receipt') },
]

function fail(): never {
  throw new Error('no such signer')
}

const ending = { ...checkpointVote, next: bytesFor('next') }
const handedOver = { ...stable, next: bytesFor('next') }
const late = { kind: 'past-the-end', accused: replicaIndex(1), end: ending } as const
const { charter } = EpochChain.genesis(chainParts([0, 1, 2, 3])).last

const messages: { readonly [Kind in Message['kind']]: Extract<Message, { readonly kind: Kind }> } = {
  requests: { kind: 'requests', requests },
  propose: { kind: 'propose', vote: vote('prepare'), entry },
  vote: { kind: 'vote', vote: vote('accept') },
  'view-change': { kind: 'view-change', viewChange },
  'new-view': { kind: 'new-view', newView },
  checkpoint: { kind: 'checkpoint', vote: checkpointVote },
  stable: { kind: 'stable', checkpoint: stable },
  entries: { kind: 'entries', entries: [chosen] },
  bodies: { kind: 'bodies', entries: [noop, entry] },
  evidence: { kind: 'evidence', evidence: evidence[0] ?? fail() },
  heartbeat: {
    kind: 'heartbeat',
    view: view(5),
    active: true,
    chosen: slot(301),
    executed: slot(300),
    stable: slot(256),
    heard: [0, 2, 3].map(replicaIndex),
  },
  'fetch-entries': { kind: 'fetch-entries', from: slot(257), to: slot(300) },
  'fetch-bodies': { kind: 'fetch-bodies', digests: [{ slot: slot(300), digest: entry.digest }] },
  probe: { kind: 'probe', view: view(6) },
  'probe-answer': { kind: 'probe-answer', view: view(6) },
  'lease-ask': { kind: 'lease-ask', view: view(6), monotonicMs: 1234, wallMs: 1_767_225_600_000 },
  'lease-grant': { kind: 'lease-grant', view: view(6), monotonicMs: 1234, wallMs: 1_767_225_600_000 },
}

const records: { readonly [Kind in DurableRecord['kind']]: Extract<DurableRecord, { readonly kind: Kind }> } = {
  entry: { kind: 'entry', entry },
  vote: { kind: 'vote', vote: vote('prepare') },
  prepared: { kind: 'prepared', certificate: certificate('prepare') },
  chosen: { kind: 'chosen', certificate: certificate('accept') },
  promise: { kind: 'promise', viewChange },
  'new-view': { kind: 'new-view', newView },
  checkpoint: { kind: 'checkpoint', vote: checkpointVote, frontier },
  stable: { kind: 'stable', checkpoint: stable, frontier },
  evidence: { kind: 'evidence', evidence: evidence[1] ?? fail() },
  'hand-over': { kind: 'hand-over', handOver: { checkpoint: handedOver, charter }, frontier },
}

const questions: readonly Question[] = [
  { kind: 'status' },
  { kind: 'slots', from: slot(1), to: slot(300) },
  { kind: 'checkpoints', from: slot(1), to: slot(300) },
  { kind: 'new-views' },
  { kind: 'evidence' },
  { kind: 'read', commands: [utf8('get a'), utf8('')], lease: false },
  { kind: 'read', commands: [utf8('get a')], lease: true },
  { kind: 'prove', keys: [utf8('a'), utf8('b')] },
  { kind: 'state', atMost: slot(256), path: bytesFor('path') },
  { kind: 'chain', from: epoch(0) },
  { kind: 'chain', from: epoch(300) },
]

const archived = { ...chosen, receipt: vote('receipt'), records: [utf8('record 1'), utf8('record 2')] }
const answers: readonly Answer[] = [
  {
    kind: 'status',
    status: {
      replica: replicaIndex(1),
      epoch: epoch(0),
      view: view(5),
      leader: replicaIndex(1),
      active: true,
      chosen: slot(301),
      executed: slot(300),
      stable: slot(256),
      stateRoot: bytesFor('state'),
      firstSlot: slot(1),
      pending: 17,
      transferring: false,
      requests: 12_345,
      uptimeMs: 60_000,
      connected: [0, 2, 3].map(replicaIndex),
      lies: [{ accused: replicaIndex(3), kind: 'two-votes', count: 2 }],
      liar: '',
      alarms: ['disk'],
      version: '0.2.0',
    },
  },
  { kind: 'slots', slots: [archived, { ...chosen, receipt: undefined, records: [] }] },
  { kind: 'checkpoints', checkpoints: [{ checkpoint: stable, frontier }] },
  { kind: 'new-views', newViews: [newView] },
  { kind: 'evidence', evidence },
  { kind: 'refused', reason: 'unknown client' },
  {
    kind: 'read',
    epoch: epoch(0),
    slot: slot(300),
    first: 1,
    results: [
      { outcome: 'done', result: utf8('of a') },
      { outcome: 'unknown-client', result: utf8('') },
    ],
  },
  { kind: 'prove', state: undefined },
  {
    kind: 'prove',
    state: {
      checkpoint: stable,
      frontier,
      position: { value: utf8('position'), proof: utf8('its proof') },
      values: [
        { value: utf8('of a'), proof: utf8('proof of a') },
        { value: undefined, proof: utf8('proof that there is no b') },
      ],
    },
  },
  { kind: 'state', part: undefined },
  { kind: 'state', part: { checkpoint: stable, frontier, chunk: utf8('chunk') } },
  { kind: 'chain', links: [{ checkpoint: handedOver, charter }] },
]

const watched: readonly WatchUpdate[] = [
  {
    ...{ kind: 'batch', id: 7, after: slot(299), upTo: slot(301) },
    slots: [
      {
        slot: slot(300),
        header: entry.header,
        certificate: certificate('accept'),
        timestampMs: 1_800_000_000_000,
        requests: [
          {
            ...{ index: 0, client: requests[0]?.request.client ?? fail(), sequence: 1 },
            identity: { kind: 'id', id: requests[0]?.id ?? fail() },
          },
          {
            ...{ index: 1, client: requests[1]?.request.client ?? fail(), sequence: 2 },
            identity: { kind: 'proof', command: utf8('put b'), path: [bytesFor('path')] },
          },
        ],
        changes: [
          { index: 0, key: utf8('a'), value: utf8('stored') },
          { index: 1, key: utf8('b'), value: undefined },
        ],
      },
      {
        ...{ slot: slot(301), header: noop.header, certificate: certificate('accept') },
        ...{ timestampMs: 1_800_000_000_000, requests: [] },
        changes: [{ index: undefined, key: utf8('c'), value: new Uint8Array(0) }],
      },
    ],
  },
  { kind: 'ended', id: 8, code: 'fell-behind', firstSlot: slot(290) },
]

it('the formats of wire and disk stay as they are', () => {
  const reply = {
    view: view(5),
    receipt: vote('receipt'),
    count: 2,
    items: [{ index: 1, record: utf8('record') }],
    hashes: bytesFor('path'),
  }
  const [path, chunk] = [Uint8Array.from(bytesFor('path')), utf8('chunk')]
  const made = {
    messages: Object.fromEntries(
      Object.entries(messages).map(([kind, message]) => [kind, hex(encodeMessage(message, epoch(0)))]),
    ),
    records: Object.fromEntries(Object.entries(records).map(([kind, record]) => [kind, hex(encodeRecord(record))])),
    recordKinds: { ...RECORD_KINDS, ...ARCHIVE_KINDS },
    client: [
      hex(encodeClientFrame({ kind: 'requests', requests })),
      ...questions.map((question, id) => hex(encodeClientFrame({ kind: 'ask', id, question }))),
      hex(
        encodeClientFrame({
          ...{ kind: 'watch', id: 7, start: utf8('a'), end: utf8('b') },
          ...{ after: slot(299), credit: 1000, single: true },
        }),
      ),
      hex(encodeClientFrame({ kind: 'credit', credits: [{ id: 7, more: 500 }] })),
      hex(encodeClientFrame({ kind: 'unwatch', id: 7 })),
    ],
    replica: [
      hex(encodeReplicaFrame({ kind: 'replies', replies: [reply] })),
      hex(encodeReplicaFrame({ kind: 'refusal', request: bytesFor('request'), code: 'not-allowed' })),
      ...answers.map((answer, id) => hex(encodeReplicaFrame({ kind: 'answer', id, last: id > 0, answer }))),
      hex(encodeReplicaFrame({ kind: 'watched', updates: watched })),
    ],
    transfer: [
      hex(encodeTransferFrame({ kind: 'ask', slot: slot(256), path })),
      hex(
        encodeTransferFrame({ kind: 'chunk', slot: slot(256), path, frontier, timestampMs: 1_800_000_000_000, chunk }),
      ),
      hex(encodeTransferFrame({ kind: 'none', slot: slot(256) })),
    ],
    epochs: {
      later: hex(encodeMessage(messages.heartbeat, epoch(300))),
      fetchChain: hex(encodeMessage({ kind: 'fetch-chain', from: epoch(2) }, epoch(2))),
      chain: hex(
        encodeMessage(
          { kind: 'chain', links: [{ checkpoint: handedOver, charter: encodeCharter(charter) }], stable },
          epoch(3),
        ),
      ),
      whatOfMe: hex(encodeMessage({ kind: 'what-of-me' }, epoch(3))),
      heldOfYou: [
        { promise: undefined, vote: undefined, note: undefined },
        { promise: vote('view-change', 1), vote: vote('accept', 1), note: checkpointVote },
      ].map((held) => hex(encodeMessage({ kind: 'held-of-you', ...held }, epoch(3)))),
      checkpoint: hex(encodeMessage({ kind: 'checkpoint', vote: ending }, epoch(0))),
      stable: hex(encodeMessage({ kind: 'stable', checkpoint: handedOver }, epoch(0))),
      pastTheEnd: [
        hex(encodeEvidence({ ...late, late: { kind: 'vote', vote: vote('accept', 1) } })),
        hex(encodeEvidence({ ...late, late: { kind: 'checkpoint', vote: { ...checkpointVote, slot: slot(384) } } })),
      ],
      handOver: hex(encodeHandOver({ checkpoint: handedOver, charter })),
    },
    archivedSlot: hex(encodeArchivedSlot(archived)),
    outcome: hex(encodeOutcome(archived)),
  }
  expect(golden('wire', made)).toEqual(made)
})

it('the kind of a record is its number in the schema, and the one the store gets', () => {
  for (const record of Object.values(records)) {
    // Version byte, then the tag: field number times eight, and 2 for what has a length.
    expect(encodeRecord(record)[1]).toBe(RECORD_KINDS[record.kind] * 8 + 2)
  }
  const numbers = [...Object.values(RECORD_KINDS), ...Object.values(ARCHIVE_KINDS)]
  expect(new Set(numbers).size).toBe(numbers.length)
})
