// Archived slots and checkpoints: what auditors are given.

import { encodeCertificate, encodeFrontier, type Result } from '../../crypto/index.ts'
import * as wire from '../../net/wire/index.ts'
import { fromWireEntry, toWireEntry } from './entries.ts'
import type { ArchivedCheckpoint, ArchivedSlot } from './frames.ts'
import { read } from './malformed.ts'
import {
  fromWireCertificate,
  fromWireFrontier,
  fromWireStable,
  fromWireVote,
  toWireStable,
  toWireVote,
} from './votes.ts'

export function toWireSlot({ entry, certificate, receipt, records }: ArchivedSlot): wire.ArchivedSlot {
  return {
    entry: toWireEntry(entry),
    certificate: encodeCertificate(certificate),
    receipt: receipt && toWireVote(receipt),
    records,
  }
}

export function fromWireSlot({ entry, certificate, receipt, records }: wire.ArchivedSlot): ArchivedSlot {
  return {
    entry: fromWireEntry(entry),
    certificate: fromWireCertificate(certificate),
    receipt: receipt && fromWireVote(receipt),
    records: records.map((record) => record.slice()),
  }
}

export function toWireCheckpoint({ checkpoint, frontier }: ArchivedCheckpoint): wire.ArchivedCheckpoint {
  return { checkpoint: toWireStable(checkpoint), frontier: encodeFrontier(frontier) }
}

export function fromWireCheckpoint({ checkpoint, frontier }: wire.ArchivedCheckpoint): ArchivedCheckpoint {
  return { checkpoint: fromWireStable(checkpoint), frontier: fromWireFrontier(frontier) }
}

export function encodeArchivedSlot(archived: ArchivedSlot): Uint8Array {
  return wire.encodeArchivedSlot(toWireSlot(archived))
}

export function decodeArchivedSlot(bytes: Uint8Array): Result<ArchivedSlot, wire.WireFault> {
  return read(wire.decodeArchivedSlot(bytes), fromWireSlot)
}

export function encodeArchivedCheckpoint(archived: ArchivedCheckpoint): Uint8Array {
  return wire.encodeArchivedCheckpoint(toWireCheckpoint(archived))
}

export function decodeArchivedCheckpoint(bytes: Uint8Array): Result<ArchivedCheckpoint, wire.WireFault> {
  return read(wire.decodeArchivedCheckpoint(bytes), fromWireCheckpoint)
}
