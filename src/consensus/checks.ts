// What a replica signs about views and checkpoints, checked: votes, ViewChanges, NewViews, checkpoint notes. Used for messages
// (verify.ts) and for evidence (evidence.ts) alike. Refs in brackets are pitfalls.
//
//   M6  views begin at 0 in each epoch; view 0 needs no NewView, is led by member 0, and votes in it rely on what opened the epoch
//   M7  the start is to an epoch what slot 0 is to the first: everybody knows it, nobody signs it, and nothing is said in the epoch
//       about the slots up to it, nor about those after its last one, so that no two epochs decide one slot

import {
  type AdmittedKey,
  type Certificate,
  equalBytes,
  leaderOf,
  type Membership,
  type PublicKey,
  type SignatureVerifier,
  type Slot,
  unsignedVerifier,
  type Vote,
  type VoteKind,
  type VoteStatement,
  verifyCertificate,
  verifyVote,
} from '../../crypto/index.ts'
import { checkpointBytes, type EpochStart } from './config.ts'
import { newViewDigest, viewChangeDigest } from './digests.ts'
import { logWindow, type ProtocolParameters } from './limits.ts'
import type { CheckpointVote, NewView, StableCheckpoint, ViewChange } from './messages.ts'
import { type Mutation, wronglyAccepted } from './mutants.ts'
import type { SignedRequest } from './request.ts'
import { select } from './select.ts'

export interface VerifyContext {
  readonly membership: Membership
  readonly clusterName: string
  readonly parameters: ProtocolParameters
  readonly start: EpochStart
  /** The last slot of the epoch, where that is known to be over. */
  readonly lastSlot?: Slot | undefined
  /** For everything that is always signed: requests, checkpoints, receipts; and for votes as well, unless told otherwise. */
  readonly verifier: SignatureVerifier
  /** For the votes of replicas to one another. See {@link replicaVerifiers}; clients and auditors have none. */
  readonly voteVerifier?: SignatureVerifier
  /** Whether the caller has checked a request with this very content and proof before; it is then not checked again. */
  readonly known?: (request: SignedRequest) => boolean
  /** Defects of a test build; none otherwise. */
  readonly mutations?: ReadonlySet<Mutation>
  /** Admission of a client's key, cached by the caller. */
  readonly admit: (key: PublicKey) => AdmittedKey | undefined
}

/** `blame`: no honest replica sends this. `ignore`: it may be honest, but does not hold here. */
export interface MessageFault {
  readonly class: 'ignore' | 'blame'
  readonly code: string
}

const NO_MUTATIONS: ReadonlySet<Mutation> = new Set()

export type Check = MessageFault | undefined

export const blame = (code: string): MessageFault => ({ class: 'blame', code })

/**
 * The verifiers of a replica: where the genesis leaves votes unsigned, a vote from a peer's channel is good without a signature.
 * To be used for what comes over authenticated channels alone, never for what is shown to a third party.
 */
export function replicaVerifiers(
  parameters: ProtocolParameters,
  verifier: SignatureVerifier,
): Pick<VerifyContext, 'verifier' | 'voteVerifier'> {
  return { verifier, ...(parameters.signedVotes ? {} : { voteVerifier: unsignedVerifier }) }
}

/** Why nobody outside the group can be shown its votes; undefined where votes are signed. */
export function unsignedVotesReason({ signedVotes }: ProtocolParameters): string | undefined {
  if (signedVotes !== false) return undefined
  return 'the genesis leaves votes unsigned (signedVotes: false), so votes and certificates prove nothing to third parties'
}

export function voteFault(vote: Vote, kinds: readonly VoteKind[], context: VerifyContext): Check {
  const { kind } = vote.statement
  if (!kinds.includes(kind)) return blame('wrong-kind-of-vote')
  if (provesNothing(kind, context)) return blame('unsigned-votes')
  const checked = verifyVote(vote, context.membership, verifierOf(kind, context))
  const code = checked.ok ? epochFault(vote.statement, context) : checked.fault.code
  return code === undefined ? undefined : blame(code)
}

export function certificateFault(
  certificate: Certificate,
  expected: Parameters<typeof verifyCertificate>[1],
  context: VerifyContext,
): Check {
  const { membership, mutations = NO_MUTATIONS } = context
  if (provesNothing(expected.kind, context)) return blame('certificate: unsigned-votes')
  const verifier = verifierOf(expected.kind, context)
  const checked = verifyCertificate(certificate, expected, membership, verifier)
  if (!checked.ok && wronglyAccepted(certificate, expected.kind, membership, verifier, mutations)) return undefined
  const code = checked.ok ? epochFault(certificate.statement, context) : checked.fault.code
  return code === undefined ? undefined : blame(`certificate: ${code}`)
}

/** M6, M7. What no honest member of this epoch says, though the signature is good. */
function epochFault({ kind, view, slot, justification }: VoteStatement, context: VerifyContext): string | undefined {
  const { start } = context
  const isPhase = kind === 'prepare' || kind === 'accept'
  const reportsStart = (kind === 'view-change' || kind === 'new-view') && slot === start.slot
  if (!reportsStart && !isOfEpoch(slot, context)) return 'wrong-epoch-range'
  return isPhase && view === 0 && !equalBytes(justification, start.justification) ? 'wrong-justification' : undefined
}

/** M7. Whether the epoch decides this slot. */
export function isOfEpoch(slot: Slot, { start, lastSlot }: Pick<VerifyContext, 'start' | 'lastSlot'>): boolean {
  return slot > start.slot && (lastSlot === undefined || slot <= lastSlot)
}

function verifierOf(kind: VoteKind, { verifier, voteVerifier }: VerifyContext): SignatureVerifier {
  return kind === 'receipt' ? verifier : (voteVerifier ?? verifier)
}

/** Without {@link VerifyContext.voteVerifier} one is a third party, whom an unsigned vote tells nothing. */
function provesNothing(kind: VoteKind, { parameters, voteVerifier }: VerifyContext): boolean {
  return kind !== 'receipt' && voteVerifier === undefined && parameters.signedVotes === false
}

/** A ViewChange with anything wrong in it is dropped whole, before any selection looks at it [P09]. */
export function viewChangeFault(viewChange: ViewChange, context: VerifyContext): Check {
  const { stable, prepared, vote } = viewChange
  return (
    viewChangeFormFault(viewChange, context) ??
    voteFault(vote, ['view-change'], context) ??
    stableFault(stable, context) ??
    firstFault(prepared, (certificate) => certificateFault(certificate, { kind: 'prepare' }, context))
  )
}

/** What needs no signature; a selection over ViewChanges that pass is no longer than the log window. */
function viewChangeFormFault({ view, stable, prepared, vote }: ViewChange, context: VerifyContext): Check {
  const { statement } = vote
  if (view < 1 || statement.view !== view || statement.slot !== stable.slot) return blame('mismatched-view-change')
  if (prepared.length > logWindow(context.parameters)) return blame('view-change-too-large')
  // Who has a hand-over is through with the epoch, and its digest is not that of anything with `next`.
  if (stable.next !== undefined) return blame('view-change-past-the-end')
  if (!equalBytes(statement.digest, viewChangeDigest({ view, stable, prepared })))
    return blame('wrong-view-change-digest')
  let previous: number = stable.slot
  for (const { statement: inner } of prepared) {
    if (inner.slot <= previous || inner.slot > stable.slot + logWindow(context.parameters))
      return blame('bad-prepared-slot')
    if (inner.view >= view) return blame('prepared-in-a-later-view')
    previous = inner.slot
  }
  return undefined
}

/** q ViewChanges for exactly this view [P04], and the leader's votes for exactly what they justify [P10]. */
export function newViewFault(newView: NewView, context: VerifyContext): Check {
  const { view, viewChanges, vote, proposals } = newView
  const { membership } = context
  if (view < 1 || vote.statement.view !== view) return blame('mismatched-new-view')
  if (vote.replica !== leaderOf(membership, view)) return blame('not-the-leader')
  if (viewChanges.length !== membership.quorums.quorum) return blame('wrong-number-of-view-changes')
  const signers = viewChanges.map((each) => each.vote.replica)
  if (signers.some((signer, i) => i > 0 && signer <= (signers[i - 1] ?? -1))) return blame('unsorted-view-changes')
  if (viewChanges.some((each) => each.view !== view)) return blame('view-change-for-another-view')
  const digest = newViewDigest(view, viewChanges)
  if (!equalBytes(vote.statement.digest, digest)) return blame('wrong-new-view-digest')
  // Before the selection, which makes a value for every slot up to the last that is named: a liar would name the slot 2^52.
  const malformed = firstFault(viewChanges, (each) => viewChangeFormFault(each, context))
  if (malformed !== undefined) return malformed
  const { start, values } = select(viewChanges, membership.epoch)
  if (vote.statement.slot !== start.slot) return blame('mismatched-new-view')
  if (proposals.length !== values.length) return blame('wrong-selection')
  const matches = proposals.every(({ statement, replica }, i) => {
    const value = values[i]
    return (
      value !== undefined &&
      replica === vote.replica &&
      statement.view === view &&
      statement.slot === value.slot &&
      equalBytes(statement.digest, value.digest) &&
      equalBytes(statement.justification, digest)
    )
  })
  if (!matches) return blame('wrong-selection')
  return (
    voteFault(vote, ['new-view'], context) ??
    firstFault(viewChanges, (each) => viewChangeFault(each, context)) ??
    firstFault(proposals, (each) => voteFault(each, ['prepare'], context))
  )
}

export function checkpointVoteFault(vote: CheckpointVote, context: VerifyContext): Check {
  if (!isOfEpoch(vote.slot, context)) return blame('wrong-epoch-range')
  if (vote.slot % context.parameters.checkpointInterval !== 0) return blame('no-checkpoint-slot')
  return signedCheckpointFault(vote, [vote], context)
}

/** Exactly q signers [P56]; the start of the epoch has none, and is known to everybody (M7). */
export function stableFault(checkpoint: StableCheckpoint, context: VerifyContext): Check {
  const { start } = context
  if (checkpoint.slot === start.slot) {
    const genuine =
      checkpoint.signatures.length === 0 &&
      equalBytes(checkpoint.logRoot, start.logRoot) &&
      equalBytes(checkpoint.stateRoot, start.stateRoot) &&
      checkpoint.next === undefined
    return genuine ? undefined : blame('wrong-start-checkpoint')
  }
  if (!isOfEpoch(checkpoint.slot, context)) return blame('wrong-epoch-range')
  if (checkpoint.slot % context.parameters.checkpointInterval !== 0) return blame('no-checkpoint-slot')
  const { quorum, trust } = context.membership.quorums
  const need = context.mutations?.has('collect-garbage-at-trust') ? trust : quorum
  if (checkpoint.signatures.length !== need) return blame('wrong-number-of-signatures')
  const unsorted = checkpoint.signatures.some(
    ({ replica }, i) => i > 0 && replica <= (checkpoint.signatures[i - 1]?.replica ?? -1),
  )
  return unsorted ? blame('unsorted-signers') : signedCheckpointFault(checkpoint, checkpoint.signatures, context)
}

function signedCheckpointFault(
  content: Omit<StableCheckpoint, 'signatures'>,
  signatures: StableCheckpoint['signatures'],
  { membership, clusterName, verifier }: VerifyContext,
): Check {
  const message = checkpointBytes(content, membership, clusterName)
  return firstFault(signatures, ({ replica, signature }) => {
    const key = membership.members[replica]?.consensusKey
    return key !== undefined && verifier.verify(key, message, signature) ? undefined : blame('bad-checkpoint-signature')
  })
}

export function firstFault<Item>(items: readonly Item[], check: (item: Item) => Check): Check {
  for (const item of items) {
    const fault = check(item)
    if (fault !== undefined) return fault
  }
  return undefined
}
