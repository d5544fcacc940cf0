// Proofs that a replica lied. Whom they accuse is the signer of what is in them.

import { encodeCertificate, type Result } from '../../crypto/index.ts'
import * as wire from '../../net/wire/index.ts'
import type { Evidence, LateStatement } from '../consensus/index.ts'
import { read } from './malformed.ts'
import {
  fromWireCertificate,
  fromWireCheckpointVote,
  fromWireNewView,
  fromWireViewChange,
  fromWireVote,
  toWireCheckpointVote,
  toWireNewView,
  toWireViewChange,
  toWireVote,
} from './votes.ts'

export function toWireEvidence(evidence: Evidence): wire.Evidence {
  switch (evidence.kind) {
    case 'two-votes':
      return { kind: 'twoVotes', value: { first: toWireVote(evidence.first), second: toWireVote(evidence.second) } }
    case 'two-checkpoints': {
      const [first, second] = [toWireCheckpointVote(evidence.first), toWireCheckpointVote(evidence.second)]
      return { kind: 'twoCheckpoints', value: { first, second } }
    }
    case 'hidden-prepared': {
      const viewChange = toWireViewChange(evidence.viewChange)
      return { kind: 'hiddenPrepared', value: { accept: toWireVote(evidence.accept), viewChange } }
    }
    case 'against-new-view': {
      const newView = toWireNewView(evidence.newView)
      return { kind: 'againstNewView', value: { vote: toWireVote(evidence.vote), newView } }
    }
    case 'wrong-receipt': {
      const certificate = encodeCertificate(evidence.certificate)
      return { kind: 'wrongReceipt', value: { receipt: toWireVote(evidence.receipt), certificate } }
    }
    case 'past-the-end':
      return {
        kind: 'pastTheEnd',
        value: { last: toWireCheckpointVote(evidence.end), late: toWireLate(evidence.late) },
      }
  }
}

export function fromWireEvidence({ kind, value }: wire.Evidence): Evidence {
  switch (kind) {
    case 'twoVotes': {
      const first = fromWireVote(value.first)
      return { kind: 'two-votes', accused: first.replica, first, second: fromWireVote(value.second) }
    }
    case 'twoCheckpoints': {
      const first = fromWireCheckpointVote(value.first)
      return { kind: 'two-checkpoints', accused: first.replica, first, second: fromWireCheckpointVote(value.second) }
    }
    case 'hiddenPrepared': {
      const accept = fromWireVote(value.accept)
      const viewChange = fromWireViewChange(value.viewChange)
      return { kind: 'hidden-prepared', accused: accept.replica, accept, viewChange }
    }
    case 'againstNewView': {
      const vote = fromWireVote(value.vote)
      return { kind: 'against-new-view', accused: vote.replica, vote, newView: fromWireNewView(value.newView) }
    }
    case 'wrongReceipt': {
      const receipt = fromWireVote(value.receipt)
      const certificate = fromWireCertificate(value.certificate)
      return { kind: 'wrong-receipt', accused: receipt.replica, receipt, certificate }
    }
    case 'pastTheEnd': {
      const end = fromWireCheckpointVote(value.last)
      return { kind: 'past-the-end', accused: end.replica, end, late: fromWireLate(value.late) }
    }
  }
}

function toWireLate(late: LateStatement): wire.Late {
  return late.kind === 'vote'
    ? { kind: 'vote', value: toWireVote(late.vote) }
    : { kind: 'checkpoint', value: toWireCheckpointVote(late.vote) }
}

function fromWireLate({ kind, value }: wire.Late): LateStatement {
  return kind === 'vote' ? { kind, vote: fromWireVote(value) } : { kind, vote: fromWireCheckpointVote(value) }
}

export function encodeEvidence(evidence: Evidence): Uint8Array {
  return wire.encodeEvidence(toWireEvidence(evidence))
}

export function decodeEvidence(bytes: Uint8Array): Result<Evidence, wire.WireFault> {
  return read(wire.decodeEvidence(bytes), fromWireEvidence)
}
