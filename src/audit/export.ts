// Makes a bundle out of what replicas keep. None of them is trusted: everything is verified as it comes, a replica that lies is
// dropped and the next one asked, and receipts of several are put together until t of them agree.

import {
  assembleCertificate,
  assembleStableCheckpoint,
  type Certificate,
  type Digest,
  EMPTY_FRONTIER,
  equalBytes,
  hex,
  inclusionProof,
  type SignatureVerifier,
  type Verified,
  type Vote,
} from '../../crypto/index.ts'
import type { Genesis } from '../../keys/genesis/index.ts'
import { nativeVerifier } from '../../keys/native/index.ts'
import type { Archive, ArchivedCheckpoint, ArchivedSlot } from '../wire/index.ts'
import { collectAccounts } from './accounts.ts'
import { Cursor, type Refusal } from './cursor.ts'
import { askExtents } from './extents.ts'
import {
  type AuditContext,
  auditContext,
  type BundleContents,
  type BundleEntry,
  BundleWriter,
  entryTouches,
  subtreesOf,
  verifyArchivedCheckpoint,
  verifyArchivedReceipt,
  verifyArchivedSlot,
} from './verify/index.ts'

export type ExportSelection =
  /** Everything that is kept. */
  | { readonly kind: 'all' }
  | { readonly kind: 'slots'; readonly from: number; readonly to: number }
  /** Entries with a command about this key of the key-value machine. */
  | { readonly kind: 'key'; readonly key: Uint8Array }

export interface ExportOptions {
  /** Of different replicas; the first are asked first. They are not closed. */
  readonly archives: readonly Archive[]
  readonly genesis: Genesis
  readonly selection: ExportSelection
  /** Leaves out entries that no stable checkpoint covers yet. */
  readonly checkpointed?: boolean
  /** Takes the text of the bundle, piece by piece. */
  readonly out: (text: string) => void | Promise<void>
  readonly signal?: AbortSignal
  readonly progress?: (done: { readonly slot: number; readonly from: number; readonly to: number }) => void
  readonly verifier?: SignatureVerifier
}

export interface ExportReport {
  readonly contents: BundleContents
  readonly entries: number
  readonly checkpoints: number
  /** Entries that no stable checkpoint covers yet. */
  readonly uncheckpointed: number
  /** Entries whose results t replicas did not sign alike, and which are exported without them. */
  readonly withoutResults: number
  readonly newViews: number
  readonly evidence: number
  /** Replicas of which something was refused. */
  readonly refusals: readonly Refusal[]
}

/** No bundle was made; the message is one sentence for the user. */
export class AuditError extends Error {
  override readonly name = 'AuditError'
  readonly code: 'unreachable' | 'nothing-kept' | 'missing-slot' | 'fork'
  readonly refusals: readonly Refusal[]

  constructor(code: AuditError['code'], message: string, refusals: readonly Refusal[]) {
    super(message)
    this.code = code
    this.refusals = refusals
  }
}

/** Writes a bundle to `out`. @throws {AuditError} where nobody can give what was asked for. */
export async function exportBundle(options: ExportOptions): Promise<ExportReport> {
  return await new Exporter(options).run()
}

/** The log between two checkpoints that follow one another. */
interface Segment {
  readonly after: ArchivedCheckpoint | undefined
  readonly until: ArchivedCheckpoint | undefined
  readonly from: number
  readonly to: number
}

/** Checkpoints that a cluster may have skipped in a row, with proofs still being made. */
const BRIDGED_INTERVALS = 4

type Gathered = Omit<BundleEntry, 'path'>

class Exporter {
  private readonly options: ExportOptions
  private readonly context: AuditContext
  private readonly cursors: readonly Cursor[]
  private readonly writer = new BundleWriter()
  private readonly counts = {
    entries: 0,
    checkpoints: 0,
    uncheckpointed: 0,
    withoutResults: 0,
    newViews: 0,
    evidence: 0,
  }

  constructor(options: ExportOptions) {
    this.options = options
    this.context = auditContext(options.genesis, options.verifier ?? nativeVerifier)
    this.cursors = options.archives.map((archive) => new Cursor(archive, options.signal))
  }

  async run(): Promise<ExportReport> {
    const { selection, genesis, out } = this.options
    const kept = await this.range()
    const checkpoints = await this.checkpoints(kept)
    const range = this.options.checkpointed ? covered(kept, checkpoints) : kept
    if (range.from > range.to) throw this.error('nothing-kept', 'no stable checkpoint covers any of these slots yet')
    const contents: BundleContents = selection.kind === 'key' ? selection : { kind: 'slots', ...range }
    await out(this.writer.head(genesis, contents))
    for (const segment of this.segments(range, checkpoints)) await this.segment(segment, range)
    const { newViews, evidence } = await collectAccounts(this.cursors, this.context)
    for (const text of newViews.map((each) => this.writer.newView(each))) {
      if (text === undefined) continue
      this.counts.newViews++
      await out(text)
    }
    for (const text of evidence.map((each) => this.writer.evidence(each))) {
      if (text === undefined) continue
      this.counts.evidence++
      await out(text)
    }
    await out(this.writer.end())
    return { contents, ...this.counts, refusals: this.refusals() }
  }

  /** The slots to export, both ends of which somebody really has. */
  private async range(): Promise<{ from: number; to: number }> {
    const { selection } = this.options
    const extents = await askExtents(this.cursors, this.options.genesis.membership.quorums.trust)
    const refusals = this.refusals()
    if (refusals.length === this.cursors.length) {
      const reasons = refusals.map(({ replica, reason }) => `replica ${replica}: ${reason}`).join('; ')
      throw this.error('unreachable', `nobody could be asked what is kept: ${reasons}`)
    }
    if (selection.kind === 'slots') {
      const { from, to } = selection
      const last = Math.max(0, ...extents.map((extent) => extent.last))
      if (to > last) throw this.error('missing-slot', `slot ${to} is not there yet: the last one kept is ${last}`)
      return { from, to }
    }
    // A liar may claim any extent: an end counts once its entry was seen and verified.
    const from = await this.firstOf(extents.map(({ first }) => first).sort((a, b) => a - b))
    const to = await this.firstOf(extents.map(({ last }) => last).sort((a, b) => b - a))
    if (from === undefined || to === undefined) throw this.error('nothing-kept', 'nobody keeps any entry')
    return { from, to }
  }

  private async firstOf(candidates: readonly number[]): Promise<number | undefined> {
    for (const slot of new Set(candidates)) {
      const found = await this.gather(slot, slot)
      for (const cursor of this.cursors) await cursor.rewind()
      if (found !== undefined) return slot
    }
    return undefined
  }

  /** Stable checkpoints around the slots, ascending: from the last one below them to the first one that covers the last. */
  private async checkpoints({ from, to }: { from: number; to: number }): Promise<ArchivedCheckpoint[]> {
    const interval = this.options.genesis.parameters.checkpointInterval
    const known = new Map<number, ArchivedCheckpoint>()
    const [least, most] = [Math.max(1, from - BRIDGED_INTERVALS * interval), to + BRIDGED_INTERVALS * interval]
    for (const cursor of this.cursors) {
      await cursor.ask('its checkpoints', async () => {
        let before = 0
        for await (const each of cursor.archive.checkpoints(least, most)) {
          const { slot } = each.checkpoint
          const fault = slot > before && slot <= most ? undefined : 'they are not in order'
          const refused = fault ?? (known.has(slot) ? undefined : verifyArchivedCheckpoint(each, this.context)?.message)
          if (refused !== undefined) return cursor.refuse(`checkpoint ${slot}`, refused)
          if (!known.has(slot)) known.set(slot, each)
          before = slot
        }
      })
    }
    return [...known.values()].sort((a, b) => a.checkpoint.slot - b.checkpoint.slot)
  }

  /** The slots cut at checkpoints; what is not exported of the first and the last segment is still needed for proofs. */
  private *segments(
    { from, to }: { from: number; to: number },
    checkpoints: readonly ArchivedCheckpoint[],
  ): Generator<Segment> {
    const longest = BRIDGED_INTERVALS * this.options.genesis.parameters.checkpointInterval
    let next = from
    while (next <= to) {
      const until = checkpoints.find(({ checkpoint }) => checkpoint.slot >= next)
      const after = checkpoints.findLast(({ checkpoint }) => checkpoint.slot < next)
      const start = after?.checkpoint.slot ?? 0
      const end = until?.checkpoint.slot ?? to
      const provable = until !== undefined && end - start <= longest
      yield provable
        ? { after, until, from: start + 1, to: end }
        : { after, until: undefined, from: next, to: Math.min(end, to) }
      next = end + 1
    }
  }

  private async segment({ after, until: end, from, to }: Segment, range: { from: number; to: number }): Promise<void> {
    let until = end
    const gathered: Gathered[] = []
    const leaves: Digest[] = []
    for (let slot = from; slot <= to; slot++) {
      const found = await this.gather(slot, to)
      const wanted = slot >= range.from && slot <= range.to
      if (found === undefined && wanted)
        throw this.error('missing-slot', `nobody can show what was chosen for slot ${slot}`)
      // Without a leaf outside of the range there is no proof, but still the entries.
      if (found === undefined) until = undefined
      else leaves.push(found.entry.digest)
      if (found !== undefined && wanted && this.selected(found)) gathered.push(found)
      this.options.progress?.({ slot: Math.min(slot, range.to), ...range })
    }
    for (const cursor of this.cursors) await cursor.rewind()
    if (gathered.length === 0) return
    const read = subtreesOf(after?.frontier ?? EMPTY_FRONTIER, leaves)
    if (until !== undefined) await this.writeCheckpoint(until)
    const size = until?.checkpoint.slot
    for (const each of gathered) {
      const path = size === undefined ? undefined : inclusionProof(read, each.entry.header.slot - 1, size)
      this.counts.entries++
      if (path === undefined) this.counts.uncheckpointed++
      if (each.results === undefined) this.counts.withoutResults++
      await this.options.out(this.writer.entry({ ...each, path }))
    }
  }

  private selected({ entry }: Gathered): boolean {
    const { selection } = this.options
    return selection.kind !== 'key' || entryTouches(entry, selection.key)
  }

  private async writeCheckpoint({ checkpoint, frontier }: ArchivedCheckpoint): Promise<void> {
    const { membership, clusterName, verifier } = this.context.chain.at(checkpoint.slot).verify
    const made = assembleStableCheckpoint(checkpoint, checkpoint.signatures, membership, clusterName, verifier)
    if (!made.ok) throw new Error(`checkpoint ${checkpoint.slot}: verified, and now ${made.fault.code}`)
    this.counts.checkpoints++
    await this.options.out(this.writer.checkpoint(made.value.stable.note, frontier))
  }

  /** A slot's entry with its certificate from the first that can show one, and receipts until t agree. */
  private async gather(slot: number, last: number): Promise<Gathered | undefined> {
    const { trust } = this.options.genesis.membership.quorums
    const receipts = new Map<string, { votes: Verified<Vote>[]; records: readonly Uint8Array[] }>()
    let first: { readonly archived: ArchivedSlot; readonly cursor: Cursor } | undefined
    for (const cursor of this.cursors) {
      const archived = await cursor.at(slot, last)
      if (archived === undefined) continue
      const same = first !== undefined && equalBytes(first.archived.entry.digest, archived.entry.digest)
      // The digest of an unverified entry is only what its sender says; that of `first` was computed.
      const asFirst = same && first !== undefined ? { ...archived, entry: first.archived.entry } : archived
      const checked = same ? verifyArchivedReceipt(asFirst, this.context) : verifyArchivedSlot(asFirst, this.context)
      if (!checked.ok) {
        cursor.refuse(`slot ${slot}`, checked.fault.message)
        continue
      }
      if (first !== undefined && !same) throw this.fork(slot, first.cursor, cursor)
      first ??= { archived, cursor }
      if (checked.value === undefined) continue
      if (checked.value.replica !== cursor.archive.replica) {
        cursor.refuse(`slot ${slot}`, `the receipt is not its own but that of replica ${checked.value.replica}`)
        continue
      }
      const name = hex(checked.value.statement.digest)
      const agreed = receipts.get(name) ?? { votes: [], records: archived.records }
      receipts.set(name, { ...agreed, votes: [...agreed.votes, checked.value] })
      const receipt = this.receiptOf(agreed.votes.length + 1 >= trust ? receipts.get(name)?.votes : undefined)
      if (receipt === undefined) continue
      const { entry, certificate } = first.archived
      return { entry, certificate, results: { receipt, records: agreed.records } }
    }
    if (first === undefined) return undefined
    const { entry, certificate } = first.archived
    return { entry, certificate, results: undefined }
  }

  private receiptOf(votes: readonly Verified<Vote>[] | undefined): Certificate | undefined {
    const statement = votes?.[0]?.statement
    if (votes === undefined || statement?.kind !== 'receipt') return undefined
    return assembleCertificate({ ...statement, kind: 'receipt' }, votes, this.options.genesis.membership)
  }

  private fork(slot: number, one: Cursor, other: Cursor): AuditError {
    const [a, b] = [one.archive.replica, other.archive.replica]
    return this.error(
      'fork',
      `replicas ${a} and ${b} show two different entries for slot ${slot}, both with good certificates: the log is forked; ` +
        'export from the data of each, and give both bundles to quorate audit blame',
    )
  }

  private refusals(): Refusal[] {
    return this.cursors.flatMap(({ refusal }) => refusal ?? [])
  }

  private error(code: AuditError['code'], message: string): AuditError {
    return new AuditError(code, message, this.refusals())
  }
}

function covered(range: { from: number; to: number }, checkpoints: readonly ArchivedCheckpoint[]) {
  const last = checkpoints.at(-1)?.checkpoint.slot ?? 0
  return { from: range.from, to: Math.min(range.to, last) }
}
