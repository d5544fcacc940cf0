// The epochs of a run, as they were really handed over: whose are which slots and statements, and where the members are.

import { bytesKey, type Digest, type ReplicaIndex, replicaIndex } from '../../crypto/index.ts'
import { EpochChain, type EpochContext, type HandOver } from '../consensus/index.ts'
import { CLUSTER_NAME, type Group } from './group.ts'
import { Violation } from './observer.ts'

export class Epochs {
  private chain: EpochChain
  private readonly group: Group
  /** Where each consensus key is; a twin's second copy is elsewhere too. */
  private readonly addresses: ReadonlyMap<string, readonly number[]>
  /** By epoch and position. */
  private readonly places: (readonly (readonly number[])[])[] = []
  private readonly positions: (readonly ReplicaIndex[])[] = []

  constructor(group: Group, twins: readonly number[]) {
    const { context, cluster, suite, signers, candidates } = group
    const { clusterId, charter } = cluster
    this.group = group
    this.chain = EpochChain.genesis({
      ...{ clusterId, clusterName: CLUSTER_NAME, charter, stateRoot: context.start.stateRoot },
      ...{ verifier: suite.verifier, admit: context.admit },
    })
    const second = (index: number) => (twins.includes(index) ? [signers.length + twins.indexOf(index)] : [])
    this.addresses = new Map([
      ...signers.map((signer, i) => [bytesKey(signer.publicKey), [i, ...second(i)]] as const),
      ...candidates.map((signer, i) => [bytesKey(signer.publicKey), [signers.length + twins.length + i]] as const),
    ])
    this.place()
  }

  /** The number of the newest. */
  get newest(): number {
    return this.chain.links.length
  }

  get links(): readonly HandOver[] {
    return this.chain.links
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

  addressesOf(number: number, index: ReplicaIndex): readonly number[] {
    return this.placesIn(number)[index] ?? []
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

  /** What this replica verifies with in an epoch; by the group's verifiers, which may let unsigned votes pass. */
  verifies(number: number): Group['context'] {
    const { membership, charter, start } = this.context(number)
    return { ...this.group.context, membership, parameters: charter.parameters, start }
  }

  private placesIn(number: number): readonly (readonly number[])[] {
    return this.places[number] ?? []
  }

  private place(): void {
    const { members } = this.chain.last.charter
    this.positions.push(members.map((_, i) => replicaIndex(i)))
    this.places.push(members.map(({ consensusKey }) => this.addresses.get(bytesKey(consensusKey)) ?? []))
  }
}

const NOTHING = new Uint8Array(0)
