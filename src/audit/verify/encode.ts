// The one text of each record. Strict both ways: a line that decodes is exactly what is written here for its value, so no byte
// of a bundle can change without either being noticed here or changing the value that is then checked.
//
// Bytes are lower-case hexadecimal. A certificate and a vote (which is written like a certificate of one signature) are the bytes
// of crypto/certificate.ts: the 161 signed bytes come first, as they were signed.

import {
  assertNever,
  type Certificate,
  encodeCertificate,
  encodeFrontier,
  hex,
  type Vote,
} from '../../../crypto/index.ts'
import type { CheckpointVote, SignedRequest, StableCheckpoint, ViewChange } from '../../consensus/index.ts'
import type { BundleContents, BundleRecord, Proof } from './records.ts'

/** The line of `record`, without its line feed. */
export function encodeRecord(record: BundleRecord): string {
  return JSON.stringify(plain(record))
}

function plain(record: BundleRecord): object {
  switch (record.kind) {
    case 'head':
      return { format: record.format, cluster: hex(record.cluster), contents: contents(record.contents) }
    case 'epoch':
      return { kind: 'epoch', charter: hex(record.charter), note: record.note }
    case 'checkpoint': {
      const { note, frontier, consistency } = record
      const more = consistency === undefined ? {} : { consistency: consistency.map(hex) }
      return { kind: 'checkpoint', note, frontier: hex(encodeFrontier(frontier)), ...more }
    }
    case 'entry': {
      const { kind: type, slot, epoch, timestampMs, count, root } = record.header
      return {
        kind: 'entry',
        slot,
        epoch,
        type,
        timestampMs,
        count,
        root: hex(root),
        certificate: certificate(record.certificate),
        receipt: record.receipt === undefined ? null : certificate(record.receipt),
        path: record.path === undefined ? null : record.path.map(hex),
      }
    }
    case 'request':
      return { kind: 'request', ...request(record.request) }
    case 'result':
      return { kind: 'result', record: hex(record.record) }
    case 'receipt': {
      const { index, count, path } = record
      return { kind: 'receipt', certificate: certificate(record.certificate), index, count, path: path.map(hex) }
    }
    case 'state': {
      const { key, value, proof: shown, position } = record.proof
      return {
        kind: 'state',
        key: hex(key),
        value: value === undefined ? null : hex(value),
        proof: hex(shown),
        position: position.value === undefined ? null : hex(position.value),
        positionProof: hex(position.proof),
      }
    }
    case 'new-view': {
      const { view, viewChanges, proposals } = record
      return { kind: 'new-view', view, viewChanges, vote: vote(record.vote), proposals: proposals.map(vote) }
    }
    case 'view-change':
      return { kind: 'view-change', ...viewChange(record.viewChange) }
    case 'evidence': {
      const { epoch, accused } = record
      return { kind: 'evidence', ...(epoch === 0 ? {} : { epoch }), accused, proof: proof(record.proof) }
    }
    case 'end':
      return { kind: 'end', sha256: hex(record.sha256) }
    default:
      return assertNever(record)
  }
}

function contents(value: BundleContents): object {
  switch (value.kind) {
    case 'slots':
      return { kind: 'slots', from: value.from, to: value.to }
    case 'key':
    case 'state':
      return { kind: value.kind, key: hex(value.key) }
    case 'receipt':
    case 'evidence':
      return { kind: value.kind }
    default:
      return assertNever(value)
  }
}

function request({ request: { client, sequence, command }, proof: bundle }: SignedRequest): object {
  const { index, count, root, path, signature } = bundle
  return {
    client: hex(client),
    sequence,
    command: hex(command),
    bundle: { index, count, root: hex(root), path: path.map(hex), signature: hex(signature) },
  }
}

function viewChange({ view, stable, prepared, vote: signed }: ViewChange): object {
  return { view, stable: checkpoint(stable), prepared: prepared.map(certificate), vote: vote(signed) }
}

function checkpoint({ slot, logRoot, stateRoot, signatures }: StableCheckpoint): object {
  const signed = signatures.map(({ replica, signature }) => ({ replica, signature: hex(signature) }))
  return { slot, logRoot: hex(logRoot), stateRoot: hex(stateRoot), signatures: signed }
}

function checkpointVote({ slot, logRoot, stateRoot, next, replica, signature }: CheckpointVote): object {
  const roots = { logRoot: hex(logRoot), stateRoot: hex(stateRoot) }
  return { slot, ...roots, ...(next === undefined ? {} : { next: hex(next) }), replica, signature: hex(signature) }
}

function proof(value: Proof): object {
  const { kind } = value
  switch (kind) {
    case 'two-votes':
      return { kind, first: vote(value.first), second: vote(value.second) }
    case 'two-checkpoints':
      return { kind, first: checkpointVote(value.first), second: checkpointVote(value.second) }
    case 'hidden-prepared':
      return { kind, accept: vote(value.accept), viewChange: viewChange(value.viewChange) }
    case 'against-new-view':
      return { kind, vote: vote(value.vote), newView: hex(value.newView) }
    case 'wrong-receipt':
      return { kind, receipt: vote(value.receipt), certificate: certificate(value.certificate) }
    case 'past-the-end': {
      const { end, late } = value
      const said = late.kind === 'vote' ? { vote: vote(late.vote) } : { note: checkpointVote(late.vote) }
      return { kind, end: checkpointVote(end), ...said }
    }
    default:
      return assertNever(kind)
  }
}

function certificate(value: Certificate): string {
  return hex(encodeCertificate(value))
}

function vote({ statement, replica, signature }: Vote): string {
  return certificate({ statement, signatures: [{ replica, signature }] })
}
