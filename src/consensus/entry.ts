// Requests and entries: what clients sign, what is agreed for a slot, and the 32 bytes by which votes, log and audit name it.
//
// A request's identity is the RFC 6962 leaf hash of its bytes (client key 32, sequence number u64, command). The same hash is its
// leaf in the client's signed bundle and in the entry that carries it. Signatures are in no identity (pitfall P35).
//
// An entry's header is 61 bytes: kind (0 no-op, 1 batch), slot u64, epoch u64, timestamp u64 (milliseconds; 0 in a no-op, which
// means "as before"), request count u32, RFC 6962 root of the requests (32). The digest of an entry is the RFC 6962 leaf hash of
// its header. The view is not in it: the same decision may be certified again in a later view.

import {
  concatBytes,
  DIGEST_BYTES,
  type Digest,
  EMPTY_ROOT,
  type Epoch,
  leafHash,
  merkleRoot,
  type PublicKey,
  type Signature,
  type Slot,
  writeU32,
  writeU64,
} from '../../crypto/index.ts'

/** What a client asks for. */
export interface Request {
  readonly client: PublicKey
  /** The client's own number for it, from 1; the session table makes each number count once. */
  readonly sequence: number
  readonly command: Uint8Array
}

/** Shows that a request lies in a bundle that its client signed. */
export interface BundleProof {
  /** Position of the request in the bundle, from 0. */
  readonly index: number
  /** Number of requests in the bundle. */
  readonly count: number
  /** RFC 6962 root of the bundle. */
  readonly root: Digest
  /** RFC 6962 inclusion proof of the request's leaf. */
  readonly path: readonly Digest[]
  /** The client's, on the bundle statement. */
  readonly signature: Signature
}

export interface SignedRequest {
  readonly request: Request
  readonly proof: BundleProof
  /** {@link requestId} of the request, computed by whoever made this value and never taken from the wire. */
  readonly id: Digest
}

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

/** The bytes whose leaf hash is the request's identity. */
export function requestBytes({ client, sequence, command }: Request): Uint8Array {
  const number = new Uint8Array(8)
  writeU64(number, 0, sequence)
  return concatBytes(client, number, command)
}

export function requestId(request: Request): Digest {
  return leafHash(requestBytes(request))
}

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
  const root = merkleRoot(requests.map((request) => request.id))
  const header: EntryHeader = { kind: 'batch', slot, epoch, timestampMs, count: requests.length, root }
  return { header, requests, digest: headerDigest(header) }
}

/** The one entry that fills a gap at `slot`: a kind of its own, so never the digest of an empty batch (pitfall P11). */
export function noopEntry(slot: Slot, epoch: Epoch): Entry {
  const header: EntryHeader = { kind: 'noop', slot, epoch, timestampMs: 0, count: 0, root: EMPTY_ROOT }
  return { header, requests: [], digest: headerDigest(header) }
}

/** Bytes of the commands in an entry: what the limits on batches and answers count. */
export function commandBytes(entry: Entry): number {
  return entry.requests.reduce((sum, { request }) => sum + request.command.length, 0)
}

const keyUnits: number[] = Array.from({ length: DIGEST_BYTES / 2 }, () => 0)

/** A map key for 32 bytes; not for people. Two bytes a character: nothing in the core is called as often. */
export function digestKey(digest: Uint8Array): string {
  for (let i = 0; i < keyUnits.length; i++) keyUnits[i] = ((digest[2 * i] ?? 0) << 8) | (digest[2 * i + 1] ?? 0)
  return Reflect.apply(String.fromCharCode, undefined, keyUnits)
}
