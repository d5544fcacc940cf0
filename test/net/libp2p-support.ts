// Members and clients over real sockets on 127.0.0.1, at whatever ports the system gives.

import { replicaIndex } from '../../crypto/index.ts'
import {
  type ClientTransport,
  libp2pClientTransport,
  libp2pReplicaTransport,
  type NetLimits,
  type NetNotice,
  type ReplicaTransport,
  type RosterEntry,
} from '../../net/index.ts'
import { seedNamed } from '../keys/sample.ts'
import { GENESIS, rosterOf } from './support.ts'

/** All that a test may make; see {@link rosterOf}. */
const ENDS = rosterOf(0, 1, 2, 3, 4, 5, 6)

function endOf(peerId: string): number {
  return ENDS.findIndex((end) => end.peerId === peerId)
}

interface ReplicaChanges {
  readonly listen?: readonly string[]
  readonly seed?: string
  readonly roster?: readonly RosterEntry[]
}

export class Loopback {
  readonly #limits: Partial<NetLimits>
  readonly #replicas = new Map<number, ReplicaTransport>()
  readonly notices: NetNotice[] = []
  onNotice: (notice: NetNotice) => void = () => undefined

  constructor(limits: Partial<NetLimits> = {}) {
    this.#limits = { backoffMs: 20, backoffCapMs: 200, courtesyMs: 20, ...limits }
  }

  /** The end called `index`, which is its place in `roster` where that is the genesis'. */
  replica(index: number, changes: ReplicaChanges = {}): ReplicaTransport {
    const { roster = GENESIS.members } = changes
    const transport = libp2pReplicaTransport({
      clusterId: GENESIS.clusterId,
      roster,
      self: replicaIndex(roster.findIndex(({ peerId }) => endOf(peerId) === index)),
      seed: seedNamed(changes.seed ?? `transport ${index}`),
      listen: changes.listen ?? ['/ip4/127.0.0.1/tcp/0'],
      addresses: (entry) => this.#dialled(entry),
      limits: this.#limits,
      onNotice: (notice) => this.#notice(notice),
    })
    this.#replicas.set(index, transport)
    return transport
  }

  client(name: string): ClientTransport {
    return libp2pClientTransport({
      clusterId: GENESIS.clusterId,
      roster: GENESIS.members,
      seed: seedNamed(name),
      addresses: (entry) => this.#dialled(entry),
      limits: this.#limits,
      onNotice: (notice) => this.#notice(notice),
    })
  }

  /** Where a member listens now; may be replaced to lead others astray. */
  addressesOf: (replica: number) => readonly string[] = (replica) => this.#replicas.get(replica)?.addresses ?? []

  port(replica: number): number {
    return Number(this.#replicas.get(replica)?.addresses[0]?.split('/')[4])
  }

  #dialled({ peerId }: RosterEntry): readonly string[] {
    return this.addressesOf(endOf(peerId))
  }

  #notice(notice: NetNotice): void {
    this.notices.push(notice)
    this.onNotice(notice)
  }
}
