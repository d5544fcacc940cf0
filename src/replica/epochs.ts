// The epochs that a replica knows of, from the genesis on, and where its own keys stand in each.

import { equalBytes, type PublicKey, type ReplicaIndex, replicaIndex, type Signer } from '../../crypto/index.ts'
import { genesisCharter } from '../../keys/charter/index.ts'
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
export interface Place {
  readonly epoch: EpochContext
  readonly self: ReplicaIndex
  readonly signer: Signer
}

export interface EpochsOptions {
  readonly genesis: Genesis
  /** Root of the state before the first entry. */
  readonly stateRoot: ChainParts['stateRoot']
  readonly verifier: ChainParts['verifier']
  readonly admit: ChainParts['admit']
  /** The consensus keys that this replica holds. */
  readonly signers: readonly Signer[]
}

export class Epochs {
  private known: EpochChain
  private readonly signers: readonly Signer[]

  constructor({ genesis, signers, ...parts }: EpochsOptions) {
    const { clusterId, contents } = genesis
    this.known = EpochChain.genesis({
      ...parts,
      clusterId,
      clusterName: contents.name,
      charter: genesisCharter(genesis),
    })
    this.signers = signers
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

  /** Undefined where no key of this replica is a member's in `epoch`. */
  placeIn(epoch: EpochContext): Place | undefined {
    for (const signer of this.signers) {
      const index = epoch.charter.members.findIndex(({ consensusKey }) => equalBytes(consensusKey, signer.publicKey))
      if (index >= 0) return { epoch, self: replicaIndex(index), signer }
    }
    return undefined
  }

  /** The last epoch with a place for this replica; undefined where there is none. */
  lastPlace(): Place | undefined {
    for (const epoch of [...this.known.epochs].reverse()) {
      const place = this.placeIn(epoch)
      if (place !== undefined) return place
    }
    return undefined
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
