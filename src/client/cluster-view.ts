// Whom a client deals with: the chain of epochs as far as it was followed, and of its last epoch the members, where they are reached,
// and the parameters. Everything that is of one epoch is asked for here when it is needed. Who keeps something by the position of a
// member is told when these change, and goes over to the new ones by a {@link Moves}.

import { type MemberId, type Membership, type ReplicaIndex, replicaIndex } from '../../crypto/index.ts'
import type { CharterMember } from '../../keys/charter/index.ts'
import { type Genesis, type Parameters, peerIdOf } from '../../keys/index.ts'
import type { RosterEntry } from '../../net/index.ts'
import type { EpochChain, EpochContext } from '../consensus/index.ts'

/** Where a member stands after a change of the epoch; undefined where it is one no more. */
export type Moves = (before: ReplicaIndex) => ReplicaIndex | undefined

export class ClusterView {
  readonly genesis: Genesis
  /** Those in office. */
  members: readonly ReplicaIndex[] = []
  private own: EpochChain
  private readonly addresses = new Map<MemberId, readonly string[]>()

  constructor(genesis: Genesis, chain: EpochChain) {
    this.genesis = genesis
    this.own = chain
    for (const [i, { id }] of chain.upTo(0).last.charter.members.entries()) {
      this.addresses.set(id, genesis.members[i]?.addresses ?? [])
    }
    this.count()
  }

  get chain(): EpochChain {
    return this.own
  }

  /** The one in office, as far as is known. */
  get epoch(): EpochContext {
    return this.own.last
  }

  get membership(): Membership {
    return this.epoch.membership
  }

  get parameters(): Parameters {
    return this.epoch.charter.parameters
  }

  member(replica: ReplicaIndex): CharterMember | undefined {
    return this.epoch.charter.members[replica]
  }

  /** Where the member with this id stands. */
  positionOf(id: MemberId): ReplicaIndex | undefined {
    return this.members.find((replica) => this.member(replica)?.id === id)
  }

  /** Where members are reached, by their ids. */
  get whereabouts(): ReadonlyMap<MemberId, readonly string[]> {
    return this.addresses
  }

  addressesOf(replica: ReplicaIndex): readonly string[] {
    const id = this.member(replica)?.id
    return (id === undefined ? undefined : this.addresses.get(id)) ?? []
  }

  /** Those who are in office are reached there; false where that was known. */
  reach(found: ReadonlyMap<MemberId, readonly string[]>): boolean {
    let changed = false
    for (const [id, addresses] of found) {
      if (this.addresses.get(id)?.join() === addresses.join()) continue
      this.addresses.set(id, addresses)
      changed = true
    }
    return changed
  }

  /** Where everybody is reached who is in office in the last epoch of `chain`. */
  rosterOf(chain: EpochChain): readonly RosterEntry[] {
    return chain.last.charter.members.map(({ id, transportKey }) => ({
      peerId: peerIdOf(transportKey),
      addresses: this.addresses.get(id) ?? [],
    }))
  }

  /** Goes on to a chain that begins with the one it has. */
  follow(chain: EpochChain): Moves {
    const before = this.epoch.charter.members
    this.own = chain
    this.count()
    return (replica) => {
      const id = before[replica]?.id
      return id === undefined ? undefined : this.positionOf(id)
    }
  }

  private count(): void {
    this.members = this.epoch.charter.members.map((_, index) => replicaIndex(index))
  }
}

/** What was kept by position, under the positions of now; what is of members that left goes. */
export function moveAll<Value>(kept: Map<ReplicaIndex, Value>, moves: Moves): void {
  const all = [...kept]
  kept.clear()
  for (const [before, value] of all) {
    const now = moves(before)
    if (now !== undefined) kept.set(now, value)
  }
}
