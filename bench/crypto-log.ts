// The cases of the crypto suite about what is agreed: certificates, the log's Merkle tree, checkpoint notes.

import {
  appendLeaf,
  assembleCertificate,
  assembleStableCheckpoint,
  type Certificate,
  checkpointOf,
  checkpointText,
  consistencyProof,
  digest,
  EMPTY_FRONTIER,
  epoch,
  inclusionProof,
  largestByzantine,
  leafHash,
  type Membership,
  membership,
  merkleTree,
  portableVerifier,
  publicKey,
  quorumSystem,
  replicaIndex,
  type SignatureVerifier,
  type Signer,
  signVote,
  slot,
  utf8,
  verifyCertificate,
  verifyConsistency,
  verifyInclusion,
  verifyStableCheckpoint,
  view,
  ZERO_DIGEST,
} from '../crypto/index.ts'
import { nativeSigner, nativeVerifier } from '../keys/native/index.ts'
import { type Group, requireHeld } from './measure.ts'

interface Cluster {
  readonly members: Membership
  readonly signers: readonly Signer[]
}

const CLUSTER_NAME = 'bench'
const SOME_DIGEST = digest(new Uint8Array(32).fill(2))

/** An accept certificate with exactly q signatures, in a group of `replicas` that bears as many liars as it can. */
export function certificateCases(replicas: number): Group {
  const group = cluster(replicas)
  const { members } = group
  const certificate = acceptCertificate(group)
  const call = (verifier: SignatureVerifier) => () =>
    requireHeld(verifyCertificate(certificate, { kind: 'accept' }, members, verifier).ok)
  const what = `certificate, n = ${replicas}, q = ${members.quorums.quorum}`
  return [
    { name: `${what}, native`, unit: 'us', operations: 1, call: call(nativeVerifier) },
    { name: `${what}, portable`, unit: 'us', operations: 1, call: call(portableVerifier) },
  ]
}

/** The note of a stable checkpoint with exactly q signature lines, read and verified. */
export function checkpointCases(replicas: number): Group {
  const group = cluster(replicas)
  const { members } = group
  const note = stableCheckpoint(group)
  const call = (verifier: SignatureVerifier) => () =>
    requireHeld(verifyStableCheckpoint(note, members, CLUSTER_NAME, verifier).ok)
  const what = `checkpoint note, n = ${replicas}, q = ${members.quorums.quorum}`
  return [
    { name: `${what}, native`, unit: 'us', operations: 1, call: call(nativeVerifier) },
    { name: `${what}, portable`, unit: 'us', operations: 1, call: call(portableVerifier) },
  ]
}

/** The log of `size` entries: appending to it, and the proofs about its middle. */
export function merkleCases(size: number): Group[] {
  const leaves = Array.from({ length: 1024 }, (_, i) => leafHash(Uint8Array.of(i >> 8, i)))
  const leafAt = (index: number) => leaves[index % leaves.length] ?? ZERO_DIGEST
  const filled = (tree = merkleTree()) => {
    for (let i = 0; i < size; i++) tree.append(leafAt(i))
    return tree
  }
  const tree = filled()
  let frontier = EMPTY_FRONTIER
  for (let i = 0; i < size; i++) frontier = appendLeaf(frontier, leafAt(i))

  const [index, oldSize, root] = [Math.floor(size / 3), Math.floor((2 * size) / 3), tree.root()]
  const inclusion = inclusionProof(tree.read, index, size)
  const consistency = consistencyProof(tree.read, oldSize, size)
  const included = { leaf: leafAt(index), index, size, root }
  const consistent = { oldSize, oldRoot: tree.root(oldSize), newSize: size, newRoot: root }
  return [
    [
      { name: 'tree: append a leaf', unit: 'us', operations: size, call: () => filled() },
      {
        name: 'frontier: append a leaf',
        unit: 'us',
        operations: 1,
        call: () => {
          frontier = appendLeaf(frontier, leafAt(frontier.size))
        },
      },
    ],
    [
      {
        name: 'make an inclusion proof',
        unit: 'us',
        operations: 1,
        call: () => inclusionProof(tree.read, index, size),
      },
      {
        name: 'verify an inclusion proof',
        unit: 'us',
        operations: 1,
        call: () => requireHeld(verifyInclusion(included, inclusion)),
      },
      {
        name: 'make a consistency proof',
        unit: 'us',
        operations: 1,
        call: () => consistencyProof(tree.read, oldSize, size),
      },
      {
        name: 'verify a consistency proof',
        unit: 'us',
        operations: 1,
        call: () => requireHeld(verifyConsistency(consistent, consistency)),
      },
    ],
  ]
}

/** A group that bears as many liars as it can. */
function cluster(replicas: number): Cluster {
  const quorums = quorumSystem({ replicas, byzantine: largestByzantine(replicas), crash: 0 })
  const signers = Array.from({ length: replicas }, (_, i) => nativeSigner(new Uint8Array(32).fill(i + 1)))
  const keys = signers.map(({ publicKey: key }) => ({ consensusKey: key, transportKey: publicKey(key) }))
  return { members: membership(SOME_DIGEST, epoch(0), keys, quorums), signers }
}

function acceptCertificate({ members, signers }: Cluster): Certificate {
  const statement = {
    kind: 'accept' as const,
    clusterId: members.clusterId,
    membership: members.digest,
    view: view(0),
    justification: ZERO_DIGEST,
    slot: slot(1),
    digest: SOME_DIGEST,
  }
  const votes = signers.map((signer, i) => signVote(statement, replicaIndex(i), signer))
  const certificate = assembleCertificate(statement, votes, members)
  if (certificate === undefined) throw new Error('the votes made no certificate')
  return certificate
}

function stableCheckpoint({ members, signers }: Cluster): Uint8Array {
  const content = { slot: slot(1_000_000), logRoot: SOME_DIGEST, stateRoot: SOME_DIGEST }
  const text = utf8(checkpointText(checkpointOf(content, members, CLUSTER_NAME)))
  const signatures = signers.map((signer, i) => ({ replica: replicaIndex(i), signature: signer.sign(text) }))
  const assembled = assembleStableCheckpoint(content, signatures, members, CLUSTER_NAME, nativeVerifier)
  if (!assembled.ok) throw new Error('the signatures made no stable checkpoint')
  return assembled.value.stable.note
}
