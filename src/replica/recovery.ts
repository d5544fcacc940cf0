// From a store to a replica: the newest snapshot that is whole, the entries that were chosen after it, replayed up to the newest
// stable checkpoint, and the records for the core. Where the state comes out wrong or the journal has a gap, the core fetches the
// state from others; nothing here is used that does not match what a quorum signed.

import { setImmediate as nextTurn } from 'node:timers/promises'
import { type Certificate, equalBytes, sha256, slot } from '../../crypto/index.ts'
import {
  type DurableRecord,
  digestKey,
  type Entry,
  type HandOver,
  noopEntry,
  type StableCheckpoint,
  verifyMessage,
} from '../consensus/index.ts'
import { isSealed, MapRestoration } from '../machine/index.ts'
import { type Recovered, type StoredSnapshot, StoreError, type StoreRecord } from '../storage/index.ts'
import { ARCHIVE_KINDS, decodeRecord, RECORD_KINDS } from '../wire/index.ts'
import { repairableDamage } from './damage.ts'
import type { Epochs } from './epochs.ts'
import { AUDIT_KEY_PREFIX, EVIDENCE_KEY_PREFIX, emptyKept, type KeptForAudit, numberIn } from './journal.ts'
import { isFrontierOf, type MachineHost } from './machine-host.ts'
import type { Log } from './types.ts'

export interface RecoverOptions {
  readonly path: string
  readonly recovered: Recovered
  /** Of the genesis alone; extended by what the store holds of later ones. */
  readonly epochs: Epochs
  /** At slot 0; brought to where it stood. */
  readonly host: MachineHost
  readonly log: Log
  readonly signal?: AbortSignal | undefined
}

export interface RecoveredReplica {
  /** For the core, in an order that it may be given them. */
  readonly records: readonly DurableRecord[]
  readonly kept: KeptForAudit
  /** The newest checkpoint known to be stable; undefined before the first. */
  readonly stable: StableCheckpoint | undefined
  /** Of the snapshot on disk that the machine was restored from; slot 0 where there was none. */
  readonly snapshot: { readonly slot: number; readonly bytes: number }
  /** Bytes of the records that were read. */
  readonly journalBytes: number
  readonly alarms: readonly string[]
}

type StableRecord = DurableRecord & { readonly kind: 'stable' }

/** Entries replayed between two looks at the signal. */
const REPLAY_STEP = 32

/** @throws {StoreError} `damaged` or `format` where the replica must stay out; the signal's reason once that is aborted. */
export async function recover(options: RecoverOptions): Promise<RecoveredReplica> {
  const { recovered, path, host, log, epochs } = options
  const damaged = repairableDamage(recovered.damaged, path)
  if (damaged > 0) log.warn({ records: damaged }, 'damaged records will be fetched from other replicas')
  const decoded = decodeAll(recovered.records, path)
  followAll(epochs, handOversIn(decoded), path)
  const snapshot = await restore(options)
  const stables = decoded.flatMap(({ record }) => (record.kind === 'stable' ? [record] : []))
  const stable = newest(snapshot.stable === undefined ? stables : [...stables, snapshot.stable])
  const alarms: string[] = []
  if (stable !== undefined) {
    if (!isStable(stable.checkpoint, epochs)) {
      throw new StoreError(
        'damaged',
        `${path} names a stable checkpoint that no quorum signed: is the folder of another cluster?`,
      )
    }
    await replay(
      options,
      decoded.map(({ record }) => record),
      stable.checkpoint,
    )
    const there = host.position.slot === stable.checkpoint.slot
    // Peers that lag may ask for it.
    if (there && host.isAt(stable.checkpoint)) host.keep()
    else if (there) {
      const text = `state-diverged: after a replay up to slot ${stable.checkpoint.slot}`
      log.error(
        { slot: stable.checkpoint.slot },
        'the replayed state is not the one that was agreed; fetching it from other replicas',
      )
      alarms.push(text)
      host.reset()
    }
  }
  return {
    records: forCore(decoded, stable),
    kept: keptForAudit(decoded),
    stable: stable?.checkpoint,
    snapshot: { slot: snapshot.slot, bytes: snapshot.bytes },
    journalBytes: recovered.records.reduce((sum, { bytes }) => sum + bytes.length, 0),
    alarms,
  }
}

export interface DecodedRecord {
  readonly key: string | undefined
  readonly record: DurableRecord
  readonly bytes: number
}

/** The core's records among those of a store. @throws {StoreError} `format` for one that cannot be read. */
export function decodeAll(records: readonly StoreRecord[], path: string): DecodedRecord[] {
  const decoded: DecodedRecord[] = []
  for (const { kind, key, bytes } of records) {
    if (kind === ARCHIVE_KINDS.receipt) continue
    const record = decodeRecord(bytes)
    if (!record.ok || RECORD_KINDS[record.value.kind] !== kind) {
      throw new StoreError(
        'format',
        `${path} holds a record of kind ${kind} that this version cannot read: run the version that wrote it`,
      )
    }
    decoded.push({ key, record: record.value, bytes: bytes.length })
  }
  return decoded
}

/** The hand-overs among records, by the epochs that they began. */
export function handOversIn(decoded: readonly DecodedRecord[]): HandOver[] {
  const found = decoded.flatMap(({ record }) => (record.kind === 'hand-over' ? [record.handOver] : []))
  return found.sort((a, b) => a.charter.epoch - b.charter.epoch)
}

/** @throws {StoreError} where they do not lead from epoch to epoch. */
export function followAll(epochs: Epochs, links: readonly HandOver[], path: string): void {
  const fault = epochs.follow(links)
  if (fault === undefined) return
  const number = epochs.chain.links.length + 1
  throw new StoreError(
    'damaged',
    `${path} does not say how epoch ${number} began (${fault.code}): is the folder of another cluster?`,
  )
}

interface Restored {
  /** What the snapshot is of, though its chunks be damaged. */
  readonly stable: StableRecord | undefined
  /** Where the machine now stands, and the bytes of the chunks. */
  readonly slot: number
  readonly bytes: number
}

/** Brings the machine to the snapshot; it stays at slot 0 where there is none, or none that proves to be right. */
async function restore({ recovered, host, epochs, log, signal }: RecoverOptions): Promise<Restored> {
  const { snapshot } = recovered
  const nothing: Restored = { stable: undefined, slot: 0, bytes: 0 }
  if (snapshot === undefined) return nothing
  const stable = metaOf(snapshot, epochs)
  if (stable === undefined) {
    log.error({ slot: snapshot.slot }, 'the snapshot on disk is not of a state that was agreed; going on without it')
    return nothing
  }
  const restoration = new MapRestoration(stable.checkpoint.stateRoot, sha256)
  let bytes = 0
  try {
    for (const chunk of snapshot.chunks()) {
      // An earlier version sealed none: those are proven as if they came from a peer.
      const taken = isSealed(chunk) ? restoration.offerSealed(chunk) : restoration.offer(chunk)
      if (!taken.ok) throw new StoreError('damaged', `chunk refused: ${taken.fault}`)
      bytes += chunk.length
      await nextTurn()
      signal?.throwIfAborted()
    }
    host.install(restoration.finish(), stable.frontier)
  } catch (error) {
    signal?.throwIfAborted()
    log.error({ slot: snapshot.slot, error: String(error) }, 'the snapshot on disk is damaged; going on without it')
    return { stable, slot: 0, bytes: 0 }
  }
  return { stable, slot: snapshot.slot, bytes }
}

function metaOf(snapshot: StoredSnapshot, epochs: Epochs): StableRecord | undefined {
  const decoded = decodeRecord(snapshot.meta)
  if (!decoded.ok || decoded.value.kind !== 'stable') return undefined
  const { checkpoint, frontier } = decoded.value
  const genuine =
    checkpoint.slot === snapshot.slot &&
    isFrontierOf(frontier, checkpoint.slot, checkpoint.logRoot) &&
    isStable(checkpoint, epochs)
  return genuine ? decoded.value : undefined
}

/** True where a quorum signed it. */
function isStable(checkpoint: StableCheckpoint, { chain }: Epochs): boolean {
  return verifyMessage({ kind: 'stable', checkpoint }, chain.at(checkpoint.slot).verify).ok
}

/** Executes what was chosen after the machine's position up to the checkpoint, as far as the journal has it. */
async function replay(
  { host, epochs, signal }: RecoverOptions,
  records: readonly DurableRecord[],
  to: StableCheckpoint,
) {
  const bodies = new Map<string, Entry>()
  const chosen = new Map<number, Certificate>()
  const { slot: from } = host.position
  const wanted = (at: number) => at > from && at <= to.slot
  for (const record of records) {
    if (record.kind === 'entry' && wanted(record.entry.header.slot))
      bodies.set(digestKey(record.entry.digest), record.entry)
    else if (record.kind === 'chosen' && wanted(record.certificate.statement.slot))
      chosen.set(record.certificate.statement.slot, record.certificate)
  }
  for (let at = from + 1; at <= to.slot; at++) {
    const certificate = chosen.get(at)
    if (certificate === undefined) return
    const { digest } = certificate.statement
    const noop = noopEntry(slot(at), epochs.chain.at(slot(at)).charter.epoch)
    const entry = equalBytes(noop.digest, digest) ? noop : bodies.get(digestKey(digest))
    if (entry === undefined) return
    host.replay(entry, certificate)
    if (at % REPLAY_STEP !== 0) continue
    await nextTurn()
    signal?.throwIfAborted()
  }
}

function newest(stables: readonly StableRecord[]): StableRecord | undefined {
  return stables.reduce<StableRecord | undefined>(
    (best, each) => (best === undefined || each.checkpoint.slot > best.checkpoint.slot ? each : best),
    undefined,
  )
}

/**
 * What binds the replica to its view comes first, in the order of the views: a store may write the newest record of a key again when
 * it drops old files, and a promise that came after the votes of the view that it led to would make the core forget those.
 */
function forCore(decoded: readonly DecodedRecord[], stable: StableRecord | undefined): DurableRecord[] {
  const control: DurableRecord[] = []
  const rest: DurableRecord[] = []
  for (const { key, record } of decoded) {
    if (record.kind === 'promise') control.push(record)
    else if (record.kind === 'new-view') {
      if (numberIn(key, AUDIT_KEY_PREFIX) === undefined) control.push(record)
    } else if (record.kind !== 'stable' && record.kind !== 'evidence') rest.push(record)
  }
  control.sort((a, b) => viewOf(a) - viewOf(b) || Number(a.kind === 'new-view') - Number(b.kind === 'new-view'))
  return [...(stable === undefined ? [] : [stable]), ...control, ...rest]
}

function viewOf(record: DurableRecord): number {
  if (record.kind === 'promise') return record.viewChange.view
  return record.kind === 'new-view' ? record.newView.view : 0
}

/** What the keys of a store hold for audits. @throws {StoreError} `format` for records that cannot be read. */
export function keptForAudit(decoded: readonly DecodedRecord[]): KeptForAudit {
  const kept = emptyKept()
  for (const { key, record, bytes } of decoded) {
    if (record.kind === 'new-view') {
      const number = numberIn(key, AUDIT_KEY_PREFIX)
      if (number !== undefined) kept.newViews.put(number, record.newView, bytes)
    } else if (record.kind === 'evidence') {
      const number = numberIn(key, EVIDENCE_KEY_PREFIX)
      if (number !== undefined) kept.evidence.put(number, record.evidence, bytes)
    }
  }
  return kept
}
