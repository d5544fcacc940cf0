// Certificates: one statement and enough distinct members' signatures on exactly its bytes. The same verifier serves leader,
// follower, catch-up, client and auditor, and takes its threshold from the membership alone (pitfalls P02-P06).
//
//   kind     threshold   proves
//   prepare  q           nothing else can be prepared in this view and slot; holds the leader's own vote,
//                        which with b = 0 is enough alone
//   accept   q           the digest is chosen for this slot
//   receipt  t           at least one honest replica computed this result
//
// Encoded: the 161 bytes of the statement, the number of signatures (u16), then per signature the signer's index (u16) and
// 64 bytes, signers ascending. There is no per-vote body that could disagree with the statement.

import {
  MAX_REPLICAS,
  type ReplicaIndex,
  replicaIndex,
  SIGNATURE_BYTES,
  type Signature,
  signature,
  type Verified,
} from './brands.ts'
import { equalBytes, freshBytes } from './bytes.ts'
import type { SignatureVerifier } from './ed25519.ts'
import { leaderOf, type Membership } from './membership.ts'
import { assertNever, failure, type Result, success } from './result.ts'
import {
  decodeVoteStatement,
  sameStatement,
  statementBytes,
  VOTE_STATEMENT_BYTES,
  type VoteStatement,
} from './statement.ts'
import { markVerified } from './verified.ts'
import { statementFault, type Vote, type VoteFault } from './vote.ts'

export type CertificateKind = 'prepare' | 'accept' | 'receipt'

export interface CertificateSignature {
  readonly replica: ReplicaIndex
  readonly signature: Signature
}

export interface Certificate {
  readonly statement: VoteStatement
  /** Ascending by replica. */
  readonly signatures: readonly CertificateSignature[]
}

/** What a certificate must say to be of use; the kind always, the rest where the caller knows it. */
export type CertificateExpectation = { readonly kind: CertificateKind } & Partial<
  Pick<VoteStatement, 'view' | 'slot' | 'digest' | 'justification'>
>

export type CertificateFault =
  | VoteFault
  | { readonly code: 'wrong-kind' | 'wrong-view' | 'wrong-slot' | 'wrong-digest' | 'wrong-justification' }
  | { readonly code: 'duplicate-signer' | 'unsorted-signers'; readonly replica: ReplicaIndex }
  | { readonly code: 'too-few-signers'; readonly have: number; readonly need: number }
  | { readonly code: 'no-leader-vote'; readonly leader: ReplicaIndex }

/** How many distinct members must have signed a certificate of this kind. */
export function certificateThreshold(kind: CertificateKind, membership: Membership): number {
  const { quorum, trust, prepare } = membership.quorums
  return { prepare, accept: quorum, receipt: trust }[kind]
}

/**
 * Checks everything about `certificate`: that it says what is expected, in this cluster and membership, and that enough
 * distinct members signed it. Every signature in it must be good; spare ones do not excuse a bad one.
 */
export function verifyCertificate(
  certificate: Certificate,
  expected: CertificateExpectation,
  membership: Membership,
  verifier: SignatureVerifier,
): Result<Verified<Certificate>, CertificateFault> {
  const fault =
    statementFault(certificate.statement, membership) ??
    expectationFault(certificate.statement, expected) ??
    signersFault(certificate, expected.kind, membership) ??
    signatureFault(certificate, membership, verifier)
  return fault === undefined ? success(markVerified(certificate)) : failure(fault)
}

/**
 * The certificate that `votes` make: the threshold's number of signatures, the leader's among them for a prepare. Votes on
 * other statements are passed over, and of one member's several votes the first counts.
 * Undefined while there are too few. Takes only verified votes, so no bad signature gets in.
 */
export function assembleCertificate(
  statement: VoteStatement & { readonly kind: CertificateKind },
  votes: Iterable<Verified<Vote>>,
  membership: Membership,
): Verified<Certificate> | undefined {
  const chosen = new Map<ReplicaIndex, Signature>()
  for (const vote of votes) {
    if (chosen.has(vote.replica) || vote.replica >= membership.quorums.replicas) continue
    if (sameStatement(vote.statement, statement)) chosen.set(vote.replica, vote.signature)
  }
  const need = certificateThreshold(statement.kind, membership)
  if (chosen.size < need || statementFault(statement, membership) !== undefined) return undefined
  const leader = statement.kind === 'prepare' ? leaderOf(membership, statement.view) : undefined
  if (leader !== undefined && !chosen.has(leader)) return undefined
  const signatures = [...chosen]
    .map(([replica, bytes]) => ({ replica, signature: bytes }))
    .sort((a, b) => Number(b.replica === leader) - Number(a.replica === leader) || a.replica - b.replica)
    .slice(0, need)
    .sort((a, b) => a.replica - b.replica)
  return markVerified({ statement, signatures })
}

/** The canonical bytes; {@link decodeCertificate} gives the certificate back. */
export function encodeCertificate(certificate: Certificate): Uint8Array {
  const { statement, signatures } = certificate
  const bytes = freshBytes(VOTE_STATEMENT_BYTES + 2 + signatures.length * ENTRY_BYTES)
  bytes.set(statementBytes(statement), 0)
  writeU16(bytes, VOTE_STATEMENT_BYTES, signatures.length)
  let offset = VOTE_STATEMENT_BYTES + 2
  for (const entry of signatures) {
    writeU16(bytes, offset, entry.replica)
    bytes.set(entry.signature, offset + 2)
    offset += ENTRY_BYTES
  }
  return bytes
}

/** The certificate in `bytes`, not yet verified; undefined unless they are exactly what {@link encodeCertificate} writes. */
export function decodeCertificate(bytes: Uint8Array): Certificate | undefined {
  if (bytes.length < VOTE_STATEMENT_BYTES + 2) return undefined
  const statement = decodeVoteStatement(bytes.subarray(0, VOTE_STATEMENT_BYTES))
  const count = readU16(bytes, VOTE_STATEMENT_BYTES)
  if (statement === undefined || bytes.length !== VOTE_STATEMENT_BYTES + 2 + count * ENTRY_BYTES) return undefined
  const signatures: CertificateSignature[] = []
  for (let offset = VOTE_STATEMENT_BYTES + 2; offset < bytes.length; offset += ENTRY_BYTES) {
    const index = readU16(bytes, offset)
    const previous = signatures.at(-1)
    if (index >= MAX_REPLICAS || (previous !== undefined && index <= previous.replica)) return undefined
    signatures.push({
      replica: replicaIndex(index),
      signature: signature(bytes.subarray(offset + 2, offset + ENTRY_BYTES)),
    })
  }
  return { statement, signatures }
}

/** One sentence for a person. */
export function describeCertificateFault(fault: CertificateFault): string {
  switch (fault.code) {
    case 'too-few-signers':
      return `it carries ${fault.have} signatures and needs ${fault.need}`
    case 'no-leader-vote':
      return `it lacks the vote of the leader, replica ${fault.leader}`
    case 'duplicate-signer':
      return `replica ${fault.replica} signed it twice`
    case 'unsorted-signers':
      return `its signers are not in ascending order at replica ${fault.replica}`
    case 'foreign-signer':
      return `signer ${fault.replica} is not one of the ${fault.replicas} members`
    case 'bad-signature':
      return `the signature of replica ${fault.replica} is not good`
    case 'not-canonical':
      return fault.reason
    case 'wrong-cluster':
      return 'it belongs to another cluster'
    case 'wrong-membership':
      return 'it belongs to another epoch or membership'
    case 'wrong-kind':
    case 'wrong-view':
    case 'wrong-slot':
    case 'wrong-digest':
    case 'wrong-justification':
      return `it names another ${fault.code.slice('wrong-'.length)} than expected`
    default:
      return assertNever(fault)
  }
}

const ENTRY_BYTES = 2 + SIGNATURE_BYTES

function expectationFault(statement: VoteStatement, expected: CertificateExpectation): CertificateFault | undefined {
  if (statement.kind !== expected.kind) return { code: 'wrong-kind' }
  if (expected.view !== undefined && statement.view !== expected.view) return { code: 'wrong-view' }
  if (expected.slot !== undefined && statement.slot !== expected.slot) return { code: 'wrong-slot' }
  if (expected.digest && !equalBytes(statement.digest, expected.digest)) return { code: 'wrong-digest' }
  if (expected.justification && !equalBytes(statement.justification, expected.justification)) {
    return { code: 'wrong-justification' }
  }
  return undefined
}

function signersFault(
  { statement, signatures }: Certificate,
  kind: CertificateKind,
  membership: Membership,
): CertificateFault | undefined {
  const need = certificateThreshold(kind, membership)
  if (signatures.length < need) return { code: 'too-few-signers', have: signatures.length, need }
  let previous = -1
  for (const { replica } of signatures) {
    if (replica === previous) return { code: 'duplicate-signer', replica }
    if (replica < previous) return { code: 'unsorted-signers', replica }
    if (replica >= membership.quorums.replicas) {
      return { code: 'foreign-signer', replica, replicas: membership.quorums.replicas }
    }
    previous = replica
  }
  const leader = leaderOf(membership, statement.view)
  // Without it a prepare would prove that q followers echoed something, not that the leader of the view offered it.
  if (kind === 'prepare' && !signatures.some((entry) => entry.replica === leader))
    return { code: 'no-leader-vote', leader }
  return undefined
}

function signatureFault(
  { statement, signatures }: Certificate,
  membership: Membership,
  verifier: SignatureVerifier,
): CertificateFault | undefined {
  const message = statementBytes(statement)
  for (const { replica, signature: bytes } of signatures) {
    const key = membership.members[replica]?.consensusKey
    if (key === undefined || !verifier.verify(key, message, bytes)) return { code: 'bad-signature', replica }
  }
  return undefined
}

function writeU16(target: Uint8Array, offset: number, value: number): void {
  target[offset] = value >>> 8
  target[offset + 1] = value
}

function readU16(source: Uint8Array, offset: number): number {
  return ((source[offset] ?? 0) << 8) | (source[offset + 1] ?? 0)
}
