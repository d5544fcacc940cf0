// Verifies a bundle as it is read: nothing but the genesis is trusted, memory does not grow with the length of the file, and every
// fault says which check failed where. See docs/audit-format.md for the checks in their order.

import { type Digest, equalBytes, hex, type MemberId, slot as slotOf } from '../../../crypto/index.ts'
import type { Genesis } from '../../../keys/genesis/index.ts'
import type { EpochChain } from '../../consensus/index.ts'
import { type Answered, Batches } from './batches.ts'
import { noteSigners } from './checkpoints.ts'
import { idsOf, signersOf } from './checks.ts'
import { type AuditContext, auditContext } from './context.ts'
import { type Doubt, EpochReader } from './epochs.ts'
import { type AuditFault, fault, type PlacedFault } from './fault.ts'
import { type BundleItem, type EntryItem, itemsOf, type PlacedItem } from './items.ts'
import { judge } from './judge.ts'
import { MAX_ACCOUNTS, MAX_LISTED_FAULTS } from './limits.ts'
import type { ByteSource } from './lines.ts'
import { LogWalk, replayRefusal, type WalkedCheckpoint } from './log-walk.ts'
import type { BundleContents } from './records.ts'
import { type AuditOptions, type AuditSummary, type AuditVerdict, placeOf } from './verdicts.ts'
import { evidenceName, newViewName } from './write.ts'

/** A verdict on each item in the order of the file, then a summary. Never throws on any bytes. */
export async function* verifyBundle(
  source: ByteSource,
  genesis: Genesis,
  options: AuditOptions,
): AsyncGenerator<AuditVerdict | AuditSummary> {
  const audit = new BundleAudit(auditContext(genesis, options.verifier, options.machine), options)
  for await (const placed of itemsOf(source)) {
    for (const batch of audit.take(placed)) yield* audit.settle(await batch)
    if (audit.over) break
  }
  for (const batch of audit.rest()) yield* audit.settle(await batch)
  yield audit.summary()
}

/** What is judged on the way in, while the signatures' verdicts are outstanding. */
interface Pending {
  readonly placed: PlacedItem
  /** The epochs that were read so far. */
  readonly chain: EpochChain
  readonly checkpoint: WalkedCheckpoint | undefined
  /** From the order of items. */
  readonly ordered: AuditFault | undefined
  /** From the item alone, if all its signatures are good. */
  readonly own: AuditFault | undefined
}

class BundleAudit {
  /** Nothing behind this point can be judged. */
  over = false
  private context: AuditContext
  private readonly epochs: EpochReader
  private readonly options: AuditOptions
  private walk: LogWalk | undefined
  private contents: BundleContents | undefined
  private readonly batches: Batches<Pending>
  /** Digests of NewViews and evidence. */
  private readonly accounts = new Set<string>()
  private readonly counts = {
    epochs: 0,
    entries: 0,
    retiredResults: 0,
    refused: 0,
    uncheckpointed: 0,
    checkpoints: 0,
    receipts: 0,
    states: 0,
    newViews: 0,
    evidence: 0,
  }
  private readonly convicted = new Set<MemberId>()
  private readonly suspected = new Set<MemberId>()
  /** Whether all that it is about rests on keys of an epoch that is over. */
  private retired = false
  private readonly faults: PlacedFault[] = []
  /** Of the end, to be told behind those of the items before it. */
  private last: PlacedFault | undefined
  private faultCount = 0

  constructor(context: AuditContext, options: AuditOptions) {
    this.context = context
    this.epochs = new EpochReader(context, options)
    this.options = options
    this.batches = new Batches(context, options.batch)
  }

  /** Takes the next item; gives the batches that should be waited for now. */
  *take(placed: PlacedItem): Generator<Promise<Answered<Pending>>> {
    const { item } = placed
    if (item.kind === 'broken') {
      this.over = true
      this.last = { where: `line ${placed.line}`, ...item.fault }
      return
    }
    if (this.walk === undefined && item.kind !== 'head' && item.kind !== 'epoch' && !this.open()) return
    if (item.kind === 'end') return this.end()
    const ordered = item.kind === 'head' ? this.begin(item.cluster, item.contents) : this.walked(item)
    const { chain } = this.epochs
    const { checkpoint } = this.walk ?? { checkpoint: undefined }
    const own = judge(item, checkpoint, this.batches.context)
    yield* this.batches.add({ placed, chain, checkpoint, ordered, own }, placed.bytes)
  }

  rest(): Generator<Promise<Answered<Pending>>> {
    return this.batches.rest()
  }

  /** The verdicts on a batch. Where one signature in it is bad, everything in it is judged again, one by one. */
  *settle({ items, good }: Answered<Pending>): Generator<AuditVerdict> {
    for (const pending of items) {
      const { placed, checkpoint, ordered, own } = pending
      const found = good ? own : judge(placed.item, checkpoint, this.context)
      const faults = [ordered, found].filter((each) => each !== undefined)
      const verdict = this.verdict(pending, faults)
      if (verdict === undefined) continue
      for (const each of verdict.faults) this.note(placeOf(verdict, placed.line), each)
      yield verdict
    }
  }

  summary(): AuditSummary {
    if (this.last !== undefined) this.note(this.last.where, this.last)
    this.last = undefined
    const { counts, contents, faults, faultCount, doubt } = this
    return {
      kind: 'summary',
      level: this.options.level,
      valid: faultCount === 0 && doubt === undefined,
      standing: doubt !== undefined ? 'ambiguous' : this.epochs.pinned ? 'pinned' : 'genesis',
      doubt,
      contents,
      ...counts,
      convicted: [...this.convicted].sort((a, b) => a - b),
      suspected: [...this.suspected].filter((id) => !this.convicted.has(id)).sort((a, b) => a - b),
      faultCount,
      faults,
    }
  }

  private begin(cluster: Digest, contents: BundleContents): AuditFault | undefined {
    const { clusterId } = this.context.genesis.cluster
    this.contents = contents
    this.over = true
    if (!equalBytes(cluster, clusterId)) {
      const [theirs, ours] = [hex(cluster).slice(0, 16), hex(clusterId).slice(0, 16)]
      return fault('cluster', 'wrong-cluster', `it is of cluster ${theirs}..., the genesis is that of ${ours}...`)
    }
    if (contents.kind === 'slots' && (contents.from < 1 || contents.from > contents.to)) {
      return fault('contents', 'bad-range', `no slots lie between ${contents.from} and ${contents.to}`)
    }
    const refusal = this.options.level === 'replay' ? replayRefusal(contents) : undefined
    if (refusal !== undefined) return fault('replay', 'cannot-replay', refusal)
    this.over = false
    return undefined
  }

  /** The epochs are known, and what is left is judged by them. False where they are not those that are meant. */
  private open(): boolean {
    const wrong = this.epochs.finish()
    if (wrong !== undefined || this.contents === undefined) {
      this.over = true
      if (wrong !== undefined) this.last = { where: 'the bundle', ...wrong }
      return false
    }
    this.context = { ...this.context, chain: this.epochs.chain }
    this.batches.use(this.context)
    this.walk = new LogWalk(this.contents, this.options.level, this.context)
    return true
  }

  private get doubt(): Doubt | undefined {
    return this.epochs.doubt ?? (this.retired ? 'retired-keys' : undefined)
  }

  /** Whether this slot is of an epoch that is over. */
  private isRetired(slot: number): boolean {
    return slot <= this.context.chain.last.start.slot
  }

  private walked(item: Exclude<BundleItem, { readonly kind: 'head' | 'end' | 'broken' }>): AuditFault | undefined {
    switch (item.kind) {
      case 'epoch': {
        const refused = this.epochs.take(item)
        // Nothing after it can be judged by anybody known.
        if (refused !== undefined) this.over = true
        return refused
      }
      case 'checkpoint':
        return this.walk?.takeCheckpoint(item)
      case 'entry':
        this.counts.entries++
        return this.walk?.takeEntry(item)
      case 'receipt':
        this.counts.receipts++
        return undefined
      case 'state':
        this.counts.states++
        return this.walk?.takeState(item)
      case 'new-view':
        return this.account(newViewName(item.newView))
      case 'evidence':
        return this.account(evidenceName(item.evidence))
    }
  }

  private account(name: string): AuditFault | undefined {
    if (this.accounts.has(name)) return fault('format', 'repeated', 'it stands in the bundle twice')
    if (this.accounts.size >= MAX_ACCOUNTS) {
      this.over = true
      return fault('format', 'too-many', `no more than ${MAX_ACCOUNTS} NewViews and pieces of evidence are read`)
    }
    this.accounts.add(name)
    return undefined
  }

  private end(): void {
    const lacking = this.walk?.finish(this.counts)
    if (lacking !== undefined) this.last = { where: 'the bundle', ...lacking }
  }

  private verdict({ placed: { item }, chain, checkpoint }: Pending, faults: AuditFault[]): AuditVerdict | undefined {
    const bad = faults.length > 0
    switch (item.kind) {
      case 'head':
        return { kind: 'head', contents: item.contents, faults }
      case 'epoch':
        this.counts.epochs++
        return { ...item, chain, faults }
      case 'checkpoint':
        this.counts.checkpoints++
        if (checkpoint !== undefined) checkpoint.bad = bad
        return { ...item, slot: checkpoint?.slot ?? 0, faults }
      case 'entry': {
        const { slot } = item.entry.header
        const covering = checkpoint !== undefined && slot <= checkpoint.slot ? checkpoint : undefined
        if (this.isRetired(slot)) this.judgeRetired(item, covering, faults)
        if (covering?.bad) faults.push(fault('inclusion', 'bad-checkpoint', `checkpoint ${covering.slot} is no good`))
        if (covering === undefined) this.counts.uncheckpointed++
        if (faults.length > 0) this.counts.refused++
        const signers = signersOf(item.certificate, this.context)
        const resultSigners = item.results && signersOf(item.results.receipt, this.context)
        return { ...item, signers, resultSigners, checkpoint: covering?.slot, faults }
      }
      case 'receipt': {
        const retired = this.isRetired(item.certificate.statement.slot)
        if (retired) this.retired = true
        return { ...item, signers: signersOf(item.certificate, this.context), retired, faults }
      }
      case 'state': {
        // What the last epoch began with is in the hand-over itself.
        if (checkpoint !== undefined && this.isRetired(checkpoint.slot + 1)) this.retired = true
        if (checkpoint?.bad) faults.push(fault('state', 'bad-checkpoint', `checkpoint ${checkpoint.slot} is no good`))
        const signers = checkpoint === undefined || checkpoint.bad ? [] : this.signersOn(checkpoint)
        return { ...item, checkpoint: checkpoint?.slot, signers, faults }
      }
      case 'new-view':
        this.counts.newViews++
        return { ...item, faults }
      case 'evidence': {
        this.counts.evidence++
        const member = chain.epochs[item.epoch]?.charter.members[item.evidence.accused]?.id
        const certain = item.epoch === chain.last.charter.epoch && this.epochs.doubt === undefined
        if (!bad && member !== undefined) (certain ? this.convicted : this.suspected).add(member)
        return { ...item, member, faults }
      }
      case 'end':
      case 'broken':
        return undefined
    }
  }

  private signersOn({ slot, note }: WalkedCheckpoint): MemberId[] {
    return idsOf(noteSigners(note, this.context), this.context.chain.at(slotOf(slot)))
  }

  /** Its certificate and its results rest on keys that may be in anybody's hands by now; a pin fixes where it must lie. */
  private judgeRetired(
    { entry, results }: EntryItem,
    covering: WalkedCheckpoint | undefined,
    faults: AuditFault[],
  ): void {
    if (results !== undefined && this.options.level !== 'replay') this.counts.retiredResults++
    const led = covering !== undefined && (covering.leads || !this.isRetired(covering.slot + 1))
    if (led || !this.epochs.pinned) return
    const { epoch } = entry.header
    faults.push(
      fault(
        'inclusion',
        'not-under-pin',
        `epoch ${epoch} is over, and nothing shows that it lies in the log that is pinned`,
      ),
    )
  }

  private note(where: string, found: AuditFault): void {
    this.faultCount++
    if (this.faults.length < MAX_LISTED_FAULTS) this.faults.push({ where, ...found })
  }
}
