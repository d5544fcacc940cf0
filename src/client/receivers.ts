// Who hears what comes over the links; and how all of them go over to the members of another epoch at once, so that none of them takes
// a word under the position of somebody else.

import { publicKey, type ReplicaIndex } from '../../crypto/index.ts'
import type { ClientTransport, ClientTransportHandlers } from '../../net/index.ts'
import type { EpochChain } from '../consensus/index.ts'
import { type Answer, decodeReplicaFrame } from '../wire/index.ts'
import type { Addresses } from './addresses.ts'
import type { ClusterView } from './cluster-view.ts'
import type { Counters } from './counters.ts'
import type { Follower } from './follower.ts'
import type { Pipeline } from './pipeline.ts'
import type { Proofs } from './proofs.ts'
import type { Questions } from './questions.ts'
import type { QuorumReads } from './quorum-reads.ts'
import type { StaleReads } from './stale-reads.ts'
import type { Watches } from './watch/watches.ts'

export interface ReceiversParts {
  readonly view: ClusterView
  readonly transport: ClientTransport
  readonly counters: Counters
  readonly pipeline: Pipeline
  readonly questions: Questions
  readonly direct: readonly QuorumReads[]
  readonly stale: StaleReads
  readonly proofs: Proofs
  readonly addresses: Addresses
  /** To be kept: the chain and the addresses. */
  readonly keep: () => void
  readonly watches: Watches
  readonly follower: Follower
}

export class Receivers {
  private readonly parts: ReceiversParts
  /** Links that came up while the positions were changing. */
  private arrived: Set<ReplicaIndex> | undefined

  constructor(parts: ReceiversParts) {
    this.parts = parts
  }

  get handlers(): ClientTransportHandlers {
    return {
      replicaFrame: (from, bytes) => this.take(from, bytes),
      replicaUp: (replica) => this.up(replica),
      replicaDown: (replica) => this.down(replica),
    }
  }

  /** Goes over to the last epoch of `chain`. */
  follow(chain: EpochChain): void {
    const { view, transport, counters, pipeline, questions, direct, stale, watches } = this.parts
    watches.leaveAll()
    const arrived = new Set<ReplicaIndex>()
    this.arrived = arrived
    // Those that left are down under the positions by which they are known so far.
    transport.update(view.rosterOf(chain))
    this.arrived = undefined
    counters.add('epochs-followed', chain.links.length - view.chain.links.length)
    const moves = view.follow(chain)
    this.parts.follower.moved()
    this.parts.proofs.moved()
    questions.moved(moves)
    stale.moved()
    pipeline.moved()
    for (const reads of direct) reads.moved()
    watches.moved(moves)
    for (const replica of arrived) this.up(replica)
    this.parts.addresses.moved()
    this.parts.keep()
  }

  /** The members are reached elsewhere. */
  readonly reach = (): void => {
    const { view, transport, keep } = this.parts
    transport.update(view.rosterOf(view.chain))
    keep()
  }

  private take(from: ReplicaIndex, bytes: Uint8Array): void {
    const { view, counters, pipeline, questions, direct, watches, follower } = this.parts
    if (!view.members.includes(from)) return counters.add('frame-foreign')
    const decoded = decodeReplicaFrame(bytes, (key) => view.epoch.verify.admit(publicKey(key)))
    if (!decoded.ok) return counters.add('frame-malformed')
    const frame = decoded.value
    switch (frame.kind) {
      case 'replies':
        return pipeline.replies(from, frame.replies)
      case 'refusal':
        return pipeline.refusal(from, frame.request, frame.code)
      case 'answer':
        if (epochIn(frame.answer) > view.epoch.charter.epoch) follower.hint()
        for (const reads of direct) {
          if (reads.owns(frame.id)) return reads.answer(from, frame.id, frame.last, frame.answer)
        }
        return questions.answer(from, frame.id, frame.last, frame.answer, bytes.length)
      case 'watched':
        return watches.take(from, frame.updates)
    }
  }

  private up(replica: ReplicaIndex): void {
    if (this.arrived !== undefined) {
      this.arrived.add(replica)
      return
    }
    const { pipeline, questions, direct, watches } = this.parts
    pipeline.replicaUp(replica)
    questions.replicaUp(replica)
    for (const reads of direct) reads.replicaUp(replica)
    watches.replicaUp(replica)
  }

  private down(replica: ReplicaIndex): void {
    const { pipeline, direct, watches } = this.parts
    pipeline.replicaDown(replica)
    for (const reads of direct) reads.replicaDown(replica)
    watches.replicaDown(replica)
  }
}

/** The epoch that it says it is of; 0 where it says nothing about that. */
function epochIn(answer: Answer): number {
  if (answer.kind === 'read') return answer.epoch
  return answer.kind === 'status' ? answer.status.epoch : 0
}
