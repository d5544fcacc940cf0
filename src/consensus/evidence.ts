// Proof that a replica lied: signatures of its own that no honest replica could have made. Recognised by replicas as they go,
// and verified by anyone with nothing but the membership. The statements are self-describing, so the verifier needs no state.
//
//   two-votes          two Prepare, Accept or receipt statements for one view and slot, or two ViewChanges or NewViews for one
//                      view, that differ: in the digest, or in the NewView that they rely on; or a Prepare for one digest and
//                      an Accept for another
//   two-checkpoints    two checkpoint notes for one slot that differ, or two that each end the epoch
//   hidden-prepared    an Accept in view w, and a ViewChange for a later view that neither covers its slot by a stable
//                      checkpoint nor reports a certificate of view >= w for it (amnesia)
//   against-new-view   a Prepare or Accept that names a NewView and contradicts the selection which that NewView justifies
//   wrong-receipt      a receipt for a result other than the one that t replicas signed
//   past-the-end       a note that ends the epoch with its slot, and a vote or note of that epoch about a later slot
//
// Ref: Sheng et al., "BFT protocol forensics", 2021; CometBFT's accountability notes, F1-F3.

import {
  type Certificate,
  type Epoch,
  equalBytes,
  sameStatement,
  type Vote,
  type VoteStatement,
  verifyCertificate,
  verifyVote,
} from '../../crypto/index.ts'
import { checkpointVoteFault, newViewFault, type VerifyContext, viewChangeFault } from './checks.ts'
import { newViewDigest } from './digests.ts'
import type { CheckpointVote, Evidence, LateStatement, NewView, ViewChange } from './messages.ts'
import { select } from './select.ts'

/** What is missing for `evidence` to convict the accused; undefined where it does. */
export function evidenceFault(evidence: Evidence, context: VerifyContext): string | undefined {
  // Not bounded by the end of the epoch: who says in it something about a later slot is just whom evidence is about.
  const wrong = contradictionFault(evidence, { ...context, lastSlot: undefined })
  if (wrong !== undefined) return wrong
  return signersOf(evidence).every((signer) => signer === evidence.accused) ? undefined : 'it accuses another replica'
}

/** Evidence from two votes of one replica, or undefined where an honest one may sign both. Does not check signatures. */
export function conflictOf(first: Vote, second: Vote): Evidence | undefined {
  return first.replica === second.replica && votesConflict(first, second)
    ? { kind: 'two-votes', accused: first.replica, first, second }
    : undefined
}

/** Evidence from two checkpoint votes of one replica, or undefined where an honest one may sign both. */
export function checkpointConflictOf(first: CheckpointVote, second: CheckpointVote): Evidence | undefined {
  return first.replica === second.replica && notesConflict(first, second)
    ? { kind: 'two-checkpoints', accused: first.replica, first, second }
    : undefined
}

/** Evidence from a note that ends an epoch and what its signer said in that epoch; undefined where an honest one may say both. */
export function pastTheEndOf(end: CheckpointVote, late: LateStatement): Evidence | undefined {
  return end.replica === late.vote.replica && isPastTheEnd(end, late)
    ? { kind: 'past-the-end', accused: end.replica, end, late }
    : undefined
}

/** Evidence from an Accept that the sender of `viewChange` once signed, or undefined where the two agree. */
export function amnesiaOf(accept: Vote, viewChange: ViewChange): Evidence | undefined {
  return accept.replica === viewChange.vote.replica && hides(accept, viewChange)
    ? { kind: 'hidden-prepared', accused: accept.replica, accept, viewChange }
    : undefined
}

/** Evidence from a vote that names `newView`, or undefined where it follows the selection. */
export function disobedienceOf(vote: Vote, newView: NewView, epoch: Epoch): Evidence | undefined {
  return contradicts(vote, newView, epoch)
    ? { kind: 'against-new-view', accused: vote.replica, vote, newView }
    : undefined
}

function contradictionFault(evidence: Evidence, context: VerifyContext): string | undefined {
  switch (evidence.kind) {
    case 'two-votes':
      if (!votesConflict(evidence.first, evidence.second)) return 'the two votes do not contradict each other'
      return voteFault(evidence.first, context) ?? voteFault(evidence.second, context)
    case 'two-checkpoints':
      if (!notesConflict(evidence.first, evidence.second)) {
        return 'the two checkpoints do not contradict each other'
      }
      return (checkpointVoteFault(evidence.first, context) ?? checkpointVoteFault(evidence.second, context))?.code
    case 'hidden-prepared':
      if (!hides(evidence.accept, evidence.viewChange)) return 'the ViewChange hides nothing'
      return voteFault(evidence.accept, context) ?? viewChangeFault(evidence.viewChange, context)?.code
    case 'against-new-view': {
      // The NewView first: a selection over one that was not checked may be of any length.
      const fault = newViewFault(evidence.newView, context)
      if (fault !== undefined) return fault.code
      if (!contradicts(evidence.vote, evidence.newView, context.membership.epoch)) return 'the vote follows its NewView'
      return voteFault(evidence.vote, context)
    }
    case 'wrong-receipt':
      return receiptFault(evidence.receipt, evidence.certificate, context)
    case 'past-the-end': {
      const { end, late } = evidence
      if (!isPastTheEnd(end, late)) return 'nothing is said about a slot after the end of the epoch'
      const fault = checkpointVoteFault(end, context)
      if (fault !== undefined) return fault.code
      return late.kind === 'vote' ? voteFault(late.vote, context) : checkpointVoteFault(late.vote, context)?.code
    }
  }
}

function signersOf(evidence: Evidence): readonly number[] {
  switch (evidence.kind) {
    case 'two-votes':
    case 'two-checkpoints':
      return [evidence.first.replica, evidence.second.replica]
    case 'hidden-prepared':
      return [evidence.accept.replica, evidence.viewChange.vote.replica]
    case 'against-new-view':
      return [evidence.vote.replica]
    case 'wrong-receipt':
      return [evidence.receipt.replica]
    case 'past-the-end':
      return [evidence.end.replica, evidence.late.vote.replica]
  }
}

function votesConflict({ statement: a }: Vote, { statement: b }: Vote): boolean {
  if (a.view !== b.view) return false
  // Prepare for one value and Accept for another, in one view: the second vouches for what the first excludes.
  if (isPhase(a) && isPhase(b) && a.kind !== b.kind) return a.slot === b.slot && !equalBytes(a.digest, b.digest)
  if (a.kind !== b.kind) return false
  const onePerView = a.kind === 'view-change' || a.kind === 'new-view'
  if (!onePerView && a.slot !== b.slot) return false
  return !sameStatement(a, b)
}

function isPhase({ kind }: VoteStatement): boolean {
  return kind === 'prepare' || kind === 'accept'
}

/** Of one epoch, as all that is verified together. An epoch ends once. */
function notesConflict(a: CheckpointVote, b: CheckpointVote): boolean {
  if (a.slot === b.slot) return !sameContent(a, b)
  return a.next !== undefined && b.next !== undefined
}

function isPastTheEnd(end: CheckpointVote, late: LateStatement): boolean {
  const { slot } = late.kind === 'vote' ? late.vote.statement : late.vote
  return end.next !== undefined && slot > end.slot
}

/** Whether two notes for one slot say the same of the log, the state, and what comes after. */
export function sameContent(a: CheckpointContent, b: CheckpointContent): boolean {
  const sameNext = a.next === undefined || b.next === undefined ? a.next === b.next : equalBytes(a.next, b.next)
  return equalBytes(a.logRoot, b.logRoot) && equalBytes(a.stateRoot, b.stateRoot) && sameNext
}

type CheckpointContent = Pick<CheckpointVote, 'logRoot' | 'stateRoot' | 'next'>

function hides({ statement }: Vote, { view, stable, prepared }: ViewChange): boolean {
  if (statement.kind !== 'accept' || statement.view >= view || statement.slot <= stable.slot) return false
  const reported = prepared.find((certificate) => certificate.statement.slot === statement.slot)?.statement
  if (reported === undefined || reported.view < statement.view) return true
  return reported.view === statement.view && !equalBytes(reported.digest, statement.digest)
}

function contradicts({ statement }: Vote, { view, viewChanges }: NewView, epoch: Epoch): boolean {
  if (statement.kind !== 'prepare' && statement.kind !== 'accept') return false
  if (statement.view !== view || !equalBytes(statement.justification, newViewDigest(view, viewChanges))) return false
  const { values } = select(viewChanges, epoch)
  const value = values.find((each) => each.slot === statement.slot)
  return value !== undefined && !equalBytes(value.digest, statement.digest)
}

function receiptFault(receipt: Vote, certificate: Certificate, context: VerifyContext): string | undefined {
  const { statement } = receipt
  if (statement.kind !== 'receipt' || statement.slot !== certificate.statement.slot)
    return 'not two receipts of one slot'
  if (equalBytes(statement.digest, certificate.statement.digest)) return 'the receipts agree'
  const checked = verifyCertificate(certificate, { kind: 'receipt' }, context.membership, context.verifier)
  return checked.ok ? voteFault(receipt, context) : checked.fault.code
}

function voteFault(vote: Vote, { membership, verifier }: VerifyContext): string | undefined {
  const checked = verifyVote(vote, membership, verifier)
  return checked.ok ? undefined : checked.fault.code
}
