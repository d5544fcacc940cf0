// Entries: what is agreed for a slot, and the 32 bytes by which votes, log and audit name it.
//
// An entry's header is 61 bytes: kind (0 no-op, 1 batch), slot u64, epoch u64, timestamp u64 (milliseconds; 0 in a no-op, which
// means "as before"), request count u32, RFC 6962 root of the requests (32). The digest of an entry is the RFC 6962 leaf hash of
// its header. The view is not in it: the same decision may be certified again in a later view.

import { type Digest, EMPTY_ROOT, type Epoch, leafHash, type Slot, writeU32, writeU64 } from '../../crypto/index.ts'
import { requestsRoot } from './bundle.ts'
import type { SignedRequest } from './request.ts'

export type EntryKind = 'noop' | 'batch'

export interface EntryHeader {
  readonly kind: EntryKind
  readonly slot: Slot
  readonly epoch: Epoch
  /** Milliseconds since 1970 that the leader proposed; 0 in a no-op. */
  readonly timestampMs: number
  readonly count: number
  readonly root: Digest
}

/** What is agreed for a slot. */
export interface Entry {
  readonly header: EntryHeader
  readonly requests: readonly SignedRequest[]
  /** {@link headerDigest} of the header, computed by whoever made this value. */
  readonly digest: Digest
}

export const HEADER_BYTES = 61
const ENTRY_KIND_BYTES: Readonly<Record<EntryKind, number>> = Object.freeze({ noop: 0, batch: 1 })

export function headerBytes(header: EntryHeader): Uint8Array {
  const bytes = new Uint8Array(HEADER_BYTES)
  bytes[0] = ENTRY_KIND_BYTES[header.kind]
  writeU64(bytes, 1, header.slot)
  writeU64(bytes, 9, header.epoch)
  writeU64(bytes, 17, header.timestampMs)
  writeU32(bytes, 25, header.count)
  bytes.set(header.root, 29)
  return bytes
}

/** The digest that votes are about. */
export function headerDigest(header: EntryHeader): Digest {
  return leafHash(headerBytes(header))
}

/** The entry that a leader proposes. */
export function batchEntry(slot: Slot, epoch: Epoch, timestampMs: number, requests: readonly SignedRequest[]): Entry {
  const root = requestsRoot(requests)
  const header: EntryHeader = { kind: 'batch', slot, epoch, timestampMs, count: requests.length, root }
  return { header, requests, digest: headerDigest(header) }
}

/** The one entry that fills a gap at `slot`: a kind of its own, so never the digest of an empty batch (pitfall P11). */
export function noopEntry(slot: Slot, epoch: Epoch): Entry {
  const header: EntryHeader = { kind: 'noop', slot, epoch, timestampMs: 0, count: 0, root: EMPTY_ROOT }
  return { header, requests: [], digest: headerDigest(header) }
}

/** Bytes of the commands in an entry: what the limits on batches and answers count. */
export function commandBytes({ requests }: Pick<Entry, 'requests'>): number {
  return requests.reduce((sum, { request }) => sum + request.command.length, 0)
}
