// Makes a bundle out of what replicas keep. None of them is trusted: everything is verified as it comes, a replica that lies is
// dropped and the next one asked, and receipts of several are put together until t of them agree.

import {
  assembleStableCheckpoint,
  type Digest,
  EMPTY_FRONTIER,
  inclusionProof,
  type SignatureVerifier,
  slot as slotOf,
} from '../../crypto/index.ts'
import type { Genesis } from '../../keys/genesis/index.ts'
import { nativeVerifier } from '../../keys/native/index.ts'
import { type EpochChain, epochOfEvidence, type Pin } from '../consensus/index.ts'
import type { Archive, ArchivedCheckpoint } from '../wire/index.ts'
import { collectAccounts } from './accounts.ts'
import { AuditError } from './audit-error.ts'
import { followArchives } from './chains.ts'
import { Cursor, type Refusal } from './cursor.ts'
import { askExtents } from './extents.ts'
import { type Gathered, gatherSlot } from './gather.ts'
import { type Lead, leadOf, NO_LEAD } from './lead.ts'
import {
  type AuditContext,
  auditContext,
  type BundleContents,
  BundleWriter,
  entryTouches,
  subtreesOf,
  verifyArchivedCheckpoint,
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
  /** A hand-over that the epochs must go through. */
  readonly pin?: Pin | undefined
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
  /** Epochs after the first, each with its hand-over. */
  readonly epochs: number
  /** Entries that no stable checkpoint covers yet. */
  readonly uncheckpointed: number
  /** Entries of epochs that are over under checkpoints that nothing shows to lead to the last epoch. */
  readonly unled: number
  /** Entries whose results t replicas did not sign alike, and which are exported without them. */
  readonly withoutResults: number
  readonly newViews: number
  readonly evidence: number
  /** Replicas of which something was refused. */
  readonly refusals: readonly Refusal[]
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

class Exporter {
  private readonly options: ExportOptions
  private context: AuditContext
  private lead: Lead = NO_LEAD
  private readonly cursors: readonly Cursor[]
  private readonly writer = new BundleWriter()
  private readonly counts = {
    entries: 0,
    checkpoints: 0,
    epochs: 0,
    uncheckpointed: 0,
    unled: 0,
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
    const chain = await this.follow()
    const kept = await this.range()
    const checkpoints = await this.checkpoints(kept)
    const range = this.options.checkpointed ? covered(kept, checkpoints) : kept
    if (range.from > range.to) throw this.error('nothing-kept', 'no stable checkpoint covers any of these slots yet')
    const contents: BundleContents = selection.kind === 'key' ? selection : { kind: 'slots', ...range }
    this.lead = await leadOf(this.cursors, chain.last.start, range.from, checkpoints)
    await out(this.writer.head(genesis, contents, chain))
    for (const segment of this.segments(range, checkpoints)) await this.segment(segment, range)
    const { newViews, evidence } = await collectAccounts(this.cursors, this.context)
    for (const text of newViews.map((each) => this.writer.newView(each))) {
      if (text === undefined) continue
      this.counts.newViews++
      await out(text)
    }
    for (const text of evidence.map((each) =>
      this.writer.evidence(each, epochOfEvidence(each, this.context.chain).charter.epoch),
    )) {
      if (text === undefined) continue
      this.counts.evidence++
      await out(text)
    }
    await out(this.writer.end())
    return { contents, ...this.counts, refusals: this.refusals() }
  }

  /** The epochs, as the archives tell of them. */
  private async follow(): Promise<EpochChain> {
    const { context, cursors } = this
    const { pin } = this.options
    const followed = await followArchives(cursors, context.chain, pin)
    if ('split' in followed) {
      const { epoch, one, other } = followed.split
      const [a, b] = [one.archive.replica, other.archive.replica]
      throw this.error(
        'ambiguous',
        `replicas ${a} and ${b} show two different hand-overs of epoch ${epoch}, both with good signatures: name the one ` +
          'that is meant with --pin, or export from the data of each and give both bundles to quorate audit blame',
      )
    }
    const { chain } = followed
    if (pin !== undefined && chain.links.length < pin.epoch)
      throw this.error('pin', `nobody shows the hand-over to epoch ${pin.epoch}, which is pinned`)
    this.context = { ...context, chain }
    this.counts.epochs = chain.links.length
    return chain
  }

  /** Slots between two checkpoints, at most, for proofs still to be made. */
  private longestAt(slot: number): number {
    return BRIDGED_INTERVALS * this.context.chain.at(slotOf(slot)).charter.parameters.checkpointInterval
  }

  /** Whether a checkpoint shows that this entry is in the log with which the last epoch began, or it is of that epoch. */
  private isLed(slot: number, covering: number | undefined): boolean {
    const { start } = this.context.chain.last
    if (slot > start.slot) return true
    return covering !== undefined && (covering >= start.slot || this.lead.from(covering) !== undefined)
  }

  /** The slots to export, both ends of which somebody really has. */
  private async range(): Promise<{ from: number; to: number }> {
    const { selection } = this.options
    const extents = await askExtents(this.cursors, this.context.chain.last.membership.quorums.trust)
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
    const { last } = this.context.chain
    const known = new Map<number, ArchivedCheckpoint>()
    const least = Math.max(1, from - this.longestAt(from))
    const most = Math.max(to + this.longestAt(to), last.start.slot)
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
    let next = from
    while (next <= to) {
      const until = checkpoints.find(({ checkpoint }) => checkpoint.slot >= next)
      const after = checkpoints.findLast(({ checkpoint }) => checkpoint.slot < next)
      const start = after?.checkpoint.slot ?? 0
      const end = until?.checkpoint.slot ?? to
      const provable = until !== undefined && end - start <= this.longestAt(next)
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
      if (!this.isLed(each.entry.header.slot, size)) this.counts.unled++
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
    await this.options.out(this.writer.checkpoint(made.value.stable.note, frontier, this.lead.from(checkpoint.slot)))
  }

  private async gather(slot: number, last: number): Promise<Gathered | undefined> {
    const found = await gatherSlot(this.cursors, this.context, slot, last)
    if (found === undefined || !('forkOf' in found)) return found
    const [a, b] = found.forkOf.map(({ archive }) => archive.replica)
    throw this.error(
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
