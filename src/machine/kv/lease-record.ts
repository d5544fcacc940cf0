// How leases lie in the state.
//
//   0x02 lease                     owner's client key (32), time to live, agreed time of its end (u64 each), keys (u32)
//   0x03 end, lease                nothing: leases in the order of their ends
//   0x04 lease, key                nothing: the keys attached to a lease
//   0x05                           the number of the last lease: none is ever used again
//   0x06 client key                how many leases it has (u64)

import { ByteReader, ByteWriter } from '../bytes-codec.ts'

export interface LeaseRecord {
  /** Client key of the grant. */
  readonly owner: Uint8Array
  readonly ttlMs: number
  /** Agreed time; the first entry at or after it ends the lease. */
  readonly expiresAtMs: number
  readonly keys: number
}

const LEASE_SPACE = 0x02
const EXPIRY_SPACE = 0x03
const LINK_SPACE = 0x04
const LAST_LEASE_SPACE = 0x05
const OWNER_SPACE = 0x06

export const LAST_LEASE_KEY = Uint8Array.of(LAST_LEASE_SPACE)
export const EXPIRIES = Object.freeze({ start: Uint8Array.of(EXPIRY_SPACE), end: Uint8Array.of(LINK_SPACE) })
/** More than any lease's number, in its 8 bytes. */
const ABOVE_ALL = new Uint8Array(8).fill(0xff)

export function leaseKey(lease: number): Uint8Array {
  return new ByteWriter().u8(LEASE_SPACE).u64(lease).finish()
}

export function expiryKey(expiresAtMs: number, lease: number): Uint8Array {
  return new ByteWriter().u8(EXPIRY_SPACE).u64(expiresAtMs).u64(lease).finish()
}

/** The ends at or before an agreed time. */
export function expiriesUpTo(timestampMs: number): { readonly start: Uint8Array; readonly end: Uint8Array } {
  return { start: EXPIRIES.start, end: new ByteWriter().u8(EXPIRY_SPACE).u64(timestampMs).raw(ABOVE_ALL).finish() }
}

/** The parts of an {@link expiryKey}. */
export function readExpiryKey(key: Uint8Array): { readonly expiresAtMs: number; readonly lease: number } {
  const reader = new ByteReader(key)
  reader.u8()
  return { expiresAtMs: reader.u64(), lease: reader.u64() }
}

const LINK_HEAD_BYTES = 9

export function linkKey(lease: number, key: Uint8Array): Uint8Array {
  return new ByteWriter().u8(LINK_SPACE).u64(lease).raw(key).finish()
}

/** The links of one lease. */
export function linksOf(lease: number): { readonly start: Uint8Array; readonly end: Uint8Array } {
  return { start: linkKey(lease, new Uint8Array(0)), end: linkKey(lease + 1, new Uint8Array(0)) }
}

/** The user's key in a {@link linkKey}. */
export function linkedKey(key: Uint8Array): Uint8Array {
  return key.subarray(LINK_HEAD_BYTES)
}

export function ownerKey(client: Uint8Array): Uint8Array {
  return new ByteWriter().u8(OWNER_SPACE).raw(client).finish()
}

export function encodeLease({ owner, ttlMs, expiresAtMs, keys }: LeaseRecord): Uint8Array {
  return new ByteWriter().raw(owner).u64(ttlMs).u64(expiresAtMs).u32(keys).finish()
}

/** @throws {Error} where the state holds something else: a defect of ours, since what is restored was verified. */
export function decodeLease(bytes: Uint8Array): LeaseRecord {
  const reader = new ByteReader(bytes)
  const owner = reader.take(32)
  const record = { owner, ttlMs: reader.u64(), expiresAtMs: reader.u64(), keys: reader.u32() }
  if (!reader.done) throw new Error('kv: unreadable lease')
  return record
}

/** A number that is kept in 8 bytes, 0 before it is first put. */
export function decodeCount(bytes: Uint8Array | undefined): number {
  return bytes === undefined ? 0 : new ByteReader(bytes).u64()
}

export function encodeCount(count: number): Uint8Array {
  return new ByteWriter().u64(count).finish()
}
