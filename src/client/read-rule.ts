// Two ways to read from the state of replicas, without the log: what q replicas say alike, and in crash mode what a leader says alone.

import type { ReplicaIndex } from '../../crypto/index.ts'
import type { ClusterView } from './cluster-view.ts'
import type { Links } from './links.ts'

export interface ReadRule {
  readonly mode: 'quorum' | 'lease'
  /** Equal answers that settle a read. */
  need(): number
  /** Its questions are numbered from here on, to twice that; the numbers of other questions never get so far. */
  readonly firstId: number
  /** Whether it may be followed in the epoch in office. */
  applies(): boolean
  /** Whom to ask now. */
  targets(): readonly ReplicaIndex[]
  /** Replicas that may answer a read for which so many were asked. */
  voters(asked: number): number
  /** Who answered a read, or that nobody did. */
  settled(replica: ReplicaIndex | undefined): void
}

export function quorumRule(view: ClusterView, links: Links): ReadRule {
  return {
    ...{ mode: 'quorum', firstId: 2 ** 40 },
    need: () => view.membership.quorums.quorum,
    applies: () => true,
    targets: () => links.up(),
    voters: () => view.membership.quorums.replicas,
    settled: () => {},
  }
}

/** Nobody lies, so one answer is enough; whoever holds no lease says so at once. The one that had one is asked alone from then on. */
export function leaseRule(view: ClusterView, links: Links): ReadRule {
  let holder: ReplicaIndex | undefined
  return {
    ...{ mode: 'lease', firstId: 2 ** 41 },
    need: () => 1,
    applies: () => view.membership.quorums.crashMode,
    targets: () => (holder !== undefined && links.connected(holder) ? [holder] : links.up()),
    voters: (asked) => asked,
    settled(replica) {
      holder = replica
    },
  }
}
