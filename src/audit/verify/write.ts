// Writes bundles: values to lines, with the seal at the end.

import { sha256 as sha256Hash } from '@noble/hashes/sha2.js'
import {
  assembleStableCheckpoint,
  type Certificate,
  checkpointKeys,
  checkpointOf,
  checkpointText,
  type Digest,
  digest,
  type Epoch,
  epoch,
  type Frontier,
  formatNote,
  fromUtf8,
  hex,
  type SignatureVerifier,
  sha256,
  utf8,
} from '../../../crypto/index.ts'
import { encodeCharter } from '../../../keys/charter/index.ts'
import type { Genesis } from '../../../keys/genesis/index.ts'
import {
  type Entry,
  type EpochChain,
  type Evidence,
  type NewView,
  newViewDigest,
  type SignedRequest,
  type StableCheckpoint,
} from '../../consensus/index.ts'
import type { StateProof } from '../../machine/index.ts'
import { encodeRecord } from './encode.ts'
import { MAX_GROUP_BYTES, MAX_LINE_BYTES } from './limits.ts'
import {
  BUNDLE_FORMAT,
  type BundleContents,
  type BundleRecord,
  EPOCHS_BUNDLE_FORMAT,
  type EpochRecord,
  type EvidenceRecord,
  type NewViewRecord,
} from './records.ts'

/** An entry as it goes into a bundle. */
export interface BundleEntry {
  readonly entry: Entry
  readonly certificate: Certificate
  /** Receipts of t replicas, and the records that they sign. */
  readonly results: { readonly receipt: Certificate; readonly records: readonly Uint8Array[] } | undefined
  /** Under the checkpoint above; undefined where none covers the entry. */
  readonly path: readonly Digest[] | undefined
}

/** A receipt as a client keeps it; the SDK's is one. */
export interface BundleReceipt {
  readonly request: SignedRequest
  readonly certificate: Certificate
  readonly record: Uint8Array
  readonly index: number
  readonly count: number
  readonly path: readonly Digest[]
}

/** Makes the lines of one bundle, in order; each method gives text to be written at once. Checks nothing. */
export class BundleWriter {
  private readonly hash = sha256Hash.create()
  /** The NewView that the last evidence brought along; more evidence about it needs it no second time. */
  private carried: string | undefined

  /** First; where there are later epochs, with every hand-over of `chain`. */
  head(genesis: Genesis, contents: BundleContents, chain?: EpochChain): string {
    const epochs = chain === undefined ? [] : epochRecords(chain, genesis.contents.name)
    const format = epochs.length === 0 ? BUNDLE_FORMAT : EPOCHS_BUNDLE_FORMAT
    return this.lines({ kind: 'head', format, cluster: genesis.clusterId, contents }, ...epochs)
  }

  /** Above the entries that it covers. `consistency`: with the log that the last epoch began with. */
  checkpoint(note: Uint8Array, frontier: Frontier, consistency?: readonly Digest[]): string {
    return this.lines({ kind: 'checkpoint', note: fromUtf8(note) ?? '', frontier, consistency })
  }

  entry({ entry, certificate, results, path }: BundleEntry): string {
    const { header, requests } = entry
    return this.lines(
      { kind: 'entry', header, certificate, receipt: results?.receipt, path },
      ...requests.map((request) => ({ kind: 'request', request }) as const),
      ...(results?.records ?? []).map((record) => ({ kind: 'result', record }) as const),
    )
  }

  receipt({ request, certificate, record, index, count, path }: BundleReceipt): string {
    return this.lines(
      { kind: 'receipt', certificate, index, count, path },
      { kind: 'request', request },
      { kind: 'result', record },
    )
  }

  /** Below its checkpoint. */
  state(proof: StateProof): string {
    return this.lines({ kind: 'state', proof })
  }

  /** Behind everything but evidence. Undefined, and left out, where it is longer than a verifier reads. */
  newView(newView: NewView): string | undefined {
    return this.fitting(newViewLines(newView))
  }

  /** Behind everything else, with the NewView that it may be about. Undefined as above. */
  evidence(evidence: Evidence, of: Epoch = epoch(0)): string | undefined {
    const line: BundleRecord = evidenceRecord(evidence, of)
    const carried = evidence.kind === 'against-new-view' ? newViewName(evidence.newView) : undefined
    if (evidence.kind !== 'against-new-view' || carried === this.carried) return this.fitting([line])
    const text = this.fitting([...newViewLines(evidence.newView), line])
    if (text !== undefined) this.carried = carried
    return text
  }

  /** Last. */
  end(): string {
    return `${encodeRecord({ kind: 'end', sha256: digest(this.hash.clone().digest()) })}\n`
  }

  private fitting(records: readonly BundleRecord[]): string | undefined {
    const lengths = records.map((record) => encodeRecord(record).length)
    const fits = Math.max(...lengths) <= MAX_LINE_BYTES && lengths.reduce((a, b) => a + b, 0) <= MAX_GROUP_BYTES / 2
    return fits ? this.lines(...records) : undefined
  }

  private lines(...records: readonly BundleRecord[]): string {
    const text = records.map((record) => `${encodeRecord(record)}\n`).join('')
    this.hash.update(utf8(text))
    return text
  }
}

function epochRecords({ epochs, links }: EpochChain, clusterName: string): EpochRecord[] {
  return links.map(({ checkpoint, charter }, i) => {
    const before = epochs[i]?.membership
    if (before === undefined) throw new RangeError('chain: a hand-over of no epoch')
    const keys = checkpointKeys(before, clusterName)
    const signatures = checkpoint.signatures.flatMap(({ replica, signature }) => {
      const key = keys[replica]
      return key === undefined ? [] : [{ name: key.name, id: key.id, signature }]
    })
    const text = checkpointText(checkpointOf(checkpoint, before, clusterName))
    return { kind: 'epoch', charter: encodeCharter(charter), note: fromUtf8(formatNote({ text, signatures })) ?? '' }
  })
}

function newViewLines(newView: NewView): BundleRecord[] {
  return [
    newViewRecord(newView),
    ...newView.viewChanges.map((viewChange) => ({ kind: 'view-change', viewChange }) as const),
  ]
}

/** A whole bundle that holds one receipt: what `put --receipt` keeps. */
export function encodeReceiptFile(receipt: BundleReceipt, genesis: Genesis, chain?: EpochChain): Uint8Array {
  const writer = new BundleWriter()
  return utf8(writer.head(genesis, { kind: 'receipt' }, chain) + writer.receipt(receipt) + writer.end())
}

/** What one replica proved about a key, as a stale read gives it. */
export interface BundleState {
  readonly checkpoint: StableCheckpoint
  readonly frontier: Frontier
  readonly proof: StateProof
}

/**
 * A whole bundle that holds one key of the state: what `get --proof` keeps. Undefined where the checkpoint is not signed by q
 * members, by the verdicts of `verifier`; nothing else is checked.
 */
export function encodeStateFile(
  { checkpoint, frontier, proof }: BundleState,
  genesis: Genesis,
  verifier: SignatureVerifier,
  chain?: EpochChain,
): Uint8Array | undefined {
  const { contents } = genesis
  const { membership } = chain?.at(checkpoint.slot) ?? genesis
  const made = assembleStableCheckpoint(checkpoint, checkpoint.signatures, membership, contents.name, verifier)
  if (!made.ok) return undefined
  const writer = new BundleWriter()
  const parts = [
    writer.head(genesis, { kind: 'state', key: proof.key }, chain),
    writer.checkpoint(made.value.stable.note, frontier),
  ]
  return utf8([...parts, writer.state(proof), writer.end()].join(''))
}

/** Tells NewViews apart: none stands in a bundle twice. */
export function newViewName(newView: NewView): string {
  return hex(sha256(utf8(encodeRecord(newViewRecord(newView)))))
}

/** Tells pieces of evidence apart. */
export function evidenceName(evidence: Evidence): string {
  return hex(sha256(utf8(encodeRecord(evidenceRecord(evidence)))))
}

export function newViewRecord({ view, viewChanges, vote, proposals }: NewView): NewViewRecord {
  return { kind: 'new-view', view, viewChanges: viewChanges.length, vote, proposals }
}

export function evidenceRecord(evidence: Evidence, of: Epoch = epoch(0)): EvidenceRecord {
  const { accused } = evidence
  switch (evidence.kind) {
    case 'against-new-view': {
      const { kind, vote, newView } = evidence
      const named = newViewDigest(newView.view, newView.viewChanges)
      return { kind: 'evidence', epoch: of, accused, proof: { kind, vote, newView: named } }
    }
    default: {
      const { accused: _, ...proof } = evidence
      return { kind: 'evidence', epoch: of, accused, proof }
    }
  }
}
