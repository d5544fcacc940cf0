// Entries. A no-op is its slot and epoch; a batch has its root beside the requests, since computing it is the
// verifier's work and would be done twice. The number of requests and the digest are not sent.

import { digest, encodeCertificate, epoch, slot } from '../../crypto/index.ts'
import type * as wire from '../../net/wire/index.ts'
import { type ChosenEntry, type Entry, type EntryHeader, headerDigest, noopEntry } from '../consensus/index.ts'
import { fromWireRequests, toWireRequests } from './requests.ts'
import { fromWireCertificate } from './votes.ts'

export function toWireEntry({ header, requests }: Entry): wire.Entry {
  const { kind, slot: at, epoch: of, timestampMs, root } = header
  const batch = kind === 'noop' ? undefined : { timestampMs, root, requests: toWireRequests(requests) }
  return { slot: at, epoch: of, batch }
}

/** @throws {Malformed}, also where there are more than `mostRequests`. */
export function fromWireEntry({ slot: at, epoch: of, batch }: wire.Entry, mostRequests?: number): Entry {
  if (batch === undefined) return noopEntry(slot(at), epoch(of))
  const requests = fromWireRequests(batch.requests, mostRequests)
  const header: EntryHeader = {
    kind: 'batch',
    slot: slot(at),
    epoch: epoch(of),
    timestampMs: batch.timestampMs,
    count: requests.length,
    root: digest(batch.root),
  }
  return { header, requests, digest: headerDigest(header) }
}

export function toWireChosen({ entry, certificate }: ChosenEntry): wire.ChosenEntry {
  return { entry: toWireEntry(entry), certificate: encodeCertificate(certificate) }
}

export function fromWireChosen({ entry, certificate }: wire.ChosenEntry, mostRequests?: number): ChosenEntry {
  return { entry: fromWireEntry(entry, mostRequests), certificate: fromWireCertificate(certificate) }
}
