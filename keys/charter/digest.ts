// From a charter to the membership that statements name.
//
// A membership's digest covers its whole charter: directly in epoch 0, where the cluster id beside it in every statement is the
// hash of the genesis, and by `terms` in every later one. As a charter names the digest before its own, charters are a hash
// chain: who trusts one membership digest has, with the charters, every membership before it.

import { type Digest, type Membership, membership, quorumSystem, sha256 } from '../../crypto/index.ts'
import type { Charter } from './charter.ts'
import { encodeCharter } from './codec.ts'

/**
 * The membership under `charter`; of epoch 0, the genesis' own.
 * @throws {QuorumError} or {RangeError} for a charter in which `charterFaults` finds something.
 */
export function membershipOf(charter: Charter, clusterId: Digest): Membership {
  const { epoch, members, quorum } = charter
  const quorums = quorumSystem({ replicas: members.length, ...quorum })
  const terms = epoch === 0 ? undefined : sha256(encodeCharter(charter))
  return membership(clusterId, epoch, members, quorums, terms)
}
