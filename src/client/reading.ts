// The three ways to read the key-value store, behind one call: through the log, from a quorum, or from one replica with a proof.

import { concatBytes } from '../../crypto/index.ts'
import {
  decodeEntry,
  decodeKvResult,
  encodeKvCommand,
  type KeyValue,
  type KvCommand,
  type KvResult,
  kvStateKey,
  MAX_KV_KEY_BYTES,
} from '../machine/index.ts'
import type { QuorumReads, QuorumResult } from './quorum-reads.ts'
import type { StaleReads } from './stale-reads.ts'
import {
  type CallOptions,
  type Read,
  type ReadMode,
  type ReadOf,
  type ReadOptions,
  Refused,
  type StaleEvidence,
} from './types.ts'

export interface ReadingParts {
  readonly quorum: QuorumReads
  readonly lease: QuorumReads
  readonly stale: StaleReads
  readonly hasLeases: () => boolean
}

export class Reading {
  private readonly quorum: QuorumReads
  private readonly lease: QuorumReads
  /** In crash mode alone. */
  private readonly hasLeases: () => boolean
  private readonly stale: StaleReads

  constructor({ quorum, lease, stale, hasLeases }: ReadingParts) {
    this.quorum = quorum
    this.lease = lease
    this.stale = stale
    this.hasLeases = hasLeases
  }

  /** Any machine's command that only reads. */
  raw(command: Uint8Array, options: CallOptions): Promise<QuorumResult> {
    return this.quorum.submit(command, options, (result) => result)
  }

  /** The response to a command of the store that only reads, as a quorum or a leader with a lease gives it. */
  async kv(command: KvCommand, options: ReadOptions): Promise<Read<KvResult['response']>> {
    const byLease = modeOf(options) === 'lease'
    if (byLease && !this.hasLeases()) throw noLeases()
    const reads = byLease ? this.lease : this.quorum
    const done = await reads.submit(encodeKvCommand(command), options, withoutRevision)
    const value = decodeKvResult(done.value)?.response
    if (value === undefined) throw notTheStore()
    return { ...done, value }
  }

  /** An entry of the store, as one replica proves it. */
  async entry(key: Uint8Array, options: ReadOptions): Promise<ReadOf<KeyValue | undefined, StaleEvidence>> {
    const done = await this.stale.read(kvStateKey(key), maxAgeOf(options.read), options)
    if (done.value === undefined) return { ...done, value: undefined }
    const value = decodeEntry(key, done.value)
    if (value === undefined) throw notTheStore()
    return { ...done, value }
  }

  close(): void {
    this.quorum.close()
    this.lease.close()
    this.stale.close()
  }
}

export function modeOf({ read = 'ordered' }: ReadOptions): 'ordered' | 'quorum' | 'lease' | 'stale' {
  return typeof read === 'string' ? read : read.mode
}

export function notTheStore(): TypeError {
  return new TypeError("the cluster's state machine is not the key-value store: use submit or read")
}

/** What the store would refuse as malformed is refused here, with its reason. */
export function assertKey({ length }: Uint8Array): void {
  if (length >= 1 && length <= MAX_KV_KEY_BYTES) return
  const text = `the key has ${length} bytes, and the store takes from 1 to ${MAX_KV_KEY_BYTES}`
  throw new Refused(length === 0 ? 'refused' : 'too-large', '', text)
}

function noLeases(): Refused {
  return new Refused(
    'no-leases',
    '',
    'only a cluster in crash mode (quorum.byzantine = 0) has lease reads: a leader that may lie could answer anything; ' +
      'read with quorum',
  )
}

export function rangeNotProvable(): Refused {
  return new Refused(
    'not-provable',
    '',
    'a range cannot be read stale: the state proves single keys, and not that none is missing from a range; ' +
      'read it with quorum, or its keys one by one',
  )
}

const NO_REVISION = new Uint8Array(8)

/**
 * A result of the store with its first number, the store's revision, as zero: replicas that are a few writes to other keys apart
 * still agree on this one.
 */
function withoutRevision(result: Uint8Array): Uint8Array {
  return result.length < NO_REVISION.length ? result : concatBytes(NO_REVISION, result.subarray(NO_REVISION.length))
}

function maxAgeOf(read: ReadMode | undefined): number {
  return typeof read === 'object' ? read.maxAgeMs : Number.POSITIVE_INFINITY
}
