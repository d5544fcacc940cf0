// I14: what the honest replicas keep of a run passes the auditor. Every entry was chosen and has results that t of them signed, every
// checkpoint is of that log, executing everything again gives what was signed, and everything together convicts liars alone.
//
// The items are what `audit export --all` writes, with the certificate of another replica at each slot; the judges are those of
// `audit verify --level replay` and `audit blame`. What bundles look like as bytes is tested on real ones.

import {
  appendLeaf,
  assembleCertificate,
  assembleStableCheckpoint,
  type Certificate,
  type Digest,
  EMPTY_FRONTIER,
  type Frontier,
  fromUtf8,
  inclusionProof,
  type ReplicaIndex,
  type SubtreeReader,
  type Verified,
  type Vote,
} from '../../../crypto/index.ts'
import {
  type AuditContext,
  type AuditFault,
  answerOf,
  type CheckpointItem,
  Culprits,
  checkpointItemFault,
  type EntryItem,
  entryItemFault,
  LogWalk,
  newViewItemFault,
  subtreesOf,
} from '../../audit/verify/index.ts'
import type { Effect, Entry, Evidence, NewView, StableCheckpoint } from '../../consensus/index.ts'
import type { EntryResults } from '../../machine/index.ts'
import { type Observer, type ReplicaView, Violation } from '../observer.ts'

const NAME = 'I14 audit'

/** One slot, as all honest replicas together keep it. */
interface Kept {
  readonly entry: Entry
  /** Of each replica that executed it. */
  readonly certificates: Certificate[]
  readonly receipts: Map<ReplicaIndex, Verified<Vote>>
  records: readonly Uint8Array[]
}

export class AuditCheck implements Observer {
  private readonly contextNow: () => AuditContext
  private readonly isHonest: (replica: ReplicaIndex, epoch: number) => boolean
  /** By slot, without a gap from slot 1 on once the run is over. */
  private readonly slots = new Map<number, Kept>()
  private readonly checkpoints = new Map<number, StableCheckpoint>()
  private readonly newViews = new Set<NewView>()
  private readonly evidence = new Set<Evidence>()
  private known: AuditContext | undefined

  /** `context` is that of the end of the run, with all its epochs; it verifies strictly, whatever the replicas do. */
  constructor(context: () => AuditContext, isHonest: (replica: ReplicaIndex, epoch: number) => boolean) {
    this.contextNow = context
    this.isHonest = isHonest
  }

  private get context(): AuditContext {
    this.known ??= this.contextNow()
    return this.known
  }

  effect(replica: ReplicaView, effect: Effect): void {
    if (!replica.honest) return
    switch (effect.kind) {
      case 'execute': {
        const { entry, certificate } = effect
        const kept = this.slots.get(entry.header.slot)
        if (kept !== undefined) kept.certificates.push(certificate)
        else this.slots.set(entry.header.slot, { entry, certificates: [certificate], receipts: new Map(), records: [] })
        return
      }
      case 'receipt':
        this.slots.get(effect.slot)?.receipts.set(replica.index, effect.receipt)
        return
      case 'stabilize':
        // What began an epoch is signed in the one before.
        if (effect.checkpoint.signatures.length > 0) this.checkpoints.set(effect.checkpoint.slot, effect.checkpoint)
        return
      case 'evidence':
        this.evidence.add(effect.evidence)
        return
      case 'persist':
        for (const record of effect.records) if (record.kind === 'new-view') this.newViews.add(record.newView)
        return
      default:
        return
    }
  }

  executed(replica: ReplicaView, slot: number, { records }: EntryResults): void {
    const kept = this.slots.get(slot)
    if (replica.honest && kept !== undefined) kept.records = records
  }

  finished(): void {
    if (this.slots.size === 0) return
    const culprits = new Culprits(this.context)
    this.auditLog(culprits)
    for (const newView of this.newViews) {
      this.must(newViewItemFault(newView, this.context), `the NewView of view ${newView.view}`)
      culprits.newView(newView)
    }
    for (const evidence of this.evidence) {
      if (culprits.evidence(evidence)) continue
      throw new Violation(NAME, `evidence (${evidence.kind}) does not convict r${evidence.accused}`)
    }
    const { convictions, forks } = culprits.report()
    if (forks.length > 0) throw new Violation(NAME, `two entries were chosen for slot ${forks.join(', ')}`)
    const innocent = convictions.filter(({ evidence, epoch }) => this.isHonest(evidence.accused, epoch.charter.epoch))
    const whom = [...new Set(innocent.map(({ member }) => member))]
    if (whom.length > 0) throw new Violation(NAME, `convicts ${whom.join(', ')}, who are honest`)
  }

  private auditLog(culprits: Culprits): void {
    const walk = new LogWalk({ kind: 'slots', from: 1, to: this.slots.size }, 'replay', this.context)
    const { frontiers, read } = this.log()
    const stable = [...this.checkpoints.values()].sort((a, b) => a.slot - b.slot)
    let next = 0
    for (let slot = 1; slot <= this.slots.size; slot++) {
      // A checkpoint stands above what it covers.
      if (slot > (walk.checkpoint?.slot ?? 0) && next < stable.length) {
        const checkpoint = stable[next++]
        if (checkpoint !== undefined) this.auditCheckpoint(checkpoint, frontiers[checkpoint.slot], walk, culprits)
      }
      const covering = walk.checkpoint
      const covered = covering !== undefined && covering.slot >= slot
      const item = this.entryItem(slot, covered ? inclusionProof(read, slot - 1, covering.slot) : undefined)
      const walked = walk.takeEntry(item)
      // The end of a log is ahead of its checkpoints.
      this.must(!covered && walked?.code === 'not-checkpointed' ? undefined : walked, `slot ${slot}`)
      this.must(entryItemFault(item, covering, this.context), `slot ${slot}`)
      culprits.certificate(item.certificate)
      if (item.results !== undefined) culprits.result(item.results.receipt)
    }
    this.must(walk.finish({ entries: this.slots.size, receipts: 0, states: 0 }), 'the log')
  }

  private auditCheckpoint(
    checkpoint: StableCheckpoint,
    frontier: Frontier | undefined,
    walk: LogWalk,
    culprits: Culprits,
  ): void {
    const where = `checkpoint ${checkpoint.slot}`
    const { membership, clusterName, verifier } = this.context.chain.at(checkpoint.slot).verify
    const made = assembleStableCheckpoint(checkpoint, checkpoint.signatures, membership, clusterName, verifier)
    if (!made.ok || frontier === undefined) throw new Violation(NAME, `${where} can't be exported`)
    const item: CheckpointItem = {
      kind: 'checkpoint',
      note: fromUtf8(made.value.stable.note) ?? '',
      frontier,
      consistency: undefined,
    }
    this.must(walk.takeCheckpoint(item) ?? checkpointItemFault(item, this.context), where)
    culprits.checkpoint(checkpoint)
  }

  private entryItem(slot: number, path: readonly Digest[] | undefined): EntryItem {
    const { entry, certificates, receipts, records } = this.kept(slot)
    const certificate = certificates[slot % certificates.length]
    if (certificate === undefined) throw new Violation(NAME, `slot ${slot} has no certificate`)
    const receipt = this.receiptOf([...receipts.values()])
    const results = receipt && { receipt, answers: records.map(answerOf) }
    return { kind: 'entry', entry, certificate, results, path }
  }

  private receiptOf(votes: readonly Verified<Vote>[]): Certificate | undefined {
    const statement = votes[0]?.statement
    if (statement?.kind !== 'receipt') return undefined
    const { membership } = this.context.chain.at(statement.slot)
    if (votes.length < membership.quorums.trust) return undefined
    return assembleCertificate({ ...statement, kind: 'receipt' }, votes, membership)
  }

  private log(): { readonly frontiers: readonly Frontier[]; readonly read: SubtreeReader } {
    const leaves: Digest[] = []
    const frontiers: Frontier[] = [EMPTY_FRONTIER]
    for (let slot = 1; slot <= this.slots.size; slot++) {
      const { digest } = this.kept(slot).entry
      leaves.push(digest)
      frontiers.push(appendLeaf(frontiers[slot - 1] ?? EMPTY_FRONTIER, digest))
    }
    return { frontiers, read: subtreesOf(EMPTY_FRONTIER, leaves) }
  }

  private kept(slot: number): Kept {
    const kept = this.slots.get(slot)
    if (kept === undefined) throw new Violation(NAME, `slot ${slot} is missing below slot ${this.slots.size}`)
    return kept
  }

  private must(fault: AuditFault | undefined, where: string): void {
    if (fault !== undefined) throw new Violation(NAME, `${where}: ${fault.check}: ${fault.message}`)
  }
}
