// What a replica keeps on disk: the core's records, and what the shell adds.

import { copyOf, encodeCertificate, encodeFrontier, type Result, type Vote } from '../../crypto/index.ts'
import type { Admit } from '../../keys/charter/index.ts'
import * as wire from '../../net/wire/index.ts'
import type { DurableRecord } from '../consensus/index.ts'
import { fromWireCheckpoint, toWireCheckpoint } from './archive-codec.ts'
import { fromWireEntry, toWireEntry } from './entries.ts'
import { fromWireEvidence, toWireEvidence } from './evidence.ts'
import { fromWireHandOver, toWireHandOver } from './hand-overs.ts'
import { read } from './malformed.ts'
import {
  fromWireCertificate,
  fromWireCheckpointVote,
  fromWireFrontier,
  fromWireNewView,
  fromWireViewChange,
  fromWireVote,
  toWireCheckpointVote,
  toWireNewView,
  toWireViewChange,
  toWireVote,
} from './votes.ts'

/**
 * The store's numbers for the core's records, those of `Record` in archive.proto. A retired number stays listed there
 * and is never used again.
 */
export const RECORD_KINDS: Readonly<Record<DurableRecord['kind'], number>> = Object.freeze({
  entry: 1,
  vote: 2,
  prepared: 3,
  chosen: 4,
  promise: 5,
  'new-view': 6,
  checkpoint: 7,
  stable: 8,
  evidence: 9,
  'hand-over': 10,
})

/** The store's numbers for what the shell keeps beside them, from 32. */
export const ARCHIVE_KINDS = Object.freeze({
  /** An {@link Outcome}. */
  receipt: 32,
})

/** What came of a slot at this replica. */
export interface Outcome {
  readonly receipt: Vote
  /** One result record a request; see src/machine/result-record.ts. */
  readonly records: readonly Uint8Array[]
}

/** @throws {RangeError} for a record beyond the bounds of net/wire/limits.ts. */
export function encodeRecord(record: DurableRecord): Uint8Array {
  return wire.encodeRecord(toWire(record))
}

/** Refuses what is no record; says nothing about whose it is. `admit` takes the keys of a charter. */
export function decodeRecord(bytes: Uint8Array, admit?: Admit): Result<DurableRecord, wire.WireFault> {
  return read(wire.decodeRecord(bytes), (decoded) => fromWire(decoded, admit))
}

function toWire(record: DurableRecord): wire.Record {
  switch (record.kind) {
    case 'entry':
      return { kind: 'entry', value: toWireEntry(record.entry) }
    case 'vote':
      return { kind: 'vote', value: toWireVote(record.vote) }
    case 'prepared':
    case 'chosen':
      return { kind: record.kind, value: { certificate: encodeCertificate(record.certificate) } }
    case 'promise':
      return { kind: 'promise', value: toWireViewChange(record.viewChange) }
    case 'new-view':
      return { kind: 'newView', value: toWireNewView(record.newView) }
    case 'checkpoint': {
      const [vote, frontier] = [toWireCheckpointVote(record.vote), encodeFrontier(record.frontier)]
      return { kind: 'checkpoint', value: { vote, frontier } }
    }
    case 'stable':
      return { kind: 'stable', value: toWireCheckpoint(record) }
    case 'evidence':
      return { kind: 'evidence', value: toWireEvidence(record.evidence) }
    case 'hand-over': {
      const [handOver, frontier] = [toWireHandOver(record.handOver), encodeFrontier(record.frontier)]
      return { kind: 'handOver', value: { handOver, frontier } }
    }
  }
}

function fromWire({ kind, value }: wire.Record, admit: Admit | undefined): DurableRecord {
  switch (kind) {
    case 'entry':
      return { kind: 'entry', entry: fromWireEntry(value) }
    case 'vote':
      return { kind: 'vote', vote: fromWireVote(value) }
    case 'prepared':
    case 'chosen':
      return { kind, certificate: fromWireCertificate(value.certificate) }
    case 'promise':
      return { kind: 'promise', viewChange: fromWireViewChange(value) }
    case 'newView':
      return { kind: 'new-view', newView: fromWireNewView(value) }
    case 'checkpoint': {
      const vote = fromWireCheckpointVote(value.vote)
      return { kind: 'checkpoint', vote, frontier: fromWireFrontier(value.frontier) }
    }
    case 'stable':
      return { kind: 'stable', ...fromWireCheckpoint(value) }
    case 'evidence':
      return { kind: 'evidence', evidence: fromWireEvidence(value) }
    case 'handOver': {
      const handOver = fromWireHandOver(value.handOver, admit)
      return { kind: 'hand-over', handOver, frontier: fromWireFrontier(value.frontier) }
    }
  }
}

export function encodeOutcome({ receipt, records }: Outcome): Uint8Array {
  return wire.encodeOutcome({ receipt: toWireVote(receipt), records })
}

export function decodeOutcome(bytes: Uint8Array): Result<Outcome, wire.WireFault> {
  return read(wire.decodeOutcome(bytes), ({ receipt, records }) => {
    return { receipt: fromWireVote(receipt), records: records.map(copyOf) }
  })
}
