// The numbers and byte strings of the protocol as distinct types, made only by the small constructors below, which check
// range or length. A value of one of these types is therefore always in range; no other code casts to them.

import { copyOf } from './bytes.ts'

declare const brand: unique symbol

/** A `Base` that passed the check called `Name`. */
export type Brand<Base, Name extends string> = Base & { readonly [brand]: Name }

/** Position in the log, from 1; 0 names the state before the first entry. */
export type Slot = Brand<number, 'Slot'>
/** Proposal number; its leader is member (view mod n). */
export type View = Brand<number, 'View'>
/** Number of a membership, from 0 (the genesis). */
export type Epoch = Brand<number, 'Epoch'>
/** Position of a member in its epoch's membership, from 0. */
export type ReplicaIndex = Brand<number, 'ReplicaIndex'>
/** A member for as long as it is one, from 0: never given out twice in a cluster, while positions are taken over. */
export type MemberId = Brand<number, 'MemberId'>
/** 32 bytes of SHA-256. */
export type Digest = Brand<Uint8Array, 'Digest'>
/** 32 bytes that claim to be an Ed25519 public key; see {@link AdmittedKey} for one that was checked. */
export type PublicKey = Brand<Uint8Array, 'PublicKey'>
/** 64 bytes that claim to be an Ed25519 signature. */
export type Signature = Brand<Uint8Array, 'Signature'>
/** A value whose signatures were checked by one of this folder's verifiers, which alone make this type. */
export type Verified<Value> = Value & { readonly [brand]: 'Verified' }

export const DIGEST_BYTES = 32
export const PUBLIC_KEY_BYTES = 32
export const SIGNATURE_BYTES = 64
/**
 * The largest group. A stable checkpoint carries q signature lines, and the existing note tools read at most 100 lines.
 * Ref: c2sp.org/signed-note; golang.org/x/mod/sumdb/note.
 */
export const MAX_REPLICAS = 100

/** @throws {RangeError} unless `value` is an integer from 0 to 2^53 - 1. */
export function slot(value: number): Slot {
  return counter('slot', value) as Slot
}

/** @throws {RangeError} unless `value` is an integer from 0 to 2^53 - 1. */
export function view(value: number): View {
  return counter('view', value) as View
}

/** @throws {RangeError} unless `value` is an integer from 0 to 2^53 - 1. */
export function epoch(value: number): Epoch {
  return counter('epoch', value) as Epoch
}

/** @throws {RangeError} unless `value` is an integer from 0 to {@link MAX_REPLICAS} - 1. */
export function replicaIndex(value: number): ReplicaIndex {
  if (!Number.isInteger(value) || value < 0 || value >= MAX_REPLICAS) {
    throw new RangeError(`replica index: expected an integer from 0 to ${MAX_REPLICAS - 1}, got ${value}`)
  }
  return value as ReplicaIndex
}

/** @throws {RangeError} unless `value` is an integer from 0 to 2^32 - 1. */
export function memberId(value: number): MemberId {
  if (!Number.isInteger(value) || value < 0 || value > 0xffff_ffff) {
    throw new RangeError(`member id: expected an integer from 0 to 2^32 - 1, got ${value}`)
  }
  return value as MemberId
}

/** Copies `bytes`. @throws {RangeError} unless there are exactly 32. */
export function digest(bytes: Uint8Array): Digest {
  return sized('digest', bytes, DIGEST_BYTES) as Digest
}

/** Copies `bytes`. @throws {RangeError} unless there are exactly 32. */
export function publicKey(bytes: Uint8Array): PublicKey {
  return sized('public key', bytes, PUBLIC_KEY_BYTES) as PublicKey
}

/** Copies `bytes`. @throws {RangeError} unless there are exactly 64. */
export function signature(bytes: Uint8Array): Signature {
  return sized('signature', bytes, SIGNATURE_BYTES) as Signature
}

function counter(name: string, value: number): number {
  if (!Number.isSafeInteger(value) || value < 0) {
    throw new RangeError(`${name}: expected an integer from 0 to 2^53 - 1, got ${value}`)
  }
  return value
}

function sized(name: string, bytes: Uint8Array, expected: number): Uint8Array {
  if (bytes.length !== expected) throw new RangeError(`${name}: expected ${expected} bytes, got ${bytes.length}`)
  return copyOf(bytes)
}
