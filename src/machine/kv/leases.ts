// Leases: a client's claim that ends by itself unless it is kept alive, and takes the keys attached to it along. All of it goes by the
// agreed time of entries, so every replica ends a lease with the same entry, and no leader's clock alone decides when.
//
// Only the owner and admins keep alive, revoke or attach: who could keep another's lease alive could lock out everybody for ever.

import { equalBytes } from '../../../crypto/index.ts'
import { type AdvanceContext, type CommandContext, CommandRefused, type Store } from '../state-machine.ts'
import {
  decodeCount,
  decodeLease,
  EXPIRIES,
  encodeCount,
  encodeLease,
  expiriesUpTo,
  expiryKey,
  LAST_LEASE_KEY,
  type LeaseRecord,
  leaseKey,
  linkedKey,
  linkKey,
  linksOf,
  ownerKey,
  readExpiryKey,
} from './lease-record.ts'
import {
  MAX_KEYS_ENDED_PER_ENTRY,
  MAX_KEYS_PER_LEASE,
  MAX_LEASE_TTL_MS,
  MAX_LEASES_ENDED_PER_ENTRY,
  MAX_LEASES_PER_CLIENT,
  MIN_LEASE_TTL_MS,
} from './limits.ts'
import { entryKey } from './record.ts'
import type { LeaseResponse } from './response.ts'

const NOTHING = new Uint8Array(0)

/** The leases as one command sees and changes them. */
export class Leases {
  private readonly store: Store
  private readonly context: CommandContext
  /** Those looked at, so that a command that changes many keys of one lease writes its record once. */
  private readonly known = new Map<number, LeaseRecord>()
  private readonly changed = new Set<number>()

  constructor(store: Store, context: CommandContext) {
    this.store = store
    this.context = context
  }

  /** Refuses with `lease-ttl` and `too-many-leases`. */
  grant(ttlMs: number): LeaseResponse {
    const { store, context } = this
    const { client: owner, timestampMs } = context
    if (ttlMs < MIN_LEASE_TTL_MS || ttlMs > MAX_LEASE_TTL_MS) throw new CommandRefused('lease-ttl')
    const owned = decodeCount(store.get(ownerKey(owner)))
    if (owned >= MAX_LEASES_PER_CLIENT) throw new CommandRefused('too-many-leases')
    const lease = decodeCount(store.get(LAST_LEASE_KEY)) + 1
    const expiresAtMs = endOf(timestampMs, ttlMs)
    store.put(LAST_LEASE_KEY, encodeCount(lease))
    store.put(ownerKey(owner), encodeCount(owned + 1))
    store.put(leaseKey(lease), encodeLease({ owner, ttlMs, expiresAtMs, keys: 0 }))
    store.put(expiryKey(expiresAtMs, lease), NOTHING)
    return { kind: 'lease-grant', lease, expiresAtMs }
  }

  /** Counts the time to live anew from the time of this entry. Refuses with `lease-not-found` and `lease-not-yours`. */
  keepAlive(lease: number): LeaseResponse {
    const { store } = this
    const record = this.own(lease)
    const expiresAtMs = endOf(this.context.timestampMs, record.ttlMs)
    if (expiresAtMs !== record.expiresAtMs) {
      store.delete(expiryKey(record.expiresAtMs, lease))
      store.put(expiryKey(expiresAtMs, lease), NOTHING)
      store.put(leaseKey(lease), encodeLease({ ...record, expiresAtMs }))
    }
    return { kind: 'lease-keep-alive', expiresAtMs }
  }

  /** Ends the lease now. Refuses with `lease-not-found` and `lease-not-yours`. */
  revoke(lease: number): LeaseResponse & { readonly kind: 'lease-revoke' } {
    return { kind: 'lease-revoke', count: end(this.store, lease, this.own(lease)) }
  }

  /** A key moves from one lease to another; 0 is none. Refuses with `lease-not-found`, `lease-not-yours` and `lease-full`. */
  move(key: Uint8Array, from: number, to: number): void {
    const target = to === 0 ? undefined : this.own(to)
    if (from === to) return
    if (target !== undefined) {
      if (target.keys >= MAX_KEYS_PER_LEASE) throw new CommandRefused('lease-full')
      this.store.put(linkKey(to, key), NOTHING)
      this.change(to, { ...target, keys: target.keys + 1 })
    }
    const source = from === 0 ? undefined : this.find(from)
    if (source === undefined) return
    this.store.delete(linkKey(from, key))
    this.change(from, { ...source, keys: source.keys - 1 })
  }

  /** Stores what changed. */
  finish(): void {
    for (const lease of this.changed) {
      const record = this.known.get(lease)
      if (record !== undefined) this.store.put(leaseKey(lease), encodeLease(record))
    }
  }

  /** A lease that this client may act for. One that is due and has not ended yet, for want of room, is as good as gone. */
  private own(lease: number): LeaseRecord {
    const { client, role, timestampMs } = this.context
    const record = this.find(lease)
    if (record === undefined || record.expiresAtMs <= timestampMs) throw new CommandRefused('lease-not-found')
    if (role !== 'admin' && !equalBytes(record.owner, client)) throw new CommandRefused('lease-not-yours')
    return record
  }

  private find(lease: number): LeaseRecord | undefined {
    const known = this.known.get(lease)
    if (known !== undefined) return known
    const stored = this.store.get(leaseKey(lease))
    if (stored === undefined) return undefined
    const record = decodeLease(stored)
    this.known.set(lease, record)
    return record
  }

  private change(lease: number, record: LeaseRecord): void {
    this.known.set(lease, record)
    this.changed.add(lease)
  }
}

/**
 * Ends the leases whose time has come, oldest end first, as many as one entry's limits allow; returns how many keys went with them.
 * At least one ends where one is due: a lease has no more keys than an entry may end.
 */
export function endDueLeases({ timestampMs }: AdvanceContext, store: Store): number {
  let keys = 0
  for (const { key } of store.range({ ...expiriesUpTo(timestampMs), limit: MAX_LEASES_ENDED_PER_ENTRY })) {
    const { lease } = readExpiryKey(key)
    const record = decodeLease(store.get(leaseKey(lease)) ?? NOTHING)
    if (keys + record.keys > MAX_KEYS_ENDED_PER_ENTRY) break
    keys += end(store, lease, record)
  }
  return keys
}

/** The agreed time at which the next lease ends; undefined where there is none. */
export function nextLeaseEnd(store: Store): number | undefined {
  const [first] = store.range({ ...EXPIRIES, limit: 1 })
  return first === undefined ? undefined : readExpiryKey(first.key).expiresAtMs
}

/** Deletes a lease and its keys; returns how many those were. */
function end(store: Store, lease: number, { owner, expiresAtMs }: LeaseRecord): number {
  const links = store.range(linksOf(lease))
  for (const { key } of links) {
    store.delete(entryKey(linkedKey(key)))
    store.delete(key)
  }
  store.delete(leaseKey(lease))
  store.delete(expiryKey(expiresAtMs, lease))
  const others = decodeCount(store.get(ownerKey(owner))) - 1
  if (others > 0) store.put(ownerKey(owner), encodeCount(others))
  else store.delete(ownerKey(owner))
  return links.length
}

function endOf(timestampMs: number, ttlMs: number): number {
  const expiresAtMs = timestampMs + ttlMs
  // No honest replica votes for a time so far ahead.
  if (!Number.isSafeInteger(expiresAtMs)) throw new CommandRefused('lease-ttl')
  return expiresAtMs
}
