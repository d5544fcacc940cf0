// The invariants of a run, I1 to I16; I12, liveness, is what the second phase of a simulation asks for.

import type { Digest } from '../../../crypto/index.ts'
import type { AuditContext } from '../../audit/verify/index.ts'
import { EpochChain, type Evidence, epochOfEvidence } from '../../consensus/index.ts'
import { kv } from '../../machine/index.ts'
import { parametersByEpoch } from '../cast.ts'
import { CLUSTER_NAME, type Group } from '../group.ts'
import type { Observer } from '../observer.ts'
import type { Scenario } from '../scenario.ts'
import type { Simulation } from '../simulation.ts'
import { AgreementCheck } from './agreement.ts'
import { AuditCheck } from './audit.ts'
import { BoundsCheck } from './bounds.ts'
import { CheckpointsCheck } from './checkpoints.ts'
import { EpochsCheck } from './epochs.ts'
import { EvidenceCheck } from './evidence.ts'
import { ExecutionCheck } from './execution.ts'
import { HistoryCheck } from './history.ts'
import { OwnWordCheck } from './own-word.ts'
import { PromisesCheck } from './promises.ts'
import { VotesCheck } from './votes.ts'

export { ForkBlamed, ForkCheck } from './forks.ts'
export { checkLinearizability, type LinearizabilityVerdict, SEARCH_LIMIT } from './linearizability.ts'
export { logOrderFault } from './log-order.ts'
export {
  AgreementCheck,
  AuditCheck,
  BoundsCheck,
  CheckpointsCheck,
  EpochsCheck,
  EvidenceCheck,
  ExecutionCheck,
  HistoryCheck,
  OwnWordCheck,
  PromisesCheck,
  VotesCheck,
}

/** One of each, for one run. */
export function allChecks(simulation: Simulation): readonly Observer[] {
  const { group, scenario, replicas, epochs } = simulation
  const { quorums } = group.membership
  const { verifier } = group.suite
  const clients = {
    clients: scenario.clients.length,
    requests: scenario.clients.reduce((sum, { outstanding }) => sum + outstanding, 0),
  }
  const parameters = parametersByEpoch(scenario)
  const isHonest = (identity: number) => simulation.isHonest(identity)
  const membershipOf = (digest: Digest) => epochs.of(digest)?.membership
  const judgeOf = (digest: Digest) => {
    const known = epochs.of(digest)
    const { voteVerifier = verifier } = known === undefined ? {} : epochs.verifies(known.charter.epoch)
    return known && { membership: known.membership, verifier: voteVerifier }
  }
  const accusedBy = (evidence: Evidence) => {
    const { charter } = epochOfEvidence(evidence, epochs.followed)
    return epochs.identityOf(charter.epoch, evidence.accused)
  }
  return [
    new AgreementCheck(judgeOf),
    new VotesCheck(membershipOf),
    new OwnWordCheck(replicas),
    new PromisesCheck(
      (digest) => membershipOf(digest)?.quorums ?? quorums,
      (digest) => simulation.liarsOf(epochs.of(digest)?.charter.epoch ?? 0),
    ),
    new ExecutionCheck((epoch) => ({ ...epochs.verifies(epoch), verifier })),
    new CheckpointsCheck(
      (slot) => epochs.at(slot).membership,
      CLUSTER_NAME,
      verifier,
      (slot) => epochs.links.some(({ checkpoint }) => checkpoint.slot === slot),
    ),
    new HistoryCheck(fairnessBoundUs(scenario)),
    new BoundsCheck(() => replicas, parameters, replicas.length, clients),
    new EvidenceCheck(isHonest, accusedBy),
    ...(scenario.changes.length === 0 ? [] : [new EpochsCheck(epochs)]),
    // Unsigned votes prove nothing to anybody.
    ...(parameters.every(({ signedVotes }) => signedVotes)
      ? [
          new AuditCheck(
            () => ({ ...auditOf(group), chain: epochs.followed }),
            (index, epoch) => isHonest(epochs.identityOf(epoch, index)),
          ),
        ]
      : []),
  ]
}

/** What an auditor has who knows the group, and verifies strictly whatever the replicas do. */
export function auditOf({ clients, cluster, context, suite: { verifier } }: Group): AuditContext {
  const { clusterId, name: clusterName, charter } = cluster
  const { admit, start } = context
  const chain = EpochChain.genesis({ clusterId, clusterName, charter, stateRoot: start.stateRoot, verifier, admit })
  return { genesis: { clients, cluster }, machine: kv, executes: verifier, chain }
}

/** With nothing wrong, a request waits for the batches before it and for one change of leader where those rotate. */
function fairnessBoundUs({ faults, liars, twins, changes, network, parameters, clients }: Scenario): number {
  const sound =
    faults.length + liars.length + changes.length + twins.length === 0 &&
    network.lossProbability === 0 &&
    network.slowProbability === 0
  if (!sound || clients.some(({ fault }) => fault !== undefined)) return Number.POSITIVE_INFINITY
  return 1000 * 20 * parameters.viewTimeoutMs
}
