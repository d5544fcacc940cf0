// Who may vote in an epoch, and the 32 bytes by which every statement names that.

import type { Digest, Epoch, ReplicaIndex, View } from './brands.ts'
import { type PublicKey, replicaIndex } from './brands.ts'
import { concatBytes, hex, utf8, writeU32, writeU64 } from './bytes.ts'
import { sha256 } from './digest.ts'
import { type AdmittedKey, SIGNATURE_RULE } from './ed25519.ts'
import type { QuorumSystem } from './quorum.ts'

export interface Member {
  /** Signs votes, checkpoint notes and receipts. */
  readonly consensusKey: AdmittedKey
  /** The libp2p identity; signs Noise handshakes and nothing of ours. */
  readonly transportKey: PublicKey
}

export interface Membership {
  /** Hash of the canonical genesis. */
  readonly clusterId: Digest
  readonly epoch: Epoch
  /** In the order of their indexes. */
  readonly members: readonly Member[]
  readonly quorums: QuorumSystem
  /** Names all of the above but the cluster; inside every statement. */
  readonly digest: Digest
}

const DOMAIN = utf8('\x1equorate-members-v1')
const DOMAIN_WITH_TERMS = utf8('\x1equorate-members-v2')

/**
 * The membership of one epoch, with its digest. `terms` is a hash of whatever else is fixed for the epoch (keys/charter), so
 * that every statement names that as well; epoch 0 has none, since the cluster id covers the genesis as a whole.
 * @throws {RangeError} where the number of members is not that of the quorum system, or two members share a key: one
 * signer would then count twice in every certificate. Also for terms of epoch 0, which would have two digests.
 */
export function membership(
  clusterId: Digest,
  epoch: Epoch,
  members: readonly Member[],
  quorums: QuorumSystem,
  terms?: Digest,
): Membership {
  if (members.length !== quorums.replicas) {
    throw new RangeError(`members: expected ${quorums.replicas} for this quorum system, got ${members.length}`)
  }
  const keys = new Set(members.map((member) => hex(member.consensusKey)))
  if (keys.size !== members.length) throw new RangeError('members: expected distinct consensus keys, got one twice')
  if (terms !== undefined && epoch === 0) throw new RangeError('terms: expected none in epoch 0, got some')
  return Object.freeze({ clusterId, epoch, members, quorums, digest: membershipDigest(epoch, members, quorums, terms) })
}

/** The leader of `view`: a pure function of the two, so that evidence stays checkable offline (pitfall P32). */
export function leaderOf(membership: Membership, view: View): ReplicaIndex {
  return replicaIndex(view % membership.quorums.replicas)
}

/**
 * SHA-256 over: domain, epoch (u64), n, b, c (u32 each), mode (one byte: 0 crash, 1 Byzantine), rule (length u32, text),
 * then per member the consensus key and the transport key, then the terms where there are any, which the domain tells.
 * Addresses are left out: they may change within an epoch.
 */
function membershipDigest(
  epoch: Epoch,
  members: readonly Member[],
  quorums: QuorumSystem,
  terms: Digest | undefined,
): Digest {
  const rule = utf8(SIGNATURE_RULE)
  const head = new Uint8Array(8 + 4 + 4 + 4 + 1 + 4)
  writeU64(head, 0, epoch)
  writeU32(head, 8, quorums.replicas)
  writeU32(head, 12, quorums.byzantine)
  writeU32(head, 16, quorums.crash)
  head[20] = quorums.crashMode ? 0 : 1
  writeU32(head, 21, rule.length)
  const keys = members.flatMap((member) => [member.consensusKey, member.transportKey])
  if (terms === undefined) return sha256(concatBytes(DOMAIN, head, rule, ...keys))
  return sha256(concatBytes(DOMAIN_WITH_TERMS, head, rule, ...keys, terms))
}
