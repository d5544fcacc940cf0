// From a decoded message to a `Verified` one: every signature and every redundant field is checked before the core sees anything.
// The answer to a bad message is a value: `ignore` where it may be honest but is of no use here, `blame` where nobody honest
// sends it. Client, catch-up and auditor use the same functions. Refs in brackets are pitfalls.

import {
  type AdmittedKey,
  assertNever,
  type Certificate,
  EMPTY_ROOT,
  equalBytes,
  failure,
  leaderOf,
  type Membership,
  markVerified,
  merkleRoot,
  type PublicKey,
  type Result,
  type SignatureVerifier,
  statementBytes,
  success,
  type Verified,
  type Vote,
  type VoteKind,
  verifyCertificate,
  verifyInclusion,
  verifyVote,
} from '../../crypto/index.ts'
import { checkpointBytes } from './config.ts'
import { newViewDigest, viewChangeDigest } from './digests.ts'
import { commandBytes, digestKey, type Entry, headerDigest, noopEntry, requestId, type SignedRequest } from './entry.ts'
import { evidenceFault } from './evidence.ts'
import { FETCH_BODIES, FETCH_ENTRIES, logWindow, type ProtocolParameters } from './limits.ts'
import type { CheckpointVote, Message, NewView, StableCheckpoint, ViewChange } from './messages.ts'
import { select } from './select.ts'

export interface VerifyContext {
  readonly membership: Membership
  readonly clusterName: string
  readonly parameters: ProtocolParameters
  readonly genesisStateRoot: Uint8Array
  readonly verifier: SignatureVerifier
  /** Admission of a client's key, cached by the caller. */
  readonly admit: (key: PublicKey) => AdmittedKey | undefined
}

/** `blame`: no honest replica sends this. `ignore`: it may be honest, but does not hold here. */
export interface MessageFault {
  readonly class: 'ignore' | 'blame'
  readonly code: string
}

type Check = MessageFault | undefined

const blame = (code: string): MessageFault => ({ class: 'blame', code })

/** Checks everything about `message` that does not depend on the receiver's state. Never throws on any message. */
export function verifyMessage(message: Message, context: VerifyContext): Result<Verified<Message>, MessageFault> {
  const fault = messageFault(message, context)
  return fault === undefined ? success(markVerified(message)) : failure(fault)
}

/** One request: its identity, its place in its client's bundle, and the client's signature. */
export function verifyRequest(
  request: SignedRequest,
  context: VerifyContext,
): Result<Verified<SignedRequest>, MessageFault> {
  const fault = requestFault(request, context)
  return fault === undefined ? success(markVerified(request)) : failure(fault)
}

function messageFault(message: Message, context: VerifyContext): Check {
  switch (message.kind) {
    case 'requests':
      if (message.requests.length > context.parameters.maxBatchRequests) return blame('too-many-requests')
      return firstFault(message.requests, (request) => requestFault(request, context))
    case 'propose':
      return proposeFault(message.vote, message.entry, context)
    case 'vote':
      return voteFault(message.vote, ['prepare', 'accept'], context)
    case 'view-change':
      return viewChangeFault(message.viewChange, context)
    case 'new-view':
      return newViewFault(message.newView, context)
    case 'checkpoint':
      return checkpointVoteFault(message.vote, context)
    case 'stable':
      return stableFault(message.checkpoint, context)
    case 'entries':
      if (message.entries.length > FETCH_ENTRIES) return blame('too-many-entries')
      return firstFault(message.entries, ({ entry, certificate }) => chosenFault(entry, certificate, context))
    case 'bodies':
      if (message.entries.length > FETCH_BODIES) return blame('too-many-bodies')
      return firstFault(message.entries, (entry) => entryFault(entry, context))
    case 'evidence':
      return evidenceFault(message.evidence, context) === undefined ? undefined : blame('bad-evidence')
    case 'fetch-bodies':
      return message.digests.length > FETCH_BODIES ? blame('too-many-bodies') : undefined
    case 'fetch-entries':
      return message.from < 1 || message.from > message.to ? blame('bad-range') : undefined
    case 'heartbeat':
      return message.heard.length > context.membership.quorums.replicas ? blame('bad-heartbeat') : undefined
    case 'probe':
    case 'probe-answer':
      return undefined
    default:
      return assertNever(message)
  }
}

export function requestFault({ request, proof, id }: SignedRequest, context: VerifyContext): Check {
  if (request.sequence < 1 || !Number.isSafeInteger(request.sequence)) return blame('bad-sequence')
  if (request.command.length > context.parameters.maxRequestBytes) return blame('request-too-large')
  if (!equalBytes(requestId(request), id)) return blame('wrong-request-id')
  const { index, count, root, path, signature } = proof
  if (!Number.isSafeInteger(count) || !Number.isSafeInteger(index) || index < 0 || index >= count)
    return blame('bad-bundle')
  if (!verifyInclusion({ leaf: id, index, size: count, root }, path)) return blame('not-in-bundle')
  const key = context.admit(request.client)
  if (key === undefined) return blame('inadmissible-client-key')
  const statement = {
    kind: 'bundle',
    clusterId: context.membership.clusterId,
    client: request.client,
    count,
    root,
  } as const
  return context.verifier.verify(key, statementBytes(statement), signature) ? undefined : blame('bad-client-signature')
}

/** The digest is computed here from the body, never copied [P39]; client signatures are the proposal's matter. */
function entryFault(entry: Entry, { membership, parameters }: VerifyContext): Check {
  const { header, requests } = entry
  if (header.epoch !== membership.epoch) return blame('wrong-epoch')
  if (header.slot < 1 || !Number.isSafeInteger(header.timestampMs) || header.timestampMs < 0) return blame('bad-header')
  if (header.kind === 'noop') {
    return equalBytes(noopEntry(header.slot, header.epoch).digest, headerDigest(header)) &&
      equalBytes(entry.digest, headerDigest(header)) &&
      requests.length === 0
      ? undefined
      : blame('bad-noop')
  }
  if (header.count !== requests.length || requests.length > parameters.maxBatchRequests)
    return blame('bad-request-count')
  if (commandBytes(entry) > parameters.maxBatchBytes) return blame('batch-too-large')
  if (requests.some(({ request, id }) => !equalBytes(requestId(request), id))) return blame('wrong-request-id')
  if (!equalBytes(merkleRoot(requests.map(({ id }) => id)), header.root)) return blame('wrong-requests-root')
  return equalBytes(headerDigest(header), entry.digest) ? undefined : blame('wrong-entry-digest')
}

function proposeFault(vote: Vote, entry: Entry, context: VerifyContext): Check {
  const { slot, digest, view } = vote.statement
  if (slot !== entry.header.slot || !equalBytes(digest, entry.digest)) return blame('proposal-without-its-vote')
  if (vote.replica !== leaderOf(context.membership, view)) return blame('not-the-leader')
  if (new Set(entry.requests.map(({ id }) => digestKey(id))).size !== entry.requests.length)
    return blame('repeated-request')
  return (
    voteFault(vote, ['prepare'], context) ??
    entryFault(entry, context) ??
    firstFault(entry.requests, (request) => requestFault(request, context))
  )
}

function voteFault(vote: Vote, kinds: readonly VoteKind[], { membership, verifier }: VerifyContext): Check {
  if (!kinds.includes(vote.statement.kind)) return blame('wrong-kind-of-vote')
  const checked = verifyVote(vote, membership, verifier)
  return checked.ok ? undefined : blame(checked.fault.code)
}

function chosenFault(entry: Entry, certificate: Certificate, context: VerifyContext): Check {
  const { slot } = entry.header
  const fault = entryFault(entry, context)
  if (fault !== undefined) return fault
  const expected = { kind: 'accept', slot, digest: entry.digest } as const
  return certificateFault(certificate, expected, context)
}

function certificateFault(
  certificate: Certificate,
  expected: Parameters<typeof verifyCertificate>[1],
  { membership, verifier }: VerifyContext,
): Check {
  const checked = verifyCertificate(certificate, expected, membership, verifier)
  return checked.ok ? undefined : blame(`certificate: ${checked.fault.code}`)
}

/** A ViewChange with anything wrong in it is dropped whole, before any selection looks at it [P09]. */
export function viewChangeFault(viewChange: ViewChange, context: VerifyContext): Check {
  const { view, stable, prepared, vote } = viewChange
  const { statement } = vote
  if (view < 1 || statement.view !== view || statement.slot !== stable.slot) return blame('mismatched-view-change')
  if (prepared.length > logWindow(context.parameters)) return blame('view-change-too-large')
  if (!equalBytes(statement.digest, viewChangeDigest(viewChange))) return blame('wrong-view-change-digest')
  let previous: number = stable.slot
  for (const { statement: inner } of prepared) {
    if (inner.slot <= previous || inner.slot > stable.slot + logWindow(context.parameters))
      return blame('bad-prepared-slot')
    if (inner.view >= view) return blame('prepared-in-a-later-view')
    previous = inner.slot
  }
  return (
    voteFault(vote, ['view-change'], context) ??
    stableFault(stable, context) ??
    firstFault(prepared, (certificate) => certificateFault(certificate, { kind: 'prepare' }, context))
  )
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
  if (vote.slot < 1 || vote.slot % context.parameters.checkpointInterval !== 0) return blame('no-checkpoint-slot')
  return signedCheckpointFault(vote, [vote], context)
}

/** Exactly q signers [P56]; the genesis needs none. */
export function stableFault(checkpoint: StableCheckpoint, context: VerifyContext): Check {
  if (checkpoint.slot === 0) {
    const genuine =
      checkpoint.signatures.length === 0 &&
      equalBytes(checkpoint.logRoot, EMPTY_ROOT) &&
      equalBytes(checkpoint.stateRoot, context.genesisStateRoot)
    return genuine ? undefined : blame('wrong-genesis-checkpoint')
  }
  if (checkpoint.slot % context.parameters.checkpointInterval !== 0) return blame('no-checkpoint-slot')
  if (checkpoint.signatures.length !== context.membership.quorums.quorum) return blame('wrong-number-of-signatures')
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

function firstFault<Item>(items: readonly Item[], check: (item: Item) => Check): Check {
  for (const item of items) {
    const fault = check(item)
    if (fault !== undefined) return fault
  }
  return undefined
}
