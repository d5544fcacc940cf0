// Lines as what they mean together: an entry with its requests and results, a receipt, a NewView with its ViewChanges. The grammar
// is checked here, contents are not. The first fault ends the reading: behind it nobody can say what a line belongs to.

import {
  type Certificate,
  type Digest,
  type Epoch,
  equalBytes,
  type Frontier,
  leafHash,
} from '../../../crypto/index.ts'
import {
  type Entry,
  type Evidence,
  headerDigest,
  type NewView,
  newViewDigest,
  type SignedRequest,
  type ViewChange,
} from '../../consensus/index.ts'
import { decodeResultRecord, type ResultRecord, type StateProof } from '../../machine/index.ts'
import { decodeRecord } from './decode.ts'
import { type AuditFault, fault } from './fault.ts'
import { MAX_GROUP_BYTES } from './limits.ts'
import { type ByteSource, type Line, type LineFault, linesOf } from './lines.ts'
import {
  BUNDLE_FORMAT,
  type BundleContents,
  type BundleFormat,
  type BundleRecord,
  type EntryRecord,
  EPOCHS_BUNDLE_FORMAT,
  type NewViewRecord,
  type Proof,
  type RecordKind,
} from './records.ts'

export interface HeadItem {
  readonly kind: 'head'
  readonly format: BundleFormat
  readonly cluster: Digest
  readonly contents: BundleContents
}

export interface EpochItem {
  readonly kind: 'epoch'
  readonly charter: Uint8Array
  readonly note: string
}

export interface CheckpointItem {
  readonly kind: 'checkpoint'
  readonly note: string
  readonly frontier: Frontier
  readonly consistency: readonly Digest[] | undefined
}

export interface EntryItem {
  readonly kind: 'entry'
  readonly entry: Entry
  readonly certificate: Certificate
  readonly results: { readonly receipt: Certificate; readonly answers: readonly ResultAnswer[] } | undefined
  readonly path: readonly Digest[] | undefined
}

/** What is kept of a result: the results of one entry may be larger than memory. */
export interface ResultAnswer {
  /** Its leaf in the results tree. */
  readonly leaf: Digest
  /** Without the machine's own part; undefined where the bytes are no result record. */
  readonly record: Omit<ResultRecord, 'result'> | undefined
}

export interface ReceiptItem {
  readonly kind: 'receipt'
  readonly certificate: Certificate
  readonly index: number
  readonly count: number
  readonly path: readonly Digest[]
  readonly request: SignedRequest
  readonly record: Uint8Array
}

export interface StateItem {
  readonly kind: 'state'
  readonly proof: StateProof
}

export interface NewViewItem {
  readonly kind: 'new-view'
  readonly newView: NewView
}

export interface EvidenceItem {
  readonly kind: 'evidence'
  readonly epoch: Epoch
  readonly evidence: Evidence
}

export interface EndItem {
  readonly kind: 'end'
}

export interface BrokenItem {
  readonly kind: 'broken'
  readonly fault: AuditFault
}

export type BundleItem =
  | HeadItem
  | EpochItem
  | CheckpointItem
  | EntryItem
  | ReceiptItem
  | StateItem
  | NewViewItem
  | EvidenceItem
  | EndItem
  | BrokenItem

/** An item and the place of its first line. */
export interface PlacedItem {
  readonly line: number
  /** Bytes of its lines, but for results, which are not kept. */
  readonly bytes: number
  readonly item: BundleItem
}

/** The items of a bundle: a head first and an end last; or a broken one last. Never throws on any bytes. */
export async function* itemsOf(source: ByteSource): AsyncGenerator<PlacedItem> {
  const reader = new ItemReader(linesOf(source))
  try {
    yield await reader.head()
    for (;;) {
      const placed = await reader.next()
      yield placed
      if (placed.item.kind !== 'end') continue
      return await reader.nothingMore()
    }
  } catch (error) {
    if (!(error instanceof Broken)) throw error
    yield { line: error.line, bytes: 0, item: { kind: 'broken', fault: error.fault } }
  } finally {
    await reader.close()
  }
}

/** Ends the reading; thrown and caught within this file. */
class Broken extends Error {
  readonly line: number
  readonly fault: AuditFault

  constructor(line: number, found: AuditFault) {
    super(found.message)
    this.line = line
    this.fault = found
  }
}

class ItemReader {
  private readonly lines: AsyncGenerator<Line | LineFault>
  private line = 0
  private bytes = 0
  private format: BundleFormat = BUNDLE_FORMAT
  private epochs = 0
  /** No epochs may come any more. */
  private bodyBegun = false
  /** NewViews and evidence come behind everything else. */
  private accounts = false
  /** The last NewView, which evidence may name. */
  private newView: NewView | undefined

  constructor(lines: AsyncGenerator<Line | LineFault>) {
    this.lines = lines
  }

  async head(): Promise<PlacedItem> {
    const { record } = await this.take()
    if (record.kind !== 'head') throw this.broken('no-head', 'is no audit bundle: its first line names no format')
    this.format = record.format
    return this.placed(1, record)
  }

  async next(): Promise<PlacedItem> {
    this.bytes = 0
    const { record, line } = await this.take()
    const first = this.line
    if (record.kind !== 'epoch') this.epochsEnd()
    switch (record.kind) {
      case 'epoch':
        if (this.format !== EPOCHS_BUNDLE_FORMAT || this.bodyBegun) {
          throw this.broken(
            'misplaced',
            'names an epoch, which only lines right after the head of a later format may do',
          )
        }
        this.epochs++
        return this.placed(first, record)
      case 'checkpoint':
        this.notAmongAccounts()
        if (record.consistency !== undefined) this.needsEpochs()
        return this.placed(first, record)
      case 'state':
        this.notAmongAccounts()
        return this.placed(first, record)
      case 'entry':
        this.notAmongAccounts()
        return this.placed(first, await this.entry(record))
      case 'receipt': {
        this.notAmongAccounts()
        const { request } = await this.expect('request')
        const { record: result } = await this.expect('result')
        return this.placed(first, { ...record, request, record: result })
      }
      case 'new-view':
        this.accounts = true
        this.newView = await this.newViewOf(record)
        return this.placed(first, { kind: 'new-view', newView: this.newView })
      case 'evidence':
        this.accounts = true
        if (record.epoch !== 0) this.needsEpochs()
        return this.placed(first, {
          kind: 'evidence',
          epoch: record.epoch,
          evidence: this.evidenceOf(record.accused, record.proof),
        })
      case 'end':
        if (!equalBytes(line.before(), record.sha256)) {
          throw new Broken(first, fault('seal', 'wrong-seal', 'the bytes above are not those that were sealed'))
        }
        return this.placed(first, { kind: 'end' })
      case 'head':
      case 'request':
      case 'result':
      case 'view-change':
        throw this.broken('misplaced', `a line of kind "${record.kind}" may not stand here`)
    }
  }

  async nothingMore(): Promise<void> {
    const { done } = await this.lines.next()
    this.line += 1
    if (!done) throw this.broken('bytes-after-end', 'comes after the last line')
  }

  async close(): Promise<void> {
    await this.lines.return(undefined)
  }

  private async entry({ header, certificate, receipt, path }: EntryRecord): Promise<EntryItem> {
    const requests: SignedRequest[] = []
    for (let i = 0; i < header.count; i++) requests.push((await this.expect('request')).request)
    const answers: ResultAnswer[] = []
    for (let i = 0; receipt !== undefined && i < header.count; i++) {
      const { bytes } = this
      answers.push(answerOf((await this.expect('result')).record))
      this.bytes = bytes
    }
    const entry: Entry = { header, requests, digest: headerDigest(header) }
    const results = receipt === undefined ? undefined : { receipt, answers }
    return { kind: 'entry', entry, certificate, results, path }
  }

  private async newViewOf({ view, viewChanges: count, vote, proposals }: NewViewRecord): Promise<NewView> {
    const viewChanges: ViewChange[] = []
    for (let i = 0; i < count; i++) viewChanges.push((await this.expect('view-change')).viewChange)
    return { view, viewChanges, vote, proposals }
  }

  private evidenceOf(accused: Evidence['accused'], proof: Proof): Evidence {
    if (proof.kind !== 'against-new-view') return { accused, ...proof }
    const { kind, vote, newView } = proof
    const above = this.newView
    if (above === undefined || !equalBytes(newViewDigest(above.view, above.viewChanges), newView)) {
      throw this.broken('no-new-view', 'names a NewView that is not the last one above it')
    }
    return { kind, accused, vote, newView: above }
  }

  private epochsEnd(): void {
    this.bodyBegun = true
    if (this.format === EPOCHS_BUNDLE_FORMAT && this.epochs === 0) {
      throw this.broken(
        'no-epochs',
        `must name the epoch after the first, without which ${BUNDLE_FORMAT} is the format`,
      )
    }
  }

  private needsEpochs(): void {
    if (this.format !== EPOCHS_BUNDLE_FORMAT) {
      throw this.broken('misplaced', `says something about a later epoch, of which ${this.format} has none`)
    }
  }

  private notAmongAccounts(): void {
    if (this.accounts) throw this.broken('misplaced', 'comes after NewViews or evidence, which end a bundle')
  }

  private async expect<Kind extends RecordKind>(kind: Kind): Promise<Extract<BundleRecord, { kind: Kind }>> {
    const { record } = await this.take()
    if (!isOfKind(record, kind)) {
      throw this.broken('misplaced', `is of kind "${record.kind}" where one of kind "${kind}" must stand`)
    }
    return record
  }

  private async take(): Promise<{ readonly record: BundleRecord; readonly line: Line }> {
    const { value: line } = await this.lines.next()
    this.line += 1
    if (line === undefined) throw this.broken('truncated', 'is missing: the file was cut off, its last line is no end')
    if (!('bytes' in line)) throw this.broken(line.code, line.message)
    const decoded = decodeRecord(line.bytes)
    if (!decoded.ok) throw this.broken('bad-line', decoded.fault)
    this.bytes += line.bytes.length + 1
    if (this.bytes > MAX_GROUP_BYTES) {
      throw this.broken('too-long', `belongs to a group of lines that is longer than ${MAX_GROUP_BYTES} bytes`)
    }
    return { record: decoded.value, line }
  }

  private placed(line: number, item: BundleItem): PlacedItem {
    return { line, bytes: this.bytes, item }
  }

  private broken(code: string, message: string): Broken {
    return new Broken(this.line, fault('format', code, `line ${this.line} ${message}`))
  }
}

function isOfKind<Kind extends RecordKind>(
  record: BundleRecord,
  kind: Kind,
): record is Extract<BundleRecord, { kind: Kind }> {
  return record.kind === kind
}

/** A result's bytes as the auditor keeps them. */
export function answerOf(bytes: Uint8Array): ResultAnswer {
  const decoded = decodeResultRecord(bytes)
  const leaf = leafHash(bytes)
  if (decoded === undefined) return { leaf, record: undefined }
  const { outcome, client, sequence, request, slot } = decoded
  return { leaf, record: { outcome, client, sequence, request, slot } }
}
