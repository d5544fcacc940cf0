// The client's links to the replicas: frames out, and whom they reached.

import type { ReplicaIndex } from '../../crypto/index.ts'
import type { ClientTransport } from '../../net/index.ts'
import { type ClientFrame, encodeClientFrame } from '../wire/index.ts'
import type { ClusterView } from './cluster-view.ts'

export class Links {
  private readonly transport: ClientTransport
  private readonly view: ClusterView

  constructor(transport: ClientTransport, view: ClusterView) {
    this.transport = transport
    this.view = view
  }

  get members(): readonly ReplicaIndex[] {
    return this.view.members
  }

  connected(replica: ReplicaIndex): boolean {
    return this.transport.connected(replica)
  }

  up(): ReplicaIndex[] {
    return this.members.filter((replica) => this.connected(replica))
  }

  /** Sends one frame to each of `targets`; how many links took it. */
  send(targets: readonly ReplicaIndex[], frame: ClientFrame): number {
    if (targets.length === 0) return 0
    const bytes = encodeClientFrame(frame)
    return targets.filter((replica) => this.transport.send(replica, bytes)).length
  }

  /** Who is out of reach and where, for people: `replica 1 (/ip4/10.0.0.2/tcp/7401)`. */
  missing(): string {
    return this.members
      .filter((replica) => !this.connected(replica))
      .map((replica) => this.addressOf(replica))
      .join(', ')
  }

  addressOf(replica: ReplicaIndex): string {
    return `replica ${replica} (${this.view.addressesOf(replica).join(', ')})`
  }
}
