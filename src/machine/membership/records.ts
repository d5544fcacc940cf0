// The membership as part of the state: everybody can be proven who is a member, and every snapshot brings it along.
//
//   cluster            cluster id 32, name
//   charter            the charter in office
//   previous           that of the epoch before
//   successor          last slot of the epoch in office u64, the charter after it; absent while no change was accepted
//   next-id            u32, the id that the next new member gets
//   addresses/ID       of a member, by id (u32): they may change within an epoch
//   retired/KEY        epoch u64 in which a member's key was the last time in office, purpose u8; such a key never comes back
//   proposal/ID        what admins have yet to agree on, by the leaf hash of its command; see proposals.ts

import {
  type Digest,
  digest,
  equalBytes,
  fromUtf8,
  type MemberId,
  type Membership,
  slot,
  utf8,
} from '../../../crypto/index.ts'
import {
  type Charter,
  decodeCharter,
  encodeCharter,
  genesisCharter,
  MAX_CHARTER_BYTES,
  membershipOf,
  type Succession,
} from '../../../keys/charter/index.ts'
import type { Genesis } from '../../../keys/genesis/index.ts'
import { type AuthenticatedMap, joinText, prefixed, type Text, toBytes, toText } from '../authenticated-map/index.ts'
import { ByteReader, ByteWriter } from '../bytes-codec.ts'
import { ADMIN_SPACE } from '../keyspace.ts'
import { readAddresses, writeAddresses } from './command-codec.ts'

/** What a cluster's state begins with, beside its clients. */
export interface Founding {
  readonly clusterId: Digest
  readonly name: string
  /** Of epoch 0. */
  readonly charter: Charter
  /** Of each member, in order. */
  readonly addresses: readonly (readonly string[])[]
}

/** What a genesis says of it. */
export function foundingOf(genesis: Genesis): Founding {
  const { clusterId, contents, members } = genesis
  const addresses = members.map((member) => member.addresses)
  return { clusterId, name: contents.name, charter: genesisCharter(genesis), addresses }
}

/** A charter and the membership under it. */
export interface Office {
  readonly charter: Charter
  readonly membership: Membership
}

/** What a retired key was for. */
export type RetiredPurpose = 'consensus' | 'transport'

/** Changes of the state that stand together; undefined deletes. */
export type Writes = readonly (readonly [key: Text, value: Text | undefined])[]

const PURPOSE_BYTES: Readonly<Record<RetiredPurpose, number>> = Object.freeze({ consensus: 1, transport: 2 })
const CLUSTER = named('cluster')
const CHARTER = named('charter')
const PREVIOUS = named('previous')
const SUCCESSOR = named('successor')
const NEXT_ID = named('next-id')
const ADDRESSES = named('addresses/')
const RETIRED = named('retired/')

/** The charter in office: the key of the whole state that a state proof of it is about. */
export const CHARTER_STATE_KEY: Uint8Array = toBytes(CHARTER)

/** The key of the whole state under which the addresses of a member stand. */
export function addressesStateKey(id: MemberId): Uint8Array {
  return toBytes(addressesKey(id))
}

/** The addresses in a value of the state, or undefined where it is none. */
export function decodeAddresses(bytes: Uint8Array): string[] | undefined {
  const reader = new ByteReader(bytes)
  const addresses = readAddresses(reader)
  return reader.done ? addresses : undefined
}

/** Charters that were met lately, by their text: to admit their keys costs milliseconds, and each executor meets the same few. */
const met = new Map<Text, Charter>()
const MET_CHARTERS = 8

/** Reads the records, and keeps the charters that it met decoded. */
export class MembershipRecords {
  readonly cluster: { readonly clusterId: Digest; readonly name: string }
  private readonly map: AuthenticatedMap
  private readonly offices = new Map<Text, Office>()

  private constructor(map: AuthenticatedMap, clusterId: Digest, name: string) {
    this.map = map
    this.cluster = { clusterId, name }
  }

  /** Those in `map`; undefined where it has none. @throws {Error} where they are unreadable: what is restored was verified. */
  static in(map: AuthenticatedMap): MembershipRecords | undefined {
    const value = map.get(CLUSTER)
    if (value === undefined) return undefined
    const name = fromUtf8(toBytes(value, 32))
    if (name === undefined || value.length < 32) throw new Error('state: unreadable cluster')
    return new MembershipRecords(map, digest(toBytes(value).subarray(0, 32)), name)
  }

  /** Begins those of a cluster. */
  static found(map: AuthenticatedMap, { clusterId, name, charter, addresses }: Founding): MembershipRecords {
    map.set(CLUSTER, toText(new ByteWriter().raw(clusterId).raw(utf8(name)).finish()))
    meet(charterText(charter), charter)
    const records = new MembershipRecords(map, clusterId, name)
    const nextId = Math.max(-1, ...charter.members.map(({ id }) => id)) + 1
    for (const [key, value] of [
      [CHARTER, charterText(charter)] as const,
      [NEXT_ID, toText(new ByteWriter().u32(nextId).finish())] as const,
      ...charter.members.map(({ id }, i) => addressesWrite(id, addresses[i] ?? [])),
    ]) {
      map.set(key, value)
    }
    return records
  }

  /** The charter in office. */
  get office(): Office {
    const value = this.map.get(CHARTER)
    if (value === undefined) throw new Error('state: no charter')
    return this.officeOf(value)
  }

  /** That of the epoch before; undefined in epoch 0. */
  get previous(): Office | undefined {
    const value = this.map.get(PREVIOUS)
    return value === undefined ? undefined : this.officeOf(value)
  }

  /** The change that was accepted, until it is in office. */
  get successor(): Succession | undefined {
    const value = this.map.get(SUCCESSOR)
    if (value === undefined) return undefined
    const lastSlot = new ByteReader(toBytes(value).subarray(0, 8)).u64()
    const { charter, membership } = this.officeOf(value, 8)
    return { lastSlot: slot(lastSlot), charter, membership: membership.digest }
  }

  /** The slot with which the epoch in office ends, where that is known. */
  get lastSlot(): number | undefined {
    const value = this.map.get(SUCCESSOR)
    return value === undefined ? undefined : new ByteReader(toBytes(value).subarray(0, 8)).u64()
  }

  get nextId(): number {
    const value = this.map.get(NEXT_ID)
    if (value === undefined) throw new Error('state: no next id')
    return new ByteReader(toBytes(value)).u32()
  }

  addressesOf(id: MemberId): string[] {
    const value = this.map.get(addressesKey(id))
    return (value === undefined ? undefined : decodeAddresses(toBytes(value))) ?? []
  }

  /** True where the key is a member's: in office, or of the change that was accepted. */
  isMemberKey(key: Uint8Array): boolean {
    const members = [...this.office.charter.members, ...(this.successor?.charter.members ?? [])]
    return members.some((member) => equalBytes(member.consensusKey, key) || equalBytes(member.transportKey, key))
  }

  /** True where the key was a member's once, and is none's in office any more. */
  isRetired(key: Uint8Array): boolean {
    return this.map.get(retiredKey(key)) !== undefined
  }

  /** The charter in a value, after `skip` bytes. */
  private officeOf(text: Text, skip = 0): Office {
    const known = this.offices.get(text)
    if (known !== undefined) return known
    const own = skip === 0 ? text : toText(toBytes(text, skip))
    const charter = met.get(own) ?? decodeCharter(toBytes(own))
    if (charter === undefined) throw new Error('state: unreadable charter')
    meet(own, charter)
    const office = { charter, membership: membershipOf(charter, this.cluster.clusterId) }
    // In office, before, after: more are those of epochs that are over.
    if (this.offices.size >= 3) this.offices.clear()
    this.offices.set(text, office)
    return office
  }
}

function meet(text: Text, charter: Charter): void {
  met.delete(text)
  met.set(text, charter)
  const [oldest] = met.keys()
  if (met.size > MET_CHARTERS && oldest !== undefined) met.delete(oldest)
}

/** An accepted change: what is to be in office after `lastSlot`, and the addresses of those who come new. */
export function successorWrites(
  { lastSlot, charter }: Omit<Succession, 'membership'>,
  nextId: number,
  addresses: ReadonlyMap<MemberId, readonly string[]>,
): Writes {
  const value = new ByteWriter().u64(lastSlot).raw(encodeCharter(charter)).finish()
  return [
    [SUCCESSOR, toText(value)],
    [NEXT_ID, toText(new ByteWriter().u32(nextId).finish())],
    ...[...addresses].map(([id, each]) => addressesWrite(id, each)),
  ]
}

/** The end of an epoch: the successor takes office, and what only members of the epoch had goes. */
export function handOverWrites(before: Charter, { charter }: Succession): Writes {
  const stay = new Set(charter.members.map(({ id }) => id))
  const keys = new Set(charter.members.flatMap((member) => [member.consensusKey, member.transportKey]).map(toText))
  const retired = (key: Uint8Array, purpose: RetiredPurpose): Writes =>
    keys.has(toText(key))
      ? []
      : [[retiredKey(key), toText(new ByteWriter().u64(before.epoch).u8(PURPOSE_BYTES[purpose]).finish())]]
  return [
    [PREVIOUS, charterText(before)],
    [CHARTER, charterText(charter)],
    [SUCCESSOR, undefined],
    ...before.members.flatMap(
      ({ id, consensusKey, transportKey }): Writes => [
        ...(stay.has(id) ? [] : ([[addressesKey(id), undefined]] as const)),
        ...retired(consensusKey, 'consensus'),
        ...retired(transportKey, 'transport'),
      ],
    ),
  ]
}

export function addressesWrite(id: MemberId, addresses: readonly string[]): readonly [Text, Text] {
  const writer = new ByteWriter()
  writeAddresses(writer, addresses)
  return [addressesKey(id), toText(writer.finish())]
}

function charterText(charter: Charter): Text {
  const bytes = encodeCharter(charter)
  if (bytes.length > MAX_CHARTER_BYTES) throw new RangeError('charter: too large')
  return toText(bytes)
}

function addressesKey(id: MemberId): Text {
  return joinText(ADDRESSES, toText(new ByteWriter().u32(id).finish()))
}

function retiredKey(key: Uint8Array): Text {
  return joinText(RETIRED, toText(key))
}

function named(name: string): Text {
  return prefixed(ADMIN_SPACE, utf8(name))
}
