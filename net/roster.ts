// Who stands at which position of a transport. Positions change with the roster; who somebody is goes by peer id alone.

import { type ReplicaIndex, replicaIndex } from '../crypto/index.ts'
import { keyOfPeerId } from '../keys/index.ts'
import type { RosterEntry } from './transport.ts'
import { MAX_MEMBERS } from './wire/index.ts'

/** A roster that was checked, and does not change any more. */
export class Roster {
  readonly entries: readonly RosterEntry[]
  readonly #indexes: ReadonlyMap<string, ReplicaIndex>

  /** @throws {RangeError} for too many entries, a peer id twice, or one that is no Ed25519 key's. */
  constructor(entries: readonly RosterEntry[]) {
    if (entries.length > MAX_MEMBERS) {
      throw new RangeError(`a roster has up to ${MAX_MEMBERS} entries, got ${entries.length}`)
    }
    const indexes = new Map<string, ReplicaIndex>()
    for (const [i, { peerId }] of entries.entries()) {
      if (keyOfPeerId(peerId) === undefined) throw new RangeError(`roster[${i}]: ${peerId} is no Ed25519 peer id`)
      const before = indexes.get(peerId)
      if (before !== undefined) throw new RangeError(`roster[${i}]: ${peerId} is at position ${before} already`)
      indexes.set(peerId, replicaIndex(i))
    }
    this.entries = [...entries]
    this.#indexes = indexes
  }

  indexOf(peerId: string): ReplicaIndex | undefined {
    return this.#indexes.get(peerId)
  }
}
