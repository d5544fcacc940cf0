// What archives show of one slot, put together: the entry with its certificate, and the results with receipts of t replicas.

import {
  assembleCertificate,
  type Certificate,
  equalBytes,
  hex,
  type Membership,
  slot as slotOf,
  type Verified,
  type Vote,
} from '../../crypto/index.ts'
import type { ArchivedSlot } from '../wire/index.ts'
import type { Cursor } from './cursor.ts'
import { type AuditContext, type BundleEntry, verifyArchivedReceipt, verifyArchivedSlot } from './verify/index.ts'

export type Gathered = Omit<BundleEntry, 'path'>

/** Two of them show different entries of the slot, both with good certificates. */
export interface Fork {
  readonly forkOf: readonly [Cursor, Cursor]
}

/** A slot's entry with its certificate from the first that can show one, and receipts until t agree. Liars are refused on the way. */
export async function gatherSlot(
  cursors: readonly Cursor[],
  context: AuditContext,
  slot: number,
  last: number,
): Promise<Gathered | Fork | undefined> {
  const { membership } = context.chain.at(slotOf(slot))
  const receipts = new Map<string, { votes: Verified<Vote>[]; records: readonly Uint8Array[] }>()
  let first: { readonly archived: ArchivedSlot; readonly cursor: Cursor } | undefined
  for (const cursor of cursors) {
    const archived = await cursor.at(slot, last)
    if (archived === undefined) continue
    const same = first !== undefined && equalBytes(first.archived.entry.digest, archived.entry.digest)
    // The digest of an unverified entry is only what its sender says; that of `first` was computed.
    const asFirst = same && first !== undefined ? { ...archived, entry: first.archived.entry } : archived
    const checked = same ? verifyArchivedReceipt(asFirst, context) : verifyArchivedSlot(asFirst, context)
    if (!checked.ok) {
      cursor.refuse(`slot ${slot}`, checked.fault.message)
      continue
    }
    if (first !== undefined && !same) return { forkOf: [first.cursor, cursor] }
    first ??= { archived, cursor }
    if (checked.value === undefined) continue
    const name = hex(checked.value.statement.digest)
    const agreed = receipts.get(name) ?? { votes: [], records: archived.records }
    const votes = [...agreed.votes, checked.value]
    receipts.set(name, { ...agreed, votes })
    const receipt = receiptOf(votes, membership)
    if (receipt === undefined) continue
    const { entry, certificate } = first.archived
    return { entry, certificate, results: { receipt, records: agreed.records } }
  }
  if (first === undefined) return undefined
  const { entry, certificate } = first.archived
  return { entry, certificate, results: undefined }
}

/** Undefined until t members have signed; who shows somebody else's receipt shows nothing new. */
function receiptOf(votes: readonly Verified<Vote>[], membership: Membership): Certificate | undefined {
  const statement = votes[0]?.statement
  if (statement?.kind !== 'receipt') return undefined
  return assembleCertificate({ ...statement, kind: 'receipt' }, votes, membership)
}
