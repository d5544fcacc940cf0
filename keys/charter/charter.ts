// A charter: everything that is fixed for one epoch. That of epoch 0 is in the genesis; every later one is made by a change of
// the membership, stands in the state of the machine, and is named by the hand-over that a quorum of the epoch before signed.
//
// Addresses are not in it, since they may change within an epoch, and neither are clients, who are of the state alone.

import {
  type AdmittedKey,
  type Digest,
  type Epoch,
  epoch,
  type Member,
  type MemberId,
  memberId,
  type Slot,
  slot,
  ZERO_DIGEST,
} from '../../crypto/index.ts'
import type { Genesis, Parameters } from '../genesis/index.ts'

export interface CharterMember extends Member {
  /** In epoch 0 its position; never given out again, so that a member is told from the one that took its place. */
  readonly id: MemberId
  readonly transportKey: AdmittedKey
  /** The client who may replace this member and its keys without the admins. */
  readonly operator: AdmittedKey | undefined
}

export interface Charter {
  readonly epoch: Epoch
  /** The digest of the membership of the epoch before; {@link ZERO_DIGEST} in epoch 0. */
  readonly previous: Digest
  /** The last slot of the epoch before, 0 in epoch 0: this one's own slots are those above. */
  readonly start: Slot
  /** In the order of their replica indexes. */
  readonly members: readonly CharterMember[]
  readonly quorum: { readonly byzantine: number; readonly crash: number }
  readonly parameters: Parameters
  /** How many admins must agree on a change. */
  readonly admins: { readonly threshold: number }
}

/** The charter of epoch 0. */
export function genesisCharter({ contents, members, parameters, admins }: Genesis): Charter {
  return {
    epoch: epoch(0),
    previous: ZERO_DIGEST,
    start: slot(0),
    members: members.map(({ consensusKey, transportKey, operator }, i) => ({
      id: memberId(i),
      consensusKey,
      transportKey,
      operator,
    })),
    quorum: { byzantine: contents.quorum.byzantine, crash: contents.quorum.crash },
    parameters,
    admins: { threshold: admins.threshold },
  }
}

/** That an epoch ends: what the machine tells the core, and the core puts into the checkpoint of that slot. */
export interface Succession {
  /** The last slot of the epoch, after which `charter` is in office. */
  readonly lastSlot: Slot
  readonly charter: Charter
  /** The digest of the membership under `charter`. */
  readonly membership: Digest
}
