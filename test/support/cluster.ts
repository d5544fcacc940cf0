// Small clusters with fixed keys for the tests of crypto/ and above.

import {
  type Digest,
  digest,
  epoch,
  type Membership,
  membership,
  publicKey,
  type QuorumSystem,
  quorumSystem,
  replicaIndex,
  type SignatureVerifier,
  type Signer,
  sha256,
  signVote,
  slot,
  utf8,
  type Verified,
  type Vote,
  type VoteStatement,
  view,
  ZERO_DIGEST,
} from '../../crypto/index.ts'
import { nativeSigner, nativeVerifier } from '../../keys/native/index.ts'

export interface TestCluster {
  readonly membership: Membership
  readonly quorums: QuorumSystem
  readonly signers: readonly Signer[]
  readonly verifier: SignatureVerifier
  /** A statement of this cluster: prepare at view 0, slot 1, unless told otherwise. */
  statement(change?: Partial<VoteStatement>): VoteStatement
  vote(replica: number, change?: Partial<VoteStatement>): Verified<Vote>
}

/** Reproducible 32 bytes for a label. */
export function bytesFor(label: string): Digest {
  return sha256(utf8(label))
}

export function testCluster(
  options: { replicas?: number; byzantine?: number; crash?: number; name?: string; epoch?: number } = {},
): TestCluster {
  const { replicas = 4, byzantine = 1, crash = 0, name = 'test', epoch: epochNumber = 0 } = options
  const quorums = quorumSystem({ replicas, byzantine, crash })
  const signers = Array.from({ length: replicas }, (_, i) => nativeSigner(bytesFor(`consensus ${i}`)))
  const members = signers.map((signer, i) => ({
    consensusKey: signer.publicKey,
    transportKey: publicKey(bytesFor(`transport ${i}`)),
  }))
  const clusterMembership = membership(digest(bytesFor(`cluster ${name}`)), epoch(epochNumber), members, quorums)
  const statement = (change: Partial<VoteStatement> = {}): VoteStatement => ({
    kind: 'prepare',
    clusterId: clusterMembership.clusterId,
    membership: clusterMembership.digest,
    view: view(0),
    justification: ZERO_DIGEST,
    slot: slot(1),
    digest: bytesFor('value'),
    ...change,
  })
  return {
    membership: clusterMembership,
    quorums,
    signers,
    verifier: nativeVerifier,
    statement,
    vote(replica, change) {
      const signer = signers[replica]
      if (signer === undefined) throw new RangeError(`replica: expected one below ${replicas}, got ${replica}`)
      return signVote(statement(change), replicaIndex(replica), signer)
    },
  }
}
