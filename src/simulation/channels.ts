// What replicas are told of the channels to each other. A system tells soon where a process died or a connection broke, and never where
// power or a route is gone: faults say which (`told`), and whoever was told that a channel ended is told once there is one again.

import type { Observer, ReplicaView } from './observer.ts'
import type { Packet } from './packets.ts'

export interface ChannelTargets {
  /** Every address of a replica. */
  readonly addresses: readonly number[]
  /** Hands a packet to a replica, past the network. */
  tell(to: number, packet: Packet): void
}

export class Channels implements Observer {
  private readonly targets: ChannelTargets
  /** Identities whose end their peers notice, by how many faults say so. */
  private readonly noticed = new Map<number, number>()
  /** By who was told: the addresses to which its channels ended. */
  private readonly lost = new Map<number, Set<number>>()

  constructor(targets: ChannelTargets) {
    this.targets = targets
  }

  /** From now on, or no longer, others notice when this replica stops. */
  notice(identity: number, notices: boolean): void {
    this.noticed.set(identity, (this.noticed.get(identity) ?? 0) + (notices ? 1 : -1))
  }

  stopped({ identity, address }: ReplicaView): void {
    // Who is gone knows nothing any more.
    this.lost.delete(address)
    if ((this.noticed.get(identity) ?? 0) <= 0) return
    for (const other of this.targets.addresses) if (other !== address) this.breakOff(address, other)
  }

  started({ address }: ReplicaView): void {
    for (const other of this.targets.addresses) this.make(address, other)
  }

  /** `at` is told that its channel to `from` ended. */
  breakOff(from: number, at: number): void {
    const lost = this.lost.get(at) ?? new Set()
    this.lost.set(at, lost)
    if (lost.has(from)) return
    lost.add(from)
    this.targets.tell(at, { kind: 'link', address: from, up: false })
  }

  /** `at` is told that there is a channel to `from` again, where it was told of its end. */
  make(from: number, at: number): void {
    if (this.lost.get(at)?.delete(from)) this.targets.tell(at, { kind: 'link', address: from, up: true })
  }
}
