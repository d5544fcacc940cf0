// The epochs that a replica knows of, from the genesis on, and where its own keys stand in each.

import { equalBytes, type PublicKey, type ReplicaIndex, replicaIndex, type Signer } from '../../crypto/index.ts'
import { type CharterMember, genesisCharter } from '../../keys/charter/index.ts'
import type { Genesis } from '../../keys/index.ts'
import {
  type ChainFault,
  type ChainParts,
  EpochChain,
  type EpochContext,
  type HandOver,
  type StableCheckpoint,
} from '../consensus/index.ts'

/** An epoch of which this replica is a member. */
export interface Seat {
  readonly epoch: EpochContext
  readonly self: ReplicaIndex
  /** Its consensus key in this epoch. */
  readonly key: PublicKey
}

/** A seat, and what it signs with there. */
export interface Place extends Omit<Seat, 'key'> {
  readonly signer: Signer
}

export interface EpochsOptions {
  readonly genesis: Genesis
  /** Root of the state before the first entry. */
  readonly stateRoot: ChainParts['stateRoot']
  readonly verifier: ChainParts['verifier']
  readonly admit: ChainParts['admit']
  /** Of this replica: who it is, whatever the epoch. */
  readonly transportKey: PublicKey
}

export class Epochs {
  private known: EpochChain
  private readonly transportKey: PublicKey

  constructor({ genesis, transportKey, ...parts }: EpochsOptions) {
    const { clusterId, contents } = genesis
    this.known = EpochChain.genesis({
      ...parts,
      clusterId,
      clusterName: contents.name,
      charter: genesisCharter(genesis),
    })
    this.transportKey = transportKey
  }

  get chain(): EpochChain {
    return this.known
  }

  /** The number of the last one. */
  get newest(): number {
    return this.known.links.length
  }

  /** Takes a chain that goes on where the known one ends. */
  adopt(chain: EpochChain): void {
    if (chain.links.length > this.known.links.length) this.known = chain
  }

  /** Takes those of `links` that are news; the first that does not follow ends it, and its fault is returned. */
  follow(links: readonly HandOver[]): ChainFault | undefined {
    for (const link of links) {
      if (link.charter.epoch <= this.known.links.length) continue
      const longer = this.known.extend(link)
      if (!longer.ok) return longer.fault
      this.known = longer.value
    }
    return undefined
  }

  /** Undefined where this replica is no member in `epoch`. */
  seatIn(epoch: EpochContext): Seat | undefined {
    const index = epoch.charter.members.findIndex(({ transportKey }) => equalBytes(transportKey, this.transportKey))
    const member = epoch.charter.members[index]
    return member && { epoch, self: replicaIndex(index), key: member.consensusKey }
  }

  /** In the last epoch of which this replica is a member; undefined where there is none. */
  lastSeat(): Seat | undefined {
    for (const epoch of [...this.known.epochs].reverse()) {
      const seat = this.seatIn(epoch)
      if (seat !== undefined) return seat
    }
    return undefined
  }

  /** Members of the epoch before `epoch`; nobody before the first. */
  membersBefore({ charter: { epoch } }: EpochContext): readonly CharterMember[] {
    return this.known.epochs[epoch - 1]?.charter.members ?? []
  }

  /** True for the transport key of whoever was a member in any epoch up to the last. */
  wasMember(key: PublicKey): boolean {
    return this.known.epochs.some(({ charter }) => charter.members.some((each) => equalBytes(each.transportKey, key)))
  }

  /**
   * What a core holds as the start of its epoch carries no signatures; with those of the hand-over it is a checkpoint that everybody
   * can verify. Any other checkpoint is given back as it is.
   */
  signed(checkpoint: StableCheckpoint): StableCheckpoint {
    if (checkpoint.signatures.length > 0) return checkpoint
    return this.known.links.find((link) => link.checkpoint.slot === checkpoint.slot)?.checkpoint ?? checkpoint
  }
}
