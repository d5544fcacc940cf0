// A store's records put together for auditors: of each slot the entry, why it counts and what came of it here; and the stable
// checkpoints. Nothing is verified here: whoever reads it checks.

import { type Certificate, epoch, slot, type Vote } from '../../crypto/index.ts'
import { digestKey, type Entry, type HandOver, noopEntry } from '../consensus/index.ts'
import type { Store, StoreRecord } from '../storage/index.ts'
import {
  ARCHIVE_KINDS,
  type ArchivedCheckpoint,
  type ArchivedSlot,
  decodeOutcome,
  decodeRecord,
  RECORD_KINDS,
} from '../wire/index.ts'
import { PAGE_SLOTS } from './limits.ts'

interface OpenSlot {
  readonly bodies: Map<string, Entry>
  certificate: Certificate | undefined
  receipt: Vote | undefined
  records: readonly Uint8Array[]
}

/** The slots from `from` to `to` that are whole in the store, ascending; `links` say which epochs they are of. */
export async function* readSlots(
  store: Store,
  links: readonly HandOver[],
  from: number,
  to: number,
): AsyncGenerator<ArchivedSlot> {
  for (let first = Math.max(1, from, store.firstSlot); first <= to; first += PAGE_SLOTS) {
    const open = new Map<number, OpenSlot>()
    const last = Math.min(to, first + PAGE_SLOTS - 1)
    for await (const record of store.read(first, last)) collect(open, record)
    for (let at = first; at <= last; at++) {
      const whole = archivedSlot(open.get(at), at, links)
      if (whole !== undefined) yield whole
    }
  }
}

/** The stable checkpoints of slots from `from` to `to` that are in the store, ascending. */
export async function* readCheckpoints(store: Store, from: number, to: number): AsyncGenerator<ArchivedCheckpoint> {
  const found = new Map<number, ArchivedCheckpoint>()
  for await (const { kind, bytes } of store.read(Math.max(1, from), to)) {
    if (kind !== RECORD_KINDS.stable) continue
    const record = decodeRecord(bytes)
    if (!record.ok || record.value.kind !== 'stable') continue
    const { checkpoint, frontier } = record.value
    found.set(checkpoint.slot, { checkpoint, frontier })
  }
  for (const at of [...found.keys()].sort((a, b) => a - b)) {
    const checkpoint = found.get(at)
    if (checkpoint !== undefined) yield checkpoint
  }
}

function collect(open: Map<number, OpenSlot>, { kind, slot: at, bytes }: StoreRecord): void {
  if (kind !== RECORD_KINDS.entry && kind !== RECORD_KINDS.chosen && kind !== ARCHIVE_KINDS.receipt) return
  let known = open.get(at)
  if (known === undefined) {
    known = { bodies: new Map(), certificate: undefined, receipt: undefined, records: [] }
    open.set(at, known)
  }
  if (kind === ARCHIVE_KINDS.receipt) {
    const outcome = decodeOutcome(bytes)
    if (!outcome.ok) return
    known.receipt = outcome.value.receipt
    known.records = outcome.value.records
    return
  }
  const record = decodeRecord(bytes)
  if (!record.ok) return
  if (record.value.kind === 'entry') known.bodies.set(digestKey(record.value.entry.digest), record.value.entry)
  else if (record.value.kind === 'chosen') known.certificate = record.value.certificate
}

function archivedSlot(open: OpenSlot | undefined, at: number, links: readonly HandOver[]): ArchivedSlot | undefined {
  if (open?.certificate === undefined) return undefined
  const { certificate, receipt, records } = open
  const key = digestKey(certificate.statement.digest)
  const noop = noopEntry(slot(at), epoch(links.filter(({ checkpoint }) => checkpoint.slot < at).length))
  const entry = open.bodies.get(key) ?? (digestKey(noop.digest) === key ? noop : undefined)
  return entry === undefined ? undefined : { entry, certificate, receipt, records }
}
