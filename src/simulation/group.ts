// Who takes part in a simulated cluster: its membership, keys, clients, and what everybody knows at the start.

import {
  type AdmittedKey,
  admitKey,
  assembleCertificate,
  bytesKey,
  epoch,
  type Member,
  type Membership,
  memberId,
  membership,
  type PublicKey,
  type QuorumSystem,
  quorumSystem,
  replicaIndex,
  type Signer,
  type Slot,
  sha256,
  signVote,
  slot as slotOf,
  utf8,
  view,
  ZERO_DIGEST,
} from '../../crypto/index.ts'
import { DEFAULT_PARAMETERS, type GenesisClient } from '../../keys/genesis/index.ts'
import { batchEntry, type ChosenEntry, genesisStart, replicaVerifiers, type VerifyContext } from '../consensus/index.ts'
import { createExecutor, type Executor, type Founding, kv } from '../machine/index.ts'
import { Cast } from './cast.ts'
import type { Scenario } from './scenario.ts'
import type { SignatureSuite } from './signatures.ts'

export const CLUSTER_NAME = 'simulated'

export interface Group {
  readonly membership: Membership
  readonly suite: SignatureSuite
  /** Who is ever a member. */
  readonly cast: Cast
  /** Asks for the changes of the membership, where there are any. */
  readonly admin: Signer
  /** By client. */
  readonly clientSigners: readonly Signer[]
  /** Those of the genesis. */
  readonly clients: readonly GenesisClient[]
  /** What the state begins with, beside them. */
  readonly cluster: Founding
  readonly context: VerifyContext
  /** What the same replicas decided for a slot in another cluster, where they have the same keys. */
  elsewhere(slot: Slot): ChosenEntry
  /** The client of this key, if it is one. */
  clientOf(key: Uint8Array): number | undefined
  /** The machine before the first entry. */
  machine(): Executor
}

export function groupOf(scenario: Scenario, suite: SignatureSuite): Group {
  const quorums = quorumSystem(scenario.group)
  const cast = new Cast(scenario, suite)
  const signers = Array.from({ length: quorums.replicas }, (_, i) => cast.signer(i))
  const admin = suite.signer('admin')
  const members = signers.map((signer, i) => ({
    consensusKey: signer.publicKey,
    transportKey: cast.transport(i).publicKey,
  }))
  const clusterId = sha256(utf8(`simulated cluster ${scenario.seed}`))
  const members0 = membership(clusterId, epoch(0), members, quorums)
  const clientSigners = scenario.clients.map((_, i) => suite.signer(`client ${i}`))
  const clients: GenesisClient[] = clientSigners.map(
    ({ publicKey: key }, i): GenesisClient => ({
      name: `client-${i}`,
      key,
      role: 'writer',
    }),
  )
  if (scenario.changes.length > 0) clients.push({ name: 'admin', key: admin.publicKey, role: 'admin' })
  const numbers = new Map(clientSigners.map(({ publicKey: key }, i) => [bytesKey(key), i]))
  const cluster: Founding = {
    ...{ clusterId, name: CLUSTER_NAME },
    charter: {
      ...{ epoch: epoch(0), previous: ZERO_DIGEST, start: slotOf(0) },
      members: members.map((member, i) => ({ id: memberId(i), operator: undefined, ...member })),
      quorum: { byzantine: quorums.byzantine, crash: quorums.crash },
      parameters: { ...DEFAULT_PARAMETERS, ...scenario.parameters },
      admins: { threshold: 1 },
    },
    addresses: members.map(() => []),
  }
  const machine = () => createExecutor({ machine: kv, clients, cluster, verifier: suite.verifier })
  return {
    membership: members0,
    suite,
    cast,
    admin,
    clientSigners,
    clients,
    cluster,
    elsewhere: decidedElsewhere(members, signers, quorums),
    clientOf: (key) => numbers.get(bytesKey(key)),
    machine,
    context: {
      membership: members0,
      clusterName: CLUSTER_NAME,
      parameters: scenario.parameters,
      start: genesisStart(machine().stateRoot()),
      ...replicaVerifiers(scenario.parameters, suite.verifier),
      admit: admission([...clientSigners, admin]),
    },
  }
}

function decidedElsewhere(members: readonly Member[], signers: readonly Signer[], quorums: QuorumSystem) {
  const there = membership(sha256(utf8('simulated cluster elsewhere')), epoch(0), members, quorums)
  return (slot: Slot): ChosenEntry => {
    const entry = batchEntry(slot, there.epoch, 1, [])
    const { clusterId, digest } = there
    const basis = { clusterId, membership: digest, view: view(0), justification: ZERO_DIGEST }
    const statement = { kind: 'accept', ...basis, slot, digest: entry.digest } as const
    const votes = signers.map((signer, i) => signVote(statement, replicaIndex(i), signer))
    const certificate = assembleCertificate(statement, votes, there)
    if (certificate === undefined) throw new Error('all replicas are no quorum')
    return { entry, certificate }
  }
}

/** Keys of the group are admitted from the start; a stranger's is when it comes, which costs milliseconds. */
function admission(signers: readonly Signer[]): (key: PublicKey) => AdmittedKey | undefined {
  const known = new Map<string, AdmittedKey | undefined>(
    signers.map(({ publicKey: key }) => [bytesKey(key), key] as const),
  )
  const byObject = new WeakMap<PublicKey, AdmittedKey>(signers.map(({ publicKey: key }) => [key, key] as const))
  return (key) => {
    const quick = byObject.get(key)
    if (quick !== undefined) return quick
    const text = bytesKey(key)
    if (!known.has(text)) known.set(text, admitKey(key))
    return known.get(text)
  }
}
