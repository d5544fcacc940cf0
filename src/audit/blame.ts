// Who lied, from bundles and from replicas' archives put together. Nothing is trusted but the genesis.

import type { SignatureVerifier } from '../../crypto/index.ts'
import type { Genesis } from '../../keys/genesis/index.ts'
import { nativeVerifier } from '../../keys/native/index.ts'
import { type EpochChain, epochOfEvidence, type Pin } from '../consensus/index.ts'
import type { Archive } from '../wire/index.ts'
import { followArchives } from './chains.ts'
import { Cursor } from './cursor.ts'
import {
  type AuditContext,
  auditContext,
  type BatchVerifier,
  type ByteSource,
  type CulpritReport,
  Culprits,
  describeEvidence,
  type EvidenceDescription,
  evidenceItemFault,
  newViewItemFault,
  noteSigners,
  type PlacedFault,
  type Standing,
  stableOf,
  verifyArchivedCheckpoint,
  verifyArchivedSlot,
  verifyBundle,
} from './verify/index.ts'

export type BlameSource =
  | { readonly kind: 'bundle'; readonly name: string; readonly bytes: ByteSource }
  | { readonly kind: 'archive'; readonly name: string; readonly archive: Archive }

export interface BlameOptions {
  readonly genesis: Genesis
  readonly sources: readonly BlameSource[]
  readonly verifier?: SignatureVerifier
  readonly batch?: BatchVerifier
  /** A hand-over that every source must go through. */
  readonly pin?: Pin | undefined
  readonly signal?: AbortSignal
}

export interface BlameReport extends CulpritReport {
  /** One a conviction, in the same order. */
  readonly descriptions: readonly EvidenceDescription[]
  /** What does not verify, and was not used; the place names the source too. */
  readonly refused: readonly PlacedFault[]
  /** `ambiguous` also where the sources follow two chains: then nobody can tell which is the cluster's. */
  readonly standing: Standing
  /** Entries with good certificates that were compared, over all sources. */
  readonly entries: number
}

/** Finds everybody whom the sources convict. */
export async function findCulprits(options: BlameOptions): Promise<BlameReport> {
  const context = auditContext(options.genesis, options.verifier ?? nativeVerifier)
  const search: Search = {
    context,
    culprits: new Culprits(context, options.pin?.epoch),
    refused: [],
    entries: 0,
    standings: new Set(),
    options,
  }
  for (const source of options.sources) {
    if (source.kind === 'bundle') await readBundle(search, source.name, source.bytes)
    else await readArchive(search, source.name, source.archive)
  }
  const report = search.culprits.report()
  const descriptions = report.convictions.map(({ evidence, epoch, doubt }) => describeEvidence(evidence, epoch, doubt))
  const { refused, entries, standings } = search
  const standing = report.splits.length > 0 || standings.has('ambiguous') ? 'ambiguous' : undefined
  return {
    ...report,
    descriptions,
    refused,
    standing: standing ?? (standings.has('pinned') ? 'pinned' : 'genesis'),
    entries,
  }
}

interface Search {
  readonly context: AuditContext
  readonly culprits: Culprits
  readonly refused: PlacedFault[]
  entries: number
  /** Of the bundles whose epochs were not refused. */
  readonly standings: Set<Standing>
  readonly options: BlameOptions
}

async function readBundle(search: Search, name: string, bytes: ByteSource): Promise<void> {
  const { context, culprits, options } = search
  const { batch, pin } = options
  let { chain } = context
  const audit = { level: 'certificates', verifier: context.executes, pin, ...(batch && { batch }) } as const
  culprits.follow(chain)
  for await (const each of verifyBundle(bytes, options.genesis, audit)) {
    options.signal?.throwIfAborted()
    if (each.kind === 'summary') {
      if (each.faults.every(({ check }) => check !== 'epoch')) search.standings.add(each.standing)
      search.refused.push(...each.faults.map((fault) => ({ ...fault, where: `${name}, ${fault.where}` })))
      continue
    }
    if (each.faults.length > 0) continue
    switch (each.kind) {
      case 'epoch':
        chain = each.chain
        culprits.follow(chain)
        break
      case 'entry':
        search.entries++
        culprits.certificate(each.certificate)
        if (each.results !== undefined) culprits.result(each.results.receipt)
        break
      case 'receipt':
        culprits.result(each.certificate)
        break
      case 'checkpoint': {
        const stable = stableOf(each.note, noteSigners(each.note, { chain }))
        if (stable !== undefined) culprits.checkpoint(stable)
        break
      }
      case 'new-view':
        culprits.newView(each.newView)
        break
      case 'evidence':
        culprits.evidence(each.evidence, chain.epochs[each.epoch])
    }
  }
}

async function readArchive(search: Search, name: string, archive: Archive): Promise<void> {
  const { culprits, options } = search
  const cursor = new Cursor(archive, options.signal)
  const refuse = (where: string, fault: Omit<PlacedFault, 'where'>) =>
    search.refused.push({ ...fault, where: `${name}, ${where}` })
  const context = { ...search.context, chain: await chainOf(search, cursor) }
  culprits.follow(context.chain)
  for (const newView of (await cursor.ask('its NewViews', () => archive.newViews())) ?? []) {
    const fault = newViewItemFault(newView, context)
    if (fault === undefined) culprits.newView(newView)
    else refuse(`NewView of view ${newView.view}`, fault)
  }
  for (const evidence of (await cursor.ask('its evidence', () => archive.evidence())) ?? []) {
    const fault = evidenceItemFault(evidence, context)
    if (fault !== undefined || !culprits.evidence(evidence, epochOfEvidence(evidence, context.chain))) {
      refuse(`evidence against replica ${evidence.accused}`, fault ?? UNUSED)
    }
  }
  // One log alone contradicts nobody: its entries matter beside those of another source.
  if (options.sources.length > 1) {
    await cursor.ask('its entries', () => readEntries(search, context, archive, refuse))
  }
  if (cursor.refusal !== undefined) {
    const { where, reason: message } = cursor.refusal
    refuse(where, { check: 'format', code: 'unreadable', message })
  }
}

/** The epochs that an archive goes through, and what they stand on. */
async function chainOf({ context, options: { pin }, standings }: Search, cursor: Cursor): Promise<EpochChain> {
  const followed = await followArchives([cursor], context.chain, pin)
  // One archive is in order with itself: each of its hand-overs follows on the one before.
  const chain = 'chain' in followed ? followed.chain : context.chain
  const reached = chain.links.length
  if (cursor.refusal !== undefined) return context.chain
  if (pin !== undefined && reached < pin.epoch)
    cursor.refuse('its epochs', 'it does not get to the hand-over that is pinned')
  else standings.add(reached === 0 ? 'genesis' : reached === pin?.epoch ? 'pinned' : 'ambiguous')
  return chain
}

const UNUSED = { check: 'evidence', code: 'unused', message: 'it convicts nobody' } as const

async function readEntries(
  search: Search,
  context: AuditContext,
  archive: Archive,
  refuse: (where: string, fault: Omit<PlacedFault, 'where'>) => void,
): Promise<void> {
  const { culprits, options } = search
  const { first, last } = await archive.extent()
  for await (const archived of archive.slots(first, last)) {
    options.signal?.throwIfAborted()
    const checked = verifyArchivedSlot(archived, context)
    if (checked.ok) {
      search.entries++
      culprits.certificate(archived.certificate)
    } else refuse(`slot ${archived.entry.header.slot}`, checked.fault)
  }
  for await (const each of archive.checkpoints(first, last)) {
    const fault = verifyArchivedCheckpoint(each, context)
    if (fault === undefined) culprits.checkpoint(each.checkpoint)
    else refuse(`checkpoint ${each.checkpoint.slot}`, fault)
  }
}
