// A line of a bundle as a record, or one sentence that says why it is none. Nothing is allocated for what a number in a line
// merely claims: counts are compared with what is there.

import {
  type Certificate,
  DIGEST_BYTES,
  type Digest,
  decodeCertificate,
  decodeFrontier,
  digest,
  epoch,
  failure,
  fromHex,
  fromUtf8,
  MAX_PROOF_HASHES,
  MAX_REPLICAS,
  PUBLIC_KEY_BYTES,
  publicKey,
  type ReplicaIndex,
  type Result,
  replicaIndex,
  SIGNATURE_BYTES,
  type Signature,
  signature,
  slot,
  success,
  type Vote,
  view,
} from '../../../crypto/index.ts'
import {
  type CheckpointVote,
  type EntryKind,
  requestId,
  type SignedRequest,
  type StableCheckpoint,
  type ViewChange,
} from '../../consensus/index.ts'
import { isCanonical, isObject } from './canonical.ts'
import {
  BUNDLE_FORMAT,
  type BundleContents,
  type BundleRecord,
  EPOCHS_BUNDLE_FORMAT,
  type Proof,
  type RecordKind,
} from './records.ts'

/** The record in `line`, which holds no line feed. encodeRecord gives the same bytes back. */
export function decodeRecord(line: Uint8Array): Result<BundleRecord, string> {
  const text = fromUtf8(line)
  if (text === undefined) return failure('is not UTF-8 text')
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return failure('is not JSON')
  }
  try {
    const record = recordOf(new Fields(value, ''))
    return isCanonical(record, value, text)
      ? success(record)
      : failure('is not in the one canonical form of its record')
  } catch (error) {
    if (error instanceof Malformed) return failure(error.message)
    throw error
  }
}

/** Thrown and caught within this file. */
class Malformed extends Error {}

type Reader = (fields: Fields) => BundleRecord

const READERS = {
  epoch: (fields) => ({ kind: 'epoch', charter: fields.bytes('charter'), note: fields.text('note') }),
  checkpoint: (fields) => ({
    kind: 'checkpoint',
    note: fields.text('note'),
    frontier: fields.frontier('frontier'),
    consistency: fields.has('consistency') ? fields.path('consistency') : undefined,
  }),
  entry: (fields) => ({
    kind: 'entry',
    header: {
      kind: entryKind(fields),
      slot: slot(fields.number('slot')),
      epoch: epoch(fields.number('epoch')),
      timestampMs: fields.number('timestampMs'),
      count: fields.number('count', 2 ** 32 - 1),
      root: fields.digest('root'),
    },
    certificate: fields.certificate('certificate'),
    receipt: fields.isNull('receipt') ? undefined : fields.certificate('receipt'),
    path: fields.isNull('path') ? undefined : fields.path('path'),
  }),
  request: (fields) => ({ kind: 'request', request: requestOf(fields) }),
  result: (fields) => ({ kind: 'result', record: fields.bytes('record') }),
  receipt: (fields) => ({
    kind: 'receipt',
    certificate: fields.certificate('certificate'),
    index: fields.number('index'),
    count: fields.number('count'),
    path: fields.path('path'),
  }),
  state: (fields) => ({
    kind: 'state',
    proof: {
      key: fields.bytes('key'),
      value: fields.isNull('value') ? undefined : fields.bytes('value'),
      proof: fields.bytes('proof'),
      position: {
        value: fields.isNull('position') ? undefined : fields.bytes('position'),
        proof: fields.bytes('positionProof'),
      },
    },
  }),
  'new-view': (fields) => ({
    kind: 'new-view',
    view: view(fields.number('view')),
    viewChanges: fields.number('viewChanges', MAX_REPLICAS),
    vote: fields.vote('vote'),
    proposals: fields.texts('proposals').map((text) => voteOf(text, 'proposals')),
  }),
  'view-change': (fields) => ({ kind: 'view-change', viewChange: viewChangeOf(fields) }),
  evidence: (fields) => ({
    kind: 'evidence',
    epoch: epoch(fields.has('epoch') ? fields.number('epoch') : 0),
    accused: fields.replica('accused'),
    proof: proofOf(fields.object('proof')),
  }),
  end: (fields) => ({ kind: 'end', sha256: fields.digest('sha256') }),
} satisfies Record<Exclude<RecordKind, 'head'>, Reader>

const READER_OF: ReadonlyMap<string, Reader> = new Map(Object.entries(READERS))

function recordOf(fields: Fields): BundleRecord {
  if (fields.has('format')) {
    const format = fields.text('format')
    if (format !== BUNDLE_FORMAT && format !== EPOCHS_BUNDLE_FORMAT) {
      const read = `${BUNDLE_FORMAT} and ${EPOCHS_BUNDLE_FORMAT}`
      throw new Malformed(`is of the format ${JSON.stringify(format.slice(0, 40))}, this program reads ${read}`)
    }
    return { kind: 'head', format, cluster: fields.digest('cluster'), contents: contentsOf(fields.object('contents')) }
  }
  const kind = fields.text('kind')
  const reader = READER_OF.get(kind)
  if (reader === undefined) throw new Malformed(`is of no known kind: ${JSON.stringify(kind.slice(0, 40))}`)
  return reader(fields)
}

function contentsOf(fields: Fields): BundleContents {
  const kind = fields.text('kind')
  if (kind === 'slots') {
    const from = fields.number('from')
    return { kind, from, to: fields.number('to') }
  }
  if (kind === 'key' || kind === 'state') return { kind, key: fields.bytes('key') }
  if (kind === 'receipt' || kind === 'evidence') return { kind }
  throw new Malformed('has contents of no known kind')
}

function entryKind(fields: Fields): EntryKind {
  const type = fields.text('type')
  if (type === 'noop' || type === 'batch') return type
  throw new Malformed('has a type other than noop and batch')
}

function requestOf(fields: Fields): SignedRequest {
  const request = {
    client: publicKey(fields.bytes('client', PUBLIC_KEY_BYTES)),
    sequence: fields.number('sequence'),
    command: fields.bytes('command'),
  }
  const bundle = fields.object('bundle')
  const proof = {
    index: bundle.number('index'),
    count: bundle.number('count'),
    root: bundle.digest('root'),
    path: bundle.path('path'),
    signature: bundle.signature('signature'),
  }
  return { request, proof, id: requestId(request) }
}

function viewChangeOf(fields: Fields): ViewChange {
  return {
    view: view(fields.number('view')),
    stable: checkpointOf(fields.object('stable')),
    prepared: fields.texts('prepared').map((text) => certificateOf(text, 'prepared')),
    vote: fields.vote('vote'),
  }
}

function checkpointOf(fields: Fields): StableCheckpoint {
  const signatures = fields.list('signatures').map((each) => {
    const signed = new Fields(each, 'signatures')
    return { replica: signed.replica('replica'), signature: signed.signature('signature') }
  })
  return {
    slot: slot(fields.number('slot')),
    logRoot: fields.digest('logRoot'),
    stateRoot: fields.digest('stateRoot'),
    next: undefined,
    signatures,
  }
}

function checkpointVoteOf(fields: Fields): CheckpointVote {
  return {
    slot: slot(fields.number('slot')),
    logRoot: fields.digest('logRoot'),
    stateRoot: fields.digest('stateRoot'),
    next: fields.has('next') ? fields.digest('next') : undefined,
    replica: fields.replica('replica'),
    signature: fields.signature('signature'),
  }
}

function proofOf(fields: Fields): Proof {
  const kind = fields.text('kind')
  switch (kind) {
    case 'two-votes':
      return { kind, first: fields.vote('first'), second: fields.vote('second') }
    case 'two-checkpoints':
      return {
        kind,
        first: checkpointVoteOf(fields.object('first')),
        second: checkpointVoteOf(fields.object('second')),
      }
    case 'hidden-prepared':
      return { kind, accept: fields.vote('accept'), viewChange: viewChangeOf(fields.object('viewChange')) }
    case 'against-new-view':
      return { kind, vote: fields.vote('vote'), newView: fields.digest('newView') }
    case 'wrong-receipt':
      return { kind, receipt: fields.vote('receipt'), certificate: fields.certificate('certificate') }
    case 'past-the-end': {
      const end = checkpointVoteOf(fields.object('end'))
      if (fields.has('vote')) return { kind, end, late: { kind: 'vote', vote: fields.vote('vote') } }
      return { kind, end, late: { kind: 'checkpoint', vote: checkpointVoteOf(fields.object('note')) } }
    }
    default:
      throw new Malformed('has a proof of no known kind')
  }
}

function certificateOf(text: string, name: string): Certificate {
  const bytes = fromHex(text)
  const certificate = bytes && decodeCertificate(bytes)
  if (certificate === undefined) throw new Malformed(`has no certificate in "${name}"`)
  return certificate
}

function voteOf(text: string, name: string): Vote {
  const { statement, signatures } = certificateOf(text, name)
  const [signed, ...more] = signatures
  if (signed === undefined || more.length > 0) throw new Malformed(`has no single vote in "${name}"`)
  return { statement, ...signed }
}

/** The members of an object, read with checks. That there are no others is seen when the record is written again. */
class Fields {
  private readonly members: Readonly<Record<string, unknown>>

  constructor(value: unknown, name: string) {
    if (!isObject(value)) {
      throw new Malformed(name === '' ? 'is not a JSON object' : `has no object in "${name}"`)
    }
    this.members = value
  }

  has(name: string): boolean {
    return Object.hasOwn(this.members, name)
  }

  /** Undefined for what only every object has. */
  private member(name: string): unknown {
    return this.has(name) ? this.members[name] : undefined
  }

  isNull(name: string): boolean {
    return this.member(name) === null
  }

  object(name: string): Fields {
    return new Fields(this.member(name), name)
  }

  list(name: string): readonly unknown[] {
    const value = this.member(name)
    if (!Array.isArray(value)) throw new Malformed(`has no list in "${name}"`)
    return value
  }

  text(name: string): string {
    return textOf(this.member(name), name)
  }

  texts(name: string): string[] {
    return this.list(name).map((value) => textOf(value, name))
  }

  number(name: string, most = Number.MAX_SAFE_INTEGER): number {
    const value = this.member(name)
    if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0 || value > most) {
      throw new Malformed(`has no whole number from 0 to ${most} in "${name}"`)
    }
    return value
  }

  bytes(name: string, length?: number): Uint8Array {
    return bytesOf(this.text(name), name, length)
  }

  digest(name: string): Digest {
    return digest(this.bytes(name, DIGEST_BYTES))
  }

  signature(name: string): Signature {
    return signature(this.bytes(name, SIGNATURE_BYTES))
  }

  replica(name: string): ReplicaIndex {
    return replicaIndex(this.number(name, MAX_REPLICAS - 1))
  }

  path(name: string): Digest[] {
    const hashes = this.texts(name)
    if (hashes.length > MAX_PROOF_HASHES) throw new Malformed(`has more than ${MAX_PROOF_HASHES} hashes in "${name}"`)
    return hashes.map((text) => digest(bytesOf(text, name, DIGEST_BYTES)))
  }

  certificate(name: string): Certificate {
    return certificateOf(this.text(name), name)
  }

  vote(name: string): Vote {
    return voteOf(this.text(name), name)
  }

  frontier(name: string) {
    const frontier = decodeFrontier(this.bytes(name))
    if (frontier === undefined) throw new Malformed(`has no frontier in "${name}"`)
    return frontier
  }
}

function textOf(value: unknown, name: string): string {
  if (typeof value !== 'string') throw new Malformed(`has no text in "${name}"`)
  return value
}

function bytesOf(text: string, name: string, length?: number): Uint8Array {
  const bytes = fromHex(text)
  if (bytes === undefined || (length !== undefined && bytes.length !== length)) {
    const expected = length === undefined ? 'hexadecimal digits' : `${2 * length} hexadecimal digits`
    throw new Malformed(`has no ${expected} in "${name}"`)
  }
  return bytes
}
