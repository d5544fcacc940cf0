// Fencing tokens: the proof, checked offline and by anybody, that a client took a lock or won an election, and when. A token is the
// receipt of the transaction that did it (src/machine/kv/lock.ts), as a bundle file.
//
// Its order is what a resource goes by: it remembers the greatest token that it saw and refuses smaller ones. Of two holders the later
// one has the greater slot; where somebody else deleted the key, two may share a slot, and the revision tells them apart.

import {
  failure,
  type MemberId,
  type PublicKey,
  portableVerifier,
  type Result,
  type SignatureVerifier,
  success,
} from '../../../crypto/index.ts'
import type { Genesis } from '../../../keys/genesis/index.ts'
import {
  decodeKvCommand,
  decodeKvResult,
  decodeResultRecord,
  type LockClaim,
  type LockKind,
  lockClaimOf,
} from '../../machine/index.ts'
import { verifyBundle } from './bundle.ts'
import { receiptItemFault, signersOf } from './checks.ts'
import { auditContext } from './context.ts'
import { EpochReader, type EpochTrust } from './epochs.ts'
import type { ReceiptItem } from './items.ts'
import type { BundleReceipt } from './write.ts'

/** Whether the members may have changed since the genesis: with a pin or a chain the token must be of that very cluster. */
export interface FencingOptions extends EpochTrust {
  /** From a source that you trust: it says whose signatures count. */
  readonly genesis: Genesis
  /** The lock or election that the token must be of. */
  readonly name: string
  /** A lock unless told. */
  readonly kind?: LockKind
  /** Portable unless told, so that it runs in a browser too; `nativeVerifier` of quorate/keys is faster. */
  readonly verifier?: SignatureVerifier
}

/** What a good token says. */
export interface FencingFacts extends LockClaim {
  /** Where in the log the lock was taken: the token's number. */
  readonly slot: number
  /** Of the store after that: no two holders ever have the same. */
  readonly revision: number
  /** The client key that took it. */
  readonly holder: PublicKey
  /** The members that signed, by their ids, t = b + 1 or more. */
  readonly signers: readonly MemberId[]
  /**
   * Whether the epoch of that slot is over, as far as the pin or the chain tells. Who has stolen the keys of t of its members since
   * could have made the token; nobody can make one that way for a slot of the epoch in office.
   */
  readonly retired: boolean
}

export interface FencingFault {
  /** Stable; for programs. */
  readonly code: string
  /** One sentence without its full stop. */
  readonly message: string
}

/**
 * Checks a token offline: t replicas of the cluster signed that the holder took this very lock. Says nothing about whether it holds it
 * still: compare with the greatest token seen ({@link compareFencing}). Never throws on any token.
 */
export async function verifyFencingToken(
  token: Uint8Array | BundleReceipt,
  options: FencingOptions,
): Promise<Result<FencingFacts, FencingFault>> {
  const { name, kind = 'lock' } = options
  const receipt = token instanceof Uint8Array ? await receiptIn(token, options) : checked(token, options)
  const facts = receipt.ok ? fencingFacts(receipt.value) : receipt
  if (!facts.ok || (facts.value.kind === kind && facts.value.name === name)) return facts
  const [got, wanted] = [facts.value, { kind, name }].map((each) => `${each.kind} ${JSON.stringify(each.name)}`)
  return refused('other-name', `the token is of ${got}, not of ${wanted}`)
}

/** Negative where `a` is of an earlier holder than `b`, 0 where it is the same one's, positive where it is of a later one. */
export function compareFencing(
  a: Pick<FencingFacts, 'slot' | 'revision'>,
  b: Pick<FencingFacts, 'slot' | 'revision'>,
): number {
  return a.slot - b.slot || a.revision - b.revision
}

/** A receipt that was verified, and who signed it. */
export interface VerifiedReceipt extends ReceiptItem {
  readonly signers: readonly MemberId[]
  readonly retired: boolean
}

/** What a verified receipt says as a fencing token. */
export function fencingFacts(receipt: VerifiedReceipt): Result<FencingFacts, FencingFault> {
  const { request, record, signers, retired } = receipt
  const command = decodeKvCommand(request.request.command)
  const claim = command && lockClaimOf(command)
  if (claim === undefined) return refused('no-lock', 'the request in it takes no lock and no election')
  const decoded = decodeResultRecord(record)
  if (decoded?.outcome !== 'done') {
    return refused('not-taken', `the request to take it was answered "${decoded?.outcome}"`)
  }
  const result = decodeKvResult(decoded.result)
  if (result?.response.kind !== 'txn') return refused('other-machine', 'the answer is not that of the key-value store')
  if (!result.response.succeeded) return refused('not-taken', 'somebody else held it')
  const { client: holder } = request.request
  const { revision } = result
  // Not the certificate's slot: who asks again is answered with the record of the first time, in a later slot.
  return success({ ...claim, slot: decoded.slot, revision, holder, signers, retired })
}

async function receiptIn(
  bytes: Uint8Array,
  { genesis, verifier = portableVerifier, pin, chain }: FencingOptions,
): Promise<Result<VerifiedReceipt, FencingFault>> {
  let found: VerifiedReceipt | undefined
  for await (const each of verifyBundle([bytes], genesis, { level: 'certificates', verifier, pin, chain })) {
    if (each.kind === 'receipt') found = each
    if (each.kind !== 'summary') continue
    const [fault] = each.faults
    if (fault !== undefined) return refused(`${fault.check}: ${fault.code}`, `${fault.where}: ${fault.message}`)
    if (each.contents?.kind !== 'receipt') return refused('no-receipt', 'it is a bundle, and holds no receipt')
    if (each.doubt !== undefined && each.doubt !== 'retired-keys') return refused('ambiguous', AMBIGUOUS[each.doubt])
  }
  return found === undefined ? refused('no-receipt', 'it holds no receipt') : success(found)
}

/** A receipt at hand brings no epochs along: they are those of the chain. */
function checked(
  receipt: BundleReceipt,
  { genesis, verifier = portableVerifier, pin, chain: known }: FencingOptions,
): Result<VerifiedReceipt, FencingFault> {
  const context = auditContext(genesis, verifier)
  const epochs = new EpochReader(context, { pin, chain: known })
  const missing = epochs.finish()
  const { chain } = epochs
  const item = { kind: 'receipt', ...receipt } as const
  const fault = missing ?? receiptItemFault(item, { chain })
  if (fault !== undefined) return refused(`${fault.check}: ${fault.code}`, fault.message)
  const signers = signersOf(receipt.certificate, { chain })
  return success({ ...item, signers, retired: receipt.certificate.statement.slot <= chain.last.start.slot })
}

const AMBIGUOUS: Readonly<Record<'unpinned' | 'beyond-pin', string>> = Object.freeze({
  unpinned: 'the members changed since the genesis, and no pin and no chain says which change is meant',
  'beyond-pin': 'the members changed since the hand-over that is pinned',
})

function refused(code: string, message: string): Result<never, FencingFault> {
  return failure({ code, message })
}
