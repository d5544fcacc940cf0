// What others hold of a replica's word. One whose store is an older copy has forgotten what it said since, while they still have it, with
// its signature; so it can be told before it says anything else. A shell asks and answers; no rule of the protocol rests on it.

import {
  type AdmittedKey,
  type Certificate,
  type Digest,
  equalBytes,
  hex,
  type ReplicaIndex,
  type SignatureVerifier,
  type Slot,
  statementBytes,
  type View,
  type Vote,
} from '../../crypto/index.ts'
import { type VerifyContext, voteFault } from './checks.ts'
import type { DurableRecord } from './io.ts'
import type { CheckpointVote } from './messages.ts'
import type { CoreState } from './state.ts'
import { verifyMessage } from './verify.ts'

/** The highest statements of one replica that another holds. */
export interface HeldStatements {
  /** Of a ViewChange, or of the NewView that it began a view with: nothing below that view any more. */
  readonly promise: Vote | undefined
  /** A Prepare or Accept vote, by view and then by slot. */
  readonly vote: Vote | undefined
  readonly note: CheckpointVote | undefined
}

/** What this core holds of `replica`'s word in its epoch. */
export function heldOf(state: CoreState, replica: ReplicaIndex): HeldStatements {
  const { newView, viewChanges, slots, tail, stable, peers } = state
  const promises = [
    newView?.vote,
    viewChanges.get(replica)?.vote,
    ...(newView?.viewChanges ?? []).map(({ vote }) => vote),
  ]
  const votes: (Vote | undefined)[] = []
  for (const { proposal, prepares, accepts, prepared, chosen } of slots.values()) {
    votes.push(
      proposal,
      prepares.get(replica),
      accepts.get(replica),
      voteIn(prepared, replica),
      voteIn(chosen, replica),
    )
  }
  for (const { certificate } of tail.values()) votes.push(voteIn(certificate, replica))
  const notes = [...(peers[replica]?.checkpoints.values() ?? [])]
  const { signatures, ...content } = stable
  for (const each of signatures) if (each.replica === replica) notes.push({ ...content, ...each })
  return {
    promise: highest(promises, replica),
    vote: highest(votes, replica),
    note: notes.reduce<CheckpointVote | undefined>(
      (best, each) => (best && best.slot >= each.slot ? best : each),
      undefined,
    ),
  }
}

/** What a replica knows of its own word as its store was when it started. */
export interface OwnWord {
  readonly self: ReplicaIndex
  readonly view: View
  /** Records of votes and notes up to here may have been dropped: these slots are agreed. */
  readonly settled: Slot
  /** By {@link saying}. */
  readonly said: ReadonlySet<string>
}

/** What `self` said by `records`, as {@link OwnWord} has it. What a leader proposed again stands nowhere but in its NewView. */
export function sayings(records: readonly DurableRecord[], self: ReplicaIndex): Set<string> {
  const said = new Set<string>()
  for (const record of records) {
    if (record.kind === 'vote') said.add(saying(record.vote))
    else if (record.kind === 'new-view') {
      for (const vote of record.newView.proposals) if (vote.replica === self) said.add(saying(vote))
    } else if (record.kind === 'checkpoint') said.add(noteSaying(record.vote))
  }
  return said
}

/**
 * The first of `held` that this replica has signed, though its records, each durable before its statement left, do not know of it;
 * undefined where they know of all. What does not verify, or is another's, says nothing: it may be a lie.
 */
export function forgotten(
  held: HeldStatements,
  own: OwnWord,
  context: VerifyContext,
): Vote | CheckpointVote | undefined {
  const { promise, vote, note } = held
  const { self, view, settled, said } = own
  if (promise?.replica === self && promise.statement.view > view) {
    if (voteFault(promise, ['view-change', 'new-view'], context) === undefined) return promise
  }
  if (vote?.replica === self && vote.statement.slot > settled && !said.has(saying(vote))) {
    if (voteFault(vote, ['prepare', 'accept'], context) === undefined) return vote
  }
  if (note?.replica === self && note.slot > settled && !said.has(noteSaying(note))) {
    if (verifyMessage({ kind: 'checkpoint', vote: note }, context).ok) return note
  }
  return undefined
}

/**
 * The first of `held` that is signed with `key` and names a membership of this cluster that is not `known`: whoever votes in an epoch has had its
 * beginning on disk before, so a store that does not know of it is an older copy. Unsigned votes say nothing.
 */
export function saidInUnknownEpoch(
  { promise, vote }: HeldStatements,
  key: AdmittedKey,
  { clusterId, knows }: { readonly clusterId: Digest; readonly knows: (membership: Digest) => boolean },
  verifier: SignatureVerifier,
): Vote | undefined {
  return [promise, vote].find(
    (each) =>
      each !== undefined &&
      equalBytes(each.statement.clusterId, clusterId) &&
      !knows(each.statement.membership) &&
      verifier.verify(key, statementBytes(each.statement), each.signature),
  )
}

function saying({ statement: { kind, view, slot, digest } }: Vote): string {
  return `${kind} ${view} ${slot} ${hex(digest)}`
}

function noteSaying({ slot }: CheckpointVote): string {
  return `note ${slot}`
}

function voteIn(certificate: Certificate | undefined, replica: ReplicaIndex): Vote | undefined {
  const signed = certificate?.signatures.find((each) => each.replica === replica)
  return certificate && signed && { statement: certificate.statement, ...signed }
}

function highest(votes: readonly (Vote | undefined)[], replica: ReplicaIndex): Vote | undefined {
  let best: Vote | undefined
  for (const vote of votes) {
    if (vote?.replica === replica && (best === undefined || isAbove(vote, best))) best = vote
  }
  return best
}

function isAbove({ statement: a }: Vote, { statement: b }: Vote): boolean {
  return a.view > b.view || (a.view === b.view && a.slot > b.slot)
}
