// The checks on one item, each with the function that replicas and clients use for the same thing. Nothing here depends on other
// items but an entry's checkpoint, so that any entry can be checked alone.

import {
  type Certificate,
  type Digest,
  describeCertificateFault,
  equalBytes,
  failure,
  leafHash,
  leafHashes,
  type MemberId,
  merkleRoot,
  type ReplicaIndex,
  type Result,
  type Slot,
  success,
  type Verified,
  type Vote,
  verifyCertificate,
  verifyInclusion,
  verifyVote,
} from '../../../crypto/index.ts'
import {
  type Entry,
  type EpochContext,
  type Evidence,
  epochOfEvidence,
  evidenceFault,
  type NewView,
  newViewFault,
  unsignedVotesReason,
  verifyMessage,
  verifyRequest,
} from '../../consensus/index.ts'
import { checkStateProof, decodeResultRecord, type StateProofFault } from '../../machine/index.ts'
import type { ArchivedSlot } from '../../wire/index.ts'
import type { LogPosition } from './checkpoints.ts'
import type { CheckContext } from './context.ts'
import { type AuditFault, fault } from './fault.ts'
import type { EntryItem, ReceiptItem, StateItem } from './items.ts'

/** That `entry` was chosen: its form, its requests' signatures, and q Accept votes on its digest. */
export function chosenFault(entry: Entry, certificate: Certificate, context: CheckContext): AuditFault | undefined {
  const { slot } = entry.header
  const { verify } = context.chain.at(slot)
  const checked = verifyMessage({ kind: 'entries', entries: [{ entry, certificate }] }, verify)
  if (checked.ok) return undefined
  const { code } = checked.fault
  if (!code.startsWith('certificate: ')) return fault('entry', code, ENTRY_FAULTS[code] ?? `the entry is bad: ${code}`)
  const expected = { kind: 'accept', slot, digest: entry.digest } as const
  const { membership, verifier } = verify
  const again = verifyCertificate(certificate, expected, membership, verifier)
  const reason = unsignedReason(slot, context) ?? (again.ok ? code : describeCertificateFault(again.fault))
  return fault('certificate', code.slice('certificate: '.length), `nothing shows that it was chosen: ${reason}`)
}

/** Why nobody can be shown what was decided in this slot, and from where on somebody can, where the votes of its epoch are unsigned. */
function unsignedReason(slot: Slot, { chain }: CheckContext): string | undefined {
  const { charter } = chain.at(slot)
  const reason = unsignedVotesReason(charter.parameters)
  const signed = chain.epochs.find((each) => each.charter.epoch > charter.epoch && each.charter.parameters.signedVotes)
  return reason === undefined || signed === undefined
    ? reason
    : `${reason}; proofs begin after slot ${signed.start.slot}`
}

/** An entry of a bundle: chosen, with its results, and in the log of `checkpoint`, where one covers it. */
export function entryItemFault(
  item: EntryItem,
  checkpoint: LogPosition | undefined,
  context: CheckContext,
): AuditFault | undefined {
  return (
    chosenFault(item.entry, item.certificate, context) ??
    (item.results === undefined ? undefined : resultsFault(item.entry, item.results, context)) ??
    inclusionFault(item.entry, item.path, checkpoint)
  )
}

/** That t replicas signed these results, and that they are those of the entry's requests. */
function resultsFault(
  { header, requests }: Entry,
  { receipt, answers }: NonNullable<EntryItem['results']>,
  { chain }: CheckContext,
): AuditFault | undefined {
  if (answers.length !== requests.length) {
    return fault('result', 'wrong-count', `${requests.length} requests have ${answers.length} results`)
  }
  for (const [i, { record }] of answers.entries()) {
    if (record === undefined) return fault('result', 'bad-record', `result ${i} is no result record`)
    const id = requests[i]?.id
    if (id === undefined || !equalBytes(record.request, id)) {
      return fault('result', 'wrong-request', `result ${i} is that of another request`)
    }
  }
  const expected = { kind: 'receipt', slot: header.slot } as const
  const { membership, verifier } = chain.at(header.slot).verify
  const checked = verifyCertificate(receipt, expected, membership, verifier)
  if (!checked.ok) return receiptRefused(checked.fault)
  return equalBytes(receipt.statement.digest, merkleRoot(answers.map(({ leaf }) => leaf)))
    ? undefined
    : fault('result', 'wrong-root', 'the results are not those that the receipts sign')
}

/** That the entry is where it says in the log that the checkpoint signs. */
export function inclusionFault(
  { header, digest }: Entry,
  path: readonly Digest[] | undefined,
  checkpoint: LogPosition | undefined,
): AuditFault | undefined {
  const covered = checkpoint !== undefined && header.slot <= checkpoint.slot
  if (!covered) {
    if (path === undefined) return undefined
    return fault('inclusion', 'no-checkpoint', 'it has an inclusion proof, and no checkpoint that it is for')
  }
  if (path === undefined) return fault('inclusion', 'no-proof', 'it lacks the inclusion proof for its checkpoint')
  const { slot: size, logRoot: root } = checkpoint
  return verifyInclusion({ leaf: digest, index: header.slot - 1, size, root }, path)
    ? undefined
    : fault('inclusion', 'not-in-log', `it is not entry ${header.slot} of the log of checkpoint ${size}`)
}

/** A client's receipt: the request as its client signed it, and this result under t signatures. */
export function receiptItemFault(item: ReceiptItem, context: CheckContext): AuditFault | undefined {
  const { certificate, request, record, index, count, path } = item
  const { verify } = context.chain.at(certificate.statement.slot)
  const requested = verifyRequest(request, verify)
  if (!requested.ok) {
    const { code } = requested.fault
    return fault('entry', code, ENTRY_FAULTS[code] ?? `the request is bad: ${code}`)
  }
  const decoded = decodeResultRecord(record)
  if (decoded === undefined) return fault('result', 'bad-record', 'the result is no result record')
  if (!equalBytes(decoded.request, request.id)) {
    return fault('result', 'wrong-request', 'the result is that of another request')
  }
  const { membership, verifier } = verify
  const checked = verifyCertificate(certificate, { kind: 'receipt' }, membership, verifier)
  if (!checked.ok) return receiptRefused(checked.fault)
  return verifyInclusion({ leaf: leafHash(record), index, size: count, root: certificate.statement.digest }, path)
    ? undefined
    : fault('result', 'not-under-receipt', 'the result is not among those that the receipts sign')
}

/** That the key has this value, or none, in the state of the checkpoint, and that this is the state's own position. */
export function stateItemFault(
  { proof }: StateItem,
  checkpoint: { readonly slot: number; readonly stateRoot: Digest } | undefined,
): AuditFault | undefined {
  if (checkpoint === undefined) return fault('state', 'no-checkpoint', 'no checkpoint stands above it')
  const checked = checkStateProof(proof, checkpoint)
  if (checked.ok) return undefined
  return fault('state', checked.fault, `${STATE_FAULTS[checked.fault]} checkpoint ${checkpoint.slot}`)
}

export function newViewItemFault(newView: NewView, context: CheckContext): AuditFault | undefined {
  const { chain } = context
  // Where nobody knows the membership that it names, any epoch finds that out.
  const { verify } = chain.of(newView.vote.statement.membership) ?? chain.last
  const found = newViewFault(newView, verify)
  return found && fault('new-view', found.code, `the NewView of view ${newView.view} is bad: ${found.code}`)
}

/** That the evidence convicts whom it accuses, on its own. */
export function evidenceItemFault(
  evidence: Evidence,
  context: CheckContext,
  epoch: EpochContext | undefined = epochOfEvidence(evidence, context.chain),
): AuditFault | undefined {
  const reason = evidenceFault(evidence, epoch.verify)
  if (reason === undefined) return undefined
  return fault('evidence', evidence.kind, `it does not convict replica ${evidence.accused}: ${reason}`)
}

/** One replica's own account of a slot: chosen, and where there is a receipt, that replica's, over these results. */
export function verifyArchivedSlot(
  archived: ArchivedSlot,
  context: CheckContext,
): Result<Verified<Vote> | undefined, AuditFault> {
  const found = chosenFault(archived.entry, archived.certificate, context)
  return found === undefined ? verifyArchivedReceipt(archived, context) : failure(found)
}

/** The receipt in one replica's account of a slot alone, whose entry is known to be good. */
export function verifyArchivedReceipt(
  { entry, receipt, records }: ArchivedSlot,
  { chain }: CheckContext,
): Result<Verified<Vote> | undefined, AuditFault> {
  if (receipt === undefined) return success(undefined)
  const { statement } = receipt
  if (statement.kind !== 'receipt' || statement.slot !== entry.header.slot) {
    return failure(fault('receipt', 'wrong-slot', 'the receipt is not one of this slot'))
  }
  const strange = records.findIndex((bytes, i) => {
    const record = decodeResultRecord(bytes)
    const id = entry.requests[i]?.id
    return record === undefined || id === undefined || !equalBytes(record.request, id)
  })
  if (records.length !== entry.requests.length || strange !== -1) {
    return failure(fault('result', 'wrong-request', 'the results are not those of the requests'))
  }
  if (!equalBytes(statement.digest, merkleRoot(leafHashes(records)))) {
    return failure(fault('result', 'wrong-root', 'the results are not those that the receipt signs'))
  }
  const { membership, verifier } = chain.at(entry.header.slot).verify
  const checked = verifyVote(receipt, membership, verifier)
  if (checked.ok) return checked
  return failure(fault('receipt', checked.fault.code, `the receipt is bad: ${checked.fault.code}`))
}

/** The signers of a certificate by their ids, in the order of their positions. */
export function signersOf({ statement, signatures }: Certificate, { chain }: CheckContext): MemberId[] {
  const replicas = signatures.map(({ replica }) => replica)
  return idsOf(replicas, chain.at(statement.slot))
}

/** The ids of the members at these positions, as far as there are such members. */
export function idsOf(replicas: readonly ReplicaIndex[], { charter: { members } }: EpochContext): MemberId[] {
  return replicas.flatMap((replica) => members[replica]?.id ?? [])
}

function receiptRefused(found: Parameters<typeof describeCertificateFault>[0]): AuditFault {
  return fault('receipt', found.code, `nothing shows that these are the results: ${describeCertificateFault(found)}`)
}

const STATE_FAULTS: Readonly<Record<StateProofFault, string>> = Object.freeze({
  'bad-position': 'its slot and time are not those in the state of',
  'other-slot': 'its position is that of another slot than',
  'not-in-state': 'the key does not have this value, or absence, in the state of',
})

const ENTRY_FAULTS: Readonly<Record<string, string>> = Object.freeze({
  'wrong-epoch': 'the entry is of another epoch',
  'wrong-epoch-range': 'the slot of the entry is one of another epoch',
  'bad-header': 'the header of the entry is malformed',
  'bad-noop': 'the entry is not the one no-op of its slot',
  'bad-request-count': 'the entry names another number of requests, or more than the genesis allows',
  'batch-too-large': 'the entry holds more bytes than the genesis allows',
  'wrong-requests-root': 'the requests are not those that were agreed',
  'bad-sequence': 'a request has no valid sequence number',
  'request-too-large': 'a request is larger than the genesis allows',
  'bad-bundle': 'a request has no place in its bundle',
  'not-in-bundle': 'a request is not in the bundle that its client signed',
  'inadmissible-client-key': 'a request names a client key that is none',
  'bad-client-signature': 'a request is not signed by its client',
})
