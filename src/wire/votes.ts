// Votes, certificates and what is made of them. Statements and certificates travel as the bytes that are signed, so a
// reader in another language checks a signature without building them.

import {
  type Certificate,
  decodeCertificate,
  decodeFrontier,
  decodeVoteStatement,
  digest,
  encodeCertificate,
  type Frontier,
  type Result,
  replicaIndex,
  signature,
  slot,
  statementBytes,
  type Vote,
} from '../../crypto/index.ts'
import * as wire from '../../net/wire/index.ts'
import type { CheckpointVote, NewView, StableCheckpoint, ViewChange } from '../consensus/index.ts'
import { read, whole } from './malformed.ts'

export function toWireVote({ statement, replica, signature: signed }: Vote): wire.Vote {
  return { statement: statementBytes(statement), replica, signature: signed }
}

export function fromWireVote({ statement, replica, signature: signed }: wire.Vote): Vote {
  return {
    statement: whole(decodeVoteStatement(statement), 'Vote.statement'),
    replica: replicaIndex(replica),
    signature: signature(signed),
  }
}

export function fromWireCertificate(bytes: Uint8Array): Certificate {
  return whole(decodeCertificate(bytes), 'a certificate')
}

export function fromWireFrontier(bytes: Uint8Array): Frontier {
  return whole(decodeFrontier(bytes), 'a frontier')
}

export function toWireStable(checkpoint: StableCheckpoint): wire.StableCheckpoint {
  return checkpoint
}

export function fromWireStable(checkpoint: wire.StableCheckpoint): StableCheckpoint {
  return {
    slot: slot(checkpoint.slot),
    logRoot: digest(checkpoint.logRoot),
    stateRoot: digest(checkpoint.stateRoot),
    next: checkpoint.next && digest(checkpoint.next),
    signatures: checkpoint.signatures.map((each) => ({
      replica: replicaIndex(each.replica),
      signature: signature(each.signature),
    })),
  }
}

export function toWireCheckpointVote(vote: CheckpointVote): wire.CheckpointVote {
  return vote
}

export function fromWireCheckpointVote(vote: wire.CheckpointVote): CheckpointVote {
  return {
    slot: slot(vote.slot),
    logRoot: digest(vote.logRoot),
    stateRoot: digest(vote.stateRoot),
    next: vote.next && digest(vote.next),
    replica: replicaIndex(vote.replica),
    signature: signature(vote.signature),
  }
}

export function toWireViewChange({ stable, prepared, vote }: ViewChange): wire.ViewChange {
  return { stable: toWireStable(stable), prepared: prepared.map(encodeCertificate), vote: toWireVote(vote) }
}

export function fromWireViewChange({ stable, prepared, vote }: wire.ViewChange): ViewChange {
  const signed = fromWireVote(vote)
  return {
    view: signed.statement.view,
    stable: fromWireStable(stable),
    prepared: prepared.map(fromWireCertificate),
    vote: signed,
  }
}

export function toWireNewView({ viewChanges, vote, proposals }: NewView): wire.NewView {
  return {
    viewChanges: viewChanges.map(toWireViewChange),
    vote: toWireVote(vote),
    proposals: proposals.map(toWireVote),
  }
}

export function fromWireNewView({ viewChanges, vote, proposals }: wire.NewView): NewView {
  const signed = fromWireVote(vote)
  return {
    view: signed.statement.view,
    viewChanges: viewChanges.map(fromWireViewChange),
    vote: signed,
    proposals: proposals.map(fromWireVote),
  }
}

export function encodeNewView(newView: NewView): Uint8Array {
  return wire.encodeNewView(toWireNewView(newView))
}

export function decodeNewView(bytes: Uint8Array): Result<NewView, wire.WireFault> {
  return read(wire.decodeNewView(bytes), fromWireNewView)
}

export function encodeStableCheckpoint(checkpoint: StableCheckpoint): Uint8Array {
  return wire.encodeStableCheckpoint(toWireStable(checkpoint))
}

export function decodeStableCheckpoint(bytes: Uint8Array): Result<StableCheckpoint, wire.WireFault> {
  return read(wire.decodeStableCheckpoint(bytes), fromWireStable)
}
