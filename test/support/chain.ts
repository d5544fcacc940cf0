// Epochs that are handed over by hand: who the members are is said by the numbers of their keys, and anybody may sign.

import {
  admitKey,
  epoch,
  memberId,
  publicKey,
  replicaIndex,
  type SignatureVerifier,
  type Signer,
  slot,
  ZERO_DIGEST,
} from '../../crypto/index.ts'
import { type Charter, membershipOf } from '../../keys/charter/index.ts'
import { DEFAULT_PARAMETERS } from '../../keys/genesis/index.ts'
import { nativeSigner, nativeVerifier } from '../../keys/native/index.ts'
import {
  type ChainParts,
  checkpointBytes,
  type EpochContext,
  type HandOver,
  type StableCheckpoint,
} from '../../src/consensus/index.ts'
import { bytesFor } from './cluster.ts'

const CLUSTER_NAME = 'test'
const signers = new Map<number, Signer>()

/** Holds the consensus key of this number. */
export function signerOf(key: number): Signer {
  const signer = signers.get(key) ?? nativeSigner(bytesFor(`consensus ${key}`))
  signers.set(key, signer)
  return signer
}

export function membersOf(keys: readonly number[]): Charter['members'] {
  return keys.map((key) => ({
    id: memberId(key),
    consensusKey: signerOf(key).publicKey,
    transportKey: nativeSigner(bytesFor(`transport ${key}`)).publicKey,
    operator: undefined,
  }))
}

/** A cluster whose first epoch has these keys, of which one may lie. */
export function chainParts(keys: readonly number[], verifier: SignatureVerifier = nativeVerifier): ChainParts {
  const charter: Charter = {
    epoch: epoch(0),
    previous: ZERO_DIGEST,
    start: slot(0),
    members: membersOf(keys),
    quorum: { byzantine: 1, crash: 0 },
    parameters: DEFAULT_PARAMETERS,
    admins: { threshold: 1 },
  }
  return {
    clusterId: bytesFor('cluster test'),
    clusterName: CLUSTER_NAME,
    charter,
    stateRoot: bytesFor('genesis state'),
    verifier,
    admit: (key) => admitKey(publicKey(key)),
  }
}

/** The charter that may follow `before`, with these keys, from `start` on. */
export function charterAfter(before: EpochContext, keys: readonly number[], start: number): Charter {
  const { charter, membership } = before
  const next = { epoch: epoch(charter.epoch + 1), previous: membership.digest, start: slot(start) }
  return { ...charter, ...next, members: membersOf(keys) }
}

/** The hand-over to `charter`, where `by` signs as members of the epoch before: by position, with these keys. */
export function handOver(
  before: EpochContext,
  charter: Charter,
  by: readonly (readonly [position: number, key: number])[],
  change: Partial<StableCheckpoint> = {},
): HandOver {
  const content = {
    slot: charter.start,
    logRoot: bytesFor(`log ${charter.start}`),
    stateRoot: bytesFor(`state ${charter.start}`),
    next: 'next' in change ? change.next : membershipOf(charter, before.membership.clusterId).digest,
    ...change,
  }
  const bytes = checkpointBytes(content, before.membership, CLUSTER_NAME)
  const signatures = by.map(([position, key]) => ({
    replica: replicaIndex(position),
    signature: signerOf(key).sign(bytes),
  }))
  return { checkpoint: { signatures, ...content }, charter }
}
