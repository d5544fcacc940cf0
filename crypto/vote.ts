// One vote: a statement, who says it, and the signature; and the check that makes it a `Verified` vote.

import type { ReplicaIndex, Signature, Verified } from './brands.ts'
import { equalBytes } from './bytes.ts'
import { ZERO_DIGEST } from './digest.ts'
import type { SignatureVerifier, Signer } from './ed25519.ts'
import type { Membership } from './membership.ts'
import { failure, type Result, success } from './result.ts'
import { statementBytes, type VoteStatement } from './statement.ts'
import { markVerified } from './verified.ts'

export interface Vote {
  readonly statement: VoteStatement
  readonly replica: ReplicaIndex
  readonly signature: Signature
}

/** Why a statement cannot be one of this membership's, or a signature not its claimed signer's. */
export type VoteFault =
  | { readonly code: 'wrong-cluster' }
  | { readonly code: 'wrong-membership' }
  | { readonly code: 'not-canonical'; readonly reason: string }
  | { readonly code: 'foreign-signer'; readonly replica: number; readonly replicas: number }
  | { readonly code: 'bad-signature'; readonly replica: ReplicaIndex }

/** The vote of the member whose key `signer` holds. Deterministic; `replica` is not checked against the key. */
export function signVote(statement: VoteStatement, replica: ReplicaIndex, signer: Signer): Verified<Vote> {
  return markVerified({ statement, replica, signature: signer.sign(statementBytes(statement)) })
}

/**
 * Checks that `vote` was signed by the member that it names, on a statement of this cluster and membership. What the
 * statement says (kind, view, slot) is the caller's to judge.
 */
export function verifyVote(
  vote: Vote,
  membership: Membership,
  verifier: SignatureVerifier,
): Result<Verified<Vote>, VoteFault> {
  const fault = statementFault(vote.statement, membership) ?? signerFault(vote, membership, verifier)
  return fault === undefined ? success(markVerified(vote)) : failure(fault)
}

/** What keeps `statement` from being one that a member of `membership` signs; undefined where nothing does. */
export function statementFault(statement: VoteStatement, membership: Membership): VoteFault | undefined {
  if (!equalBytes(statement.clusterId, membership.clusterId)) return { code: 'wrong-cluster' }
  if (!equalBytes(statement.membership, membership.digest)) return { code: 'wrong-membership' }
  const { kind, slot, view, justification } = statement
  if ((kind === 'prepare' || kind === 'accept' || kind === 'receipt') && slot === 0) {
    return { code: 'not-canonical', reason: `a ${kind} names a slot from 1` }
  }
  // A receipt must be the same bytes from every replica, whichever view the replica is in.
  if (kind === 'receipt' && (view !== 0 || !equalBytes(justification, ZERO_DIGEST))) {
    return { code: 'not-canonical', reason: 'a receipt names no view and no justification' }
  }
  return undefined
}

function signerFault(vote: Vote, membership: Membership, verifier: SignatureVerifier): VoteFault | undefined {
  const member = membership.members[vote.replica]
  if (member === undefined) {
    return { code: 'foreign-signer', replica: vote.replica, replicas: membership.quorums.replicas }
  }
  const good = verifier.verify(member.consensusKey, statementBytes(vote.statement), vote.signature)
  return good ? undefined : { code: 'bad-signature', replica: vote.replica }
}
