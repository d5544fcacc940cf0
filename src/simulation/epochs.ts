// The epochs of a run, as they were really handed over: whose are which slots and statements, and where the members are.

import { bytesKey, type Digest, type ReplicaIndex, replicaIndex } from '../../crypto/index.ts'
import {
  EpochChain,
  type EpochContext,
  type HandOver,
  type Mutation,
  replicaVerifiers,
  type VerifyContext,
} from '../consensus/index.ts'
import { membersByEpoch } from './cast.ts'
import { coreMutations } from './core.ts'
import { CLUSTER_NAME, type Group } from './group.ts'
import { Violation } from './observer.ts'
import type { Scenario } from './scenario.ts'

export class Epochs {
  private chain: EpochChain
  private readonly group: Group
  /** Where each consensus key is; a twin's second copy is elsewhere too. */
  private readonly addresses: ReadonlyMap<string, readonly number[]>
  /** By epoch and position. */
  private readonly places: (readonly (readonly number[])[])[] = []
  private readonly positions: (readonly ReplicaIndex[])[] = []
  /** By epoch: the chain as long as it was then. */
  private readonly chains: EpochChain[] = []
  /** What replicas, joiners and clients do wrong when they follow a chain. */
  private readonly mutations: ReadonlySet<Mutation>
  /** Identities by epoch, as far as there are to be any; those are addresses, since only a cluster without changes has twins. */
  private readonly planned: readonly (readonly number[])[]

  constructor(group: Group, { twins, ...scenario }: Pick<Scenario, 'group' | 'twins' | 'changes' | 'defects'>) {
    this.mutations = coreMutations(new Set(scenario.defects))
    this.planned = membersByEpoch(scenario)
    const { context, cluster, suite, cast } = group
    const first = cluster.charter.members.length
    const { clusterId, charter } = cluster
    this.group = group
    this.chain = EpochChain.genesis({
      ...{ clusterId, clusterName: CLUSTER_NAME, charter, stateRoot: context.start.stateRoot },
      ...{ verifier: suite.verifier, admit: context.admit },
    })
    const second = (index: number) => (twins.includes(index) ? [first + twins.indexOf(index)] : [])
    this.addresses = new Map(
      cast.all.map(({ identity, signer }) => {
        const at = identity < first ? [identity, ...second(identity)] : [identity + twins.length]
        return [bytesKey(signer.publicKey), at]
      }),
    )
    this.place()
  }

  /** The number of the newest. */
  get newest(): number {
    return this.chain.links.length
  }

  get links(): readonly HandOver[] {
    return this.chain.links
  }

  /** What an auditor goes by who has followed all of them. */
  get followed(): EpochChain {
    return this.chain
  }

  /** An honest replica has this on its disk. */
  handOver(link: HandOver): void {
    const known = this.chain.links[link.charter.epoch - 1]
    if (known !== undefined) {
      if (bytesKey(known.checkpoint.next ?? NOTHING) === bytesKey(link.checkpoint.next ?? NOTHING)) return
      throw new Violation('I15 one hand-over', `epoch ${link.charter.epoch} was begun twice, by different hand-overs`)
    }
    const longer = this.chain.extend(link)
    if (!longer.ok) throw new Violation('I15 one hand-over', `one that an honest replica took: ${longer.fault.code}`)
    this.chain = longer.value
    this.place()
  }

  context(number: number): EpochContext {
    const link = this.chain.links[number]
    return link === undefined ? this.chain.last : this.chain.at(link.checkpoint.slot)
  }

  /** Whose statements name this membership. */
  of(membership: Digest): EpochContext | undefined {
    const { last } = this.chain
    // Simulated messages are never copied, and most are of the newest epoch.
    return membership === last.membership.digest ? last : this.chain.of(membership)
  }

  /** The epoch that decides this slot. */
  at: EpochChain['at'] = (slot) => this.chain.at(slot)

  /** The positions of the members of an epoch. */
  members(number: number): readonly ReplicaIndex[] {
    return this.positions[number] ?? []
  }

  /** Of everybody who was ever a member. */
  get everybody(): readonly number[] {
    return [...new Set(this.places.flat(2))]
  }

  addressesOf(number: number, index: ReplicaIndex): readonly number[] {
    return this.placesIn(number)[index] ?? []
  }

  /** Who is a member of an epoch by this position. @throws {Error} where nobody is. */
  identityOf(number: number, index: ReplicaIndex): number {
    const member = this.context(number).membership.members[index]
    if (member === undefined) throw new Error(`epoch ${number} has no member ${index}`)
    return this.group.cast.of(member.consensusKey).identity
  }

  /** The position in an epoch of who is at this address; undefined for those who are no members of it. */
  positionOf(number: number, address: number): ReplicaIndex | undefined {
    const position = this.placesIn(number).findIndex((each) => each.includes(address))
    return position < 0 ? undefined : replicaIndex(position)
  }

  /** The last epoch up to this one of which who is at this address is a member, and its position there. */
  lastPlaceOf(address: number, number: number): { readonly epoch: number; readonly index: ReplicaIndex } | undefined {
    for (let epoch = number; epoch >= 0; epoch--) {
      const index = this.positionOf(epoch, address)
      if (index !== undefined) return { epoch, index }
    }
    return undefined
  }

  /** What replicas verify with in an epoch; strictly, but that where votes are unsigned those of channels pass. */
  verifies(number: number): VerifyContext {
    const { charter, verify } = this.context(number)
    return { ...verify, lastSlot: undefined, ...replicaVerifiers(charter.parameters, this.group.suite.verifier) }
  }

  /** The reason for which who is in this epoch does not follow these links; undefined where they lead on from it. */
  fault(number: number, links: readonly HandOver[]): string | undefined {
    let chain = (this.chains[number] ?? this.chain).judgedBy({ mutations: this.mutations })
    for (const link of links) {
      const longer = chain.extend(link)
      if (!longer.ok) return longer.fault.code
      chain = longer.value
    }
    return undefined
  }

  private placesIn(number: number): readonly (readonly number[])[] {
    // A liar speaks in the next epoch before anybody has begun it.
    return this.places[number] ?? this.planned[number]?.map((address) => [address]) ?? []
  }

  private place(): void {
    this.chains.push(this.chain)
    const { members } = this.chain.last.charter
    this.positions.push(members.map((_, i) => replicaIndex(i)))
    this.places.push(members.map(({ consensusKey }) => this.addresses.get(bytesKey(consensusKey)) ?? []))
  }
}

const NOTHING = new Uint8Array(0)
