// Whom a client deals with: the chain of epochs as far as it was followed, and of its last epoch the members, where they are reached,
// and the parameters. Everything that is of one epoch is asked for here when it is needed, and kept nowhere else.

import { type Membership, type ReplicaIndex, replicaIndex, type SignatureVerifier } from '../../crypto/index.ts'
import { type Genesis, type Parameters, peerIdOf } from '../../keys/index.ts'
import type { RosterEntry } from '../../net/index.ts'
import { auditContext } from '../audit/verify/index.ts'
import type { EpochChain, EpochContext } from '../consensus/index.ts'

export class ClusterView {
  readonly genesis: Genesis
  readonly chain: EpochChain
  /** Those in office. */
  readonly members: readonly ReplicaIndex[]
  /** Where each of them is reached, by its index. */
  readonly roster: readonly RosterEntry[]

  constructor(genesis: Genesis, verifier: SignatureVerifier) {
    this.genesis = genesis
    this.chain = auditContext(genesis, verifier).chain
    const { members } = this.epoch.charter
    this.members = members.map((_, index) => replicaIndex(index))
    this.roster = members.map(({ transportKey }, index) => ({
      peerId: peerIdOf(transportKey),
      addresses: genesis.members[index]?.addresses ?? [],
    }))
  }

  /** The one in office, as far as is known. */
  get epoch(): EpochContext {
    return this.chain.last
  }

  get membership(): Membership {
    return this.epoch.membership
  }

  get parameters(): Parameters {
    return this.epoch.charter.parameters
  }
}
