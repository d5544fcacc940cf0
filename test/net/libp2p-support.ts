// Members and clients over real sockets on 127.0.0.1, at whatever ports the system gives.

import { replicaIndex } from '../../crypto/index.ts'
import {
  type ClientTransport,
  libp2pClientTransport,
  libp2pReplicaTransport,
  type NetLimits,
  type NetNotice,
  type ReplicaTransport,
} from '../../net/index.ts'
import { seedNamed } from '../keys/sample.ts'
import { GENESIS } from './support.ts'

export class Loopback {
  readonly #limits: Partial<NetLimits>
  readonly #replicas = new Map<number, ReplicaTransport>()
  readonly notices: NetNotice[] = []
  onNotice: (notice: NetNotice) => void = () => undefined

  constructor(limits: Partial<NetLimits> = {}) {
    this.#limits = { backoffMs: 20, backoffCapMs: 200, courtesyMs: 20, ...limits }
  }

  replica(index: number, changes: { listen?: readonly string[]; seed?: string } = {}): ReplicaTransport {
    const transport = libp2pReplicaTransport({
      genesis: GENESIS,
      self: replicaIndex(index),
      seed: seedNamed(changes.seed ?? `transport ${index}`),
      listen: changes.listen ?? ['/ip4/127.0.0.1/tcp/0'],
      addresses: (replica) => this.addressesOf(replica),
      limits: this.#limits,
      onNotice: (notice) => this.#notice(notice),
    })
    this.#replicas.set(index, transport)
    return transport
  }

  client(name: string): ClientTransport {
    return libp2pClientTransport({
      genesis: GENESIS,
      seed: seedNamed(name),
      addresses: (replica) => this.addressesOf(replica),
      limits: this.#limits,
      onNotice: (notice) => this.#notice(notice),
    })
  }

  /** Where a member listens now; may be replaced to lead others astray. */
  addressesOf: (replica: number) => readonly string[] = (replica) => this.#replicas.get(replica)?.addresses ?? []

  port(replica: number): number {
    return Number(this.#replicas.get(replica)?.addresses[0]?.split('/')[4])
  }

  #notice(notice: NetNotice): void {
    this.notices.push(notice)
    this.onNotice(notice)
  }
}
