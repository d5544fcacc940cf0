// Evidence for people: one sentence that says what was done, and the signed statements that prove it, each with its fields, the
// bytes that were signed, and the signature.

import { type Certificate, hex, statementBytes, type Vote, type VoteKind } from '../../../crypto/index.ts'
import type { Charter } from '../../../keys/charter/index.ts'
import {
  type CheckpointVote,
  checkpointBytes,
  type EpochContext,
  type Evidence,
  type NewView,
  select,
  type VerifyContext,
  type ViewChange,
} from '../../consensus/index.ts'
import type { ConvictionDoubt } from './culprits.ts'

export interface SignedStatement {
  readonly title: string
  readonly fields: readonly (readonly [name: string, value: string])[]
  /** Position of the signer in its epoch. */
  readonly signer: number
  /** In hexadecimal, as the two below. */
  readonly key: string
  readonly signed: string
  readonly signature: string
}

export interface EvidenceDescription {
  readonly epoch: number
  /** By its id. */
  readonly member: number
  /** Its position in that epoch. */
  readonly accused: number
  readonly kind: Evidence['kind']
  readonly doubt: ConvictionDoubt | undefined
  readonly sentence: string
  readonly statements: readonly SignedStatement[]
}

/** Requires evidence that was verified in `epoch`. */
export function describeEvidence(
  evidence: Evidence,
  epoch: EpochContext,
  doubt?: ConvictionDoubt | undefined,
): EvidenceDescription {
  const { accused, kind } = evidence
  const { charter, verify } = epoch
  const member = idAt(accused, charter)
  const when = charter.epoch === 0 ? '' : ` in epoch ${charter.epoch}`
  const perhaps = doubt === undefined ? '' : DOUBTS[doubt]
  return {
    epoch: charter.epoch,
    member,
    accused,
    kind,
    doubt,
    sentence: `replica ${member} ${deed(evidence)}${when}${perhaps}`,
    statements: statements(evidence, { ...verify, charter }),
  }
}

const DOUBTS: Readonly<Record<ConvictionDoubt, string>> = Object.freeze({
  'retired-keys': ': its owner lied, or its key was stolen after that epoch was over',
  unpinned: ': its owner lied, or its key was stolen, or somebody with stolen keys made that epoch up: no pin fixes it',
})

/** What statements are shown with. */
interface Shown extends VerifyContext {
  readonly charter: Charter
}

function idAt(replica: number, { members }: Charter): number {
  return members[replica]?.id ?? replica
}

const NAMES: Readonly<Record<VoteKind, string>> = Object.freeze({
  prepare: 'Prepare',
  accept: 'Accept',
  'view-change': 'ViewChange',
  'new-view': 'NewView',
  receipt: 'receipt',
})

function deed(evidence: Evidence): string {
  switch (evidence.kind) {
    case 'two-votes': {
      const { first, second } = evidence
      const { kind, view, slot } = first.statement
      const [one, other] = [NAMES[kind], NAMES[second.statement.kind]]
      if (kind !== second.statement.kind) return `prepared one entry and accepted another in view ${view}, slot ${slot}`
      if (kind === 'receipt') return `signed two different results of slot ${slot}`
      const place = kind === 'view-change' || kind === 'new-view' ? `view ${view}` : `view ${view}, slot ${slot}`
      return `signed two different ${one === other ? `${one} statements` : 'statements'} for ${place}`
    }
    case 'two-checkpoints': {
      const { first, second } = evidence
      if (first.slot !== second.slot)
        return `ended one epoch twice, with slot ${first.slot} and with slot ${second.slot}`
      return `signed two different checkpoints of slot ${first.slot}`
    }
    case 'hidden-prepared': {
      const { view, slot } = evidence.accept.statement
      return `accepted an entry in view ${view}, slot ${slot}, and hid that when it changed to view ${evidence.viewChange.view}`
    }
    case 'against-new-view': {
      const { kind, view, slot } = evidence.vote.statement
      return `signed ${NAMES[kind]} for slot ${slot} in view ${view} against what the NewView that it names carries over`
    }
    case 'wrong-receipt': {
      const { slot } = evidence.receipt.statement
      return `signed a result of slot ${slot} other than the one that ${evidence.certificate.signatures.length} replicas signed`
    }
    case 'past-the-end': {
      const { end, late } = evidence
      const [what, slot] =
        late.kind === 'vote'
          ? [NAMES[late.vote.statement.kind], late.vote.statement.slot]
          : ['a checkpoint', late.vote.slot]
      return `ended an epoch with slot ${end.slot} and signed ${what} for slot ${slot} of it`
    }
  }
}

function statements(evidence: Evidence, context: Shown): SignedStatement[] {
  switch (evidence.kind) {
    case 'two-votes':
      return [ofVote(evidence.first, context), ofVote(evidence.second, context)]
    case 'two-checkpoints':
      return [ofCheckpoint(evidence.first, context), ofCheckpoint(evidence.second, context)]
    case 'hidden-prepared': {
      const { accept, viewChange } = evidence
      return [ofVote(accept, context), ofVote(viewChange.vote, context, reported(viewChange, accept))]
    }
    case 'against-new-view': {
      const { vote, newView } = evidence
      return [ofVote(vote, context), ofVote(newView.vote, context, carried(newView, vote, context))]
    }
    case 'wrong-receipt': {
      const { receipt, certificate } = evidence
      return [ofVote(receipt, context), ...votesOf(certificate).map((vote) => ofVote(vote, context))]
    }
    case 'past-the-end': {
      const { end, late } = evidence
      const said = late.kind === 'vote' ? ofVote(late.vote, context) : ofCheckpoint(late.vote, context)
      return [ofCheckpoint(end, context), said]
    }
  }
}

type Fields = SignedStatement['fields']

function ofVote({ statement, replica, signature }: Vote, context: Shown, more: Fields = []): SignedStatement {
  const { kind, view, slot, digest, justification } = statement
  return {
    title: `${NAMES[kind]} by replica ${idAt(replica, context.charter)}`,
    fields: [
      ['view', `${view}`],
      ['slot', `${slot}`],
      ['digest', hex(digest)],
      ['relies on', hex(justification)],
      ...more,
    ],
    signer: replica,
    key: keyOf(replica, context),
    signed: hex(statementBytes(statement)),
    signature: hex(signature),
  }
}

function ofCheckpoint(vote: CheckpointVote, context: Shown): SignedStatement {
  const { slot, logRoot, stateRoot, next, replica, signature } = vote
  const more: Fields = next === undefined ? [] : [['next membership', hex(next)]]
  return {
    title: `checkpoint by replica ${idAt(replica, context.charter)}`,
    fields: [['slot', `${slot}`], ['log root', hex(logRoot)], ['state root', hex(stateRoot)], ...more],
    signer: replica,
    key: keyOf(replica, context),
    signed: hex(checkpointBytes(vote, context.membership, context.clusterName)),
    signature: hex(signature),
  }
}

function reported({ stable, prepared }: ViewChange, { statement: { slot } }: Vote): Fields {
  const found = prepared.find((each) => each.statement.slot === slot)?.statement
  const told = found === undefined ? 'nothing' : `${hex(found.digest)} of view ${found.view}`
  return [
    ['its checkpoint', `slot ${stable.slot}`],
    [`reports for slot ${slot}`, told],
  ]
}

function carried({ viewChanges }: NewView, { statement: { slot } }: Vote, { membership }: VerifyContext): Fields {
  const value = select(viewChanges, membership.epoch).values.find((each) => each.slot === slot)
  return [[`carries over for slot ${slot}`, value === undefined ? 'nothing' : hex(value.digest)]]
}

function votesOf({ statement, signatures }: Certificate): Vote[] {
  return signatures.map(({ replica, signature }) => ({ statement, replica, signature }))
}

function keyOf(replica: number, { membership }: VerifyContext): string {
  const key = membership.members[replica]?.consensusKey
  return key === undefined ? '' : hex(key)
}
