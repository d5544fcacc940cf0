// From a decoded message to a `Verified` one: every signature and every redundant field is checked before the core sees anything.
// The answer to a bad message is a value: `ignore` where it may be honest but is of no use here, `blame` where nobody honest
// sends it. Client, catch-up and auditor use the same functions. Refs in brackets are pitfalls.

import {
  assertNever,
  type Certificate,
  equalBytes,
  failure,
  leaderOf,
  markVerified,
  type Result,
  statementBytes,
  success,
  type Verified,
  type Vote,
  verifyInclusion,
} from '../../crypto/index.ts'
import { OpenedRequest, requestKey, requestsRoot } from './bundle.ts'
import {
  blame,
  type Check,
  certificateFault,
  checkpointVoteFault,
  firstFault,
  isOfEpoch,
  type MessageFault,
  newViewFault,
  stableFault,
  type VerifyContext,
  viewChangeFault,
  voteFault,
} from './checks.ts'
import { commandBytes, type Entry, headerDigest, noopEntry } from './entry.ts'
import { evidenceFault } from './evidence.ts'
import { FETCH_BODIES, FETCH_ENTRIES } from './limits.ts'
import type { Message } from './messages.ts'
import { mutatedMembership } from './mutants.ts'
import { requestId, type SignedRequest } from './request.ts'

/** Checks everything about `message` that does not depend on the receiver's state. Never throws on any message. */
export function verifyMessage(message: Message, context: VerifyContext): Result<Verified<Message>, MessageFault> {
  const fault = messageFault(message, mutated(context))
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

/** The context itself, but in a test build that goes by a broken quorum arithmetic. */
function mutated(context: VerifyContext): VerifyContext {
  if (context.mutations === undefined || context.mutations.size === 0) return context
  return { ...context, membership: mutatedMembership(context.membership, context.mutations) }
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
      return message.from <= context.start.slot || message.from > message.to ? blame('bad-range') : undefined
    case 'heartbeat':
      return message.heard.length > context.membership.quorums.replicas ? blame('bad-heartbeat') : undefined
    case 'probe':
    case 'probe-answer':
    case 'lease-ask':
    case 'lease-grant':
      return undefined
    default:
      return assertNever(message)
  }
}

export function requestFault(signed: SignedRequest, context: VerifyContext): Check {
  if (context.known?.(signed)) return undefined
  const { request, proof, id } = signed
  if (request.sequence < 1 || !Number.isSafeInteger(request.sequence)) return blame('bad-sequence')
  if (request.command.length > context.parameters.maxRequestBytes) return blame('request-too-large')
  const opened = OpenedRequest.is(signed) ? signed : undefined
  if (opened?.isGoodBy(context)) return undefined
  const { index, count, root, signature } = proof
  if (opened === undefined) {
    if (!equalBytes(requestId(request), id)) return blame('wrong-request-id')
    if (!Number.isSafeInteger(count) || !Number.isSafeInteger(index) || index < 0 || index >= count)
      return blame('bad-bundle')
    if (!verifyInclusion({ leaf: id, index, size: count, root }, proof.path)) return blame('not-in-bundle')
  }
  const key = context.admit(request.client)
  if (key === undefined) return blame('inadmissible-client-key')
  const statement = {
    kind: 'bundle',
    clusterId: context.membership.clusterId,
    client: request.client,
    count,
    root,
  } as const
  if (!context.verifier.verify(key, statementBytes(statement), signature)) return blame('bad-client-signature')
  opened?.markGood(context)
  return undefined
}

/**
 * The digest is computed here from the body, never copied [P39]. Client signatures are in no digest, so they are checked however a
 * body comes: else a liar could hand out one without them, and whoever kept it could neither prove what it executed nor pass the
 * proposal on without looking like a liar itself.
 */
function entryFault(entry: Entry, context: VerifyContext): Check {
  const { membership, parameters } = context
  const { header, requests } = entry
  if (header.epoch !== membership.epoch) return blame('wrong-epoch')
  if (!isOfEpoch(header.slot, context)) return blame('wrong-epoch-range')
  if (!Number.isSafeInteger(header.timestampMs) || header.timestampMs < 0) return blame('bad-header')
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
  if (!equalBytes(requestsRoot(requests), header.root)) return blame('wrong-requests-root')
  if (!equalBytes(headerDigest(header), entry.digest)) return blame('wrong-entry-digest')
  return firstFault(requests, (request) => requestFault(request, context))
}

function proposeFault(vote: Vote, entry: Entry, context: VerifyContext): Check {
  const { slot, digest, view } = vote.statement
  if (slot !== entry.header.slot || !equalBytes(digest, entry.digest)) return blame('proposal-without-its-vote')
  if (vote.replica !== leaderOf(context.membership, view)) return blame('not-the-leader')
  if (new Set(entry.requests.map(requestKey)).size !== entry.requests.length) return blame('repeated-request')
  return voteFault(vote, ['prepare'], context) ?? entryFault(entry, context)
}

function chosenFault(entry: Entry, certificate: Certificate, context: VerifyContext): Check {
  const { slot } = entry.header
  const fault = entryFault(entry, context)
  if (fault !== undefined) return fault
  const expected = { kind: 'accept', slot, digest: entry.digest } as const
  return certificateFault(certificate, expected, context)
}
