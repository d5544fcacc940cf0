// A member's end in memory; see memory.ts.

import type { PublicKey, ReplicaIndex } from '../crypto/index.ts'
import { keyOfPeerId } from '../keys/index.ts'
import { Counters } from './counters.ts'
import { refuseEmpty } from './frames.ts'
import type { MemoryNetwork } from './memory.ts'
import { MemoryClient } from './memory-client.ts'
import { MemoryLink, MemoryVisit } from './memory-links.ts'
import { Roster } from './roster.ts'
import type {
  PeerChannel,
  ReplicaTransport,
  ReplicaTransportHandlers,
  RosterEntry,
  Traffic,
  TransportCounter,
} from './transport.ts'

/** Frames from one end to another on one channel; its bytes count against the receiver's queue. */
export interface Route {
  readonly from: MemoryReplica | MemoryClient
  readonly to: MemoryReplica | MemoryClient
  readonly limit: number
  queued: number
}

export class MemoryReplica implements ReplicaTransport {
  readonly peerId: string
  readonly key: PublicKey
  readonly #network: MemoryNetwork
  readonly #counters = new Counters()
  /** Those whose frames it hears or, where they hold it for a former member, which hear one of its own. */
  readonly #peers = new Map<MemoryReplica, Readonly<Record<PeerChannel, Route>>>()
  readonly #clients = new Map<MemoryClient, MemoryLink>()
  /** Former members that hold this one for a peer. */
  readonly #visits = new Map<MemoryReplica, MemoryVisit>()
  #roster: Roster
  #handlers: ReplicaTransportHandlers | undefined

  constructor(network: MemoryNetwork, own: RosterEntry, roster: readonly RosterEntry[]) {
    const key = keyOfPeerId(own.peerId)
    if (key === undefined) throw new RangeError(`${own.peerId} is no Ed25519 peer id`)
    this.#network = network
    this.peerId = own.peerId
    this.key = key
    this.#roster = new Roster(roster)
  }

  get addresses(): readonly string[] {
    return this.#handlers === undefined ? [] : [`/memory/${this.peerId}`]
  }

  async start(handlers: ReplicaTransportHandlers, { signal }: { signal?: AbortSignal } = {}): Promise<void> {
    signal?.throwIfAborted()
    if (this.#handlers !== undefined) return
    this.#handlers = handlers
    // Nobody hears of a link before the call of `start` has returned.
    await Promise.resolve()
    if (this.#handlers === handlers) this.#network.enter(this)
  }

  async stop(): Promise<void> {
    if (this.#handlers === undefined) return
    this.#network.leave(this)
    this.forget(new Set())
    this.#handlers = undefined
  }

  /** Every frame is on its way already. */
  flush(): void {}

  update(roster: readonly RosterEntry[]): void {
    const next = new Roster(roster)
    for (const peer of [...this.#peers.keys()]) {
      if (next.indexOf(peer.peerId) !== undefined) continue
      this.#unlinkPeer(peer)
      peer.#unlinkPeer(this)
    }
    for (const former of [...this.#visits.keys()]) if (next.indexOf(former.peerId) !== undefined) this.#endVisit(former)
    this.#roster = next
    this.#network.relink()
  }

  send(to: ReplicaIndex, channel: PeerChannel, frame: Uint8Array): boolean {
    refuseEmpty(frame)
    const entry = [...this.#peers].find(([peer]) => this.#indexOf(peer) === to)
    if (entry === undefined) return false
    if (frame.length > this.#network.limits.maxFrameBytes[channel]) return this.#drop('frame-too-large')
    const [peer, routes] = entry
    const copy = Uint8Array.from(frame)
    const deliver = () => peer.#hear(this, channel, copy)
    if (!this.#network.post(routes[channel], copy, deliver)) return this.#drop('queue-full')
    this.#counters.wrote(copy.length)
    return true
  }

  connected(peer: ReplicaIndex): boolean {
    return [...this.#peers.keys()].some((other) => this.#indexOf(other) === peer)
  }

  counters(): Readonly<Partial<Record<TransportCounter, number>>> {
    return this.#counters.read()
  }

  sent(): Traffic {
    return this.#counters.sent
  }

  queuedBytes(): number {
    const routes = [...this.#peers.values()].flatMap((each) => [each.consensus, each.transfer])
    const links = [...this.#clients.values(), ...this.#visits.values()]
    return [...routes, ...links.map((link) => link.route)].reduce((sum, { queued }) => sum + queued, 0)
  }

  /** Makes or ends the link with `other`. */
  meet(other: MemoryReplica | MemoryClient, reachable: boolean): void {
    if (other instanceof MemoryClient) this.#meetClient(other, reachable && other.indexOf(this) !== undefined)
    else this.#meetPeer(other, reachable)
  }

  /** Ends the links with all but `ends`. */
  forget(ends: ReadonlySet<MemoryReplica | MemoryClient>): void {
    for (const peer of [...this.#peers.keys()]) if (!ends.has(peer)) this.#unlinkPeer(peer)
    for (const client of [...this.#clients.keys()]) if (!ends.has(client)) this.#unlinkClient(client)
    for (const former of [...this.#visits.keys()]) if (!ends.has(former)) this.#endVisit(former)
  }

  receive(client: MemoryClient, frame: Uint8Array): void {
    const link = this.#clients.get(client)
    if (link !== undefined) this.#handlers?.clientFrame(link, frame)
  }

  #indexOf(peer: MemoryReplica): ReplicaIndex | undefined {
    return this.#roster.indexOf(peer.peerId)
  }

  /** A frame of another member, or of a former one. */
  #hear(from: MemoryReplica, channel: PeerChannel, frame: Uint8Array): void {
    const index = this.#indexOf(from)
    const visit = this.#visits.get(from)
    if (index !== undefined) this.#handlers?.peerFrame(index, channel, frame)
    else if (visit !== undefined && channel === 'consensus' && visit.ask(frame))
      this.#handlers?.formerFrame(visit, frame)
  }

  /** Links go by the roster of whoever dials, and by whether the other side lets it in. */
  #meetPeer(peer: MemoryReplica, reachable: boolean): void {
    const lists = this.#indexOf(peer) !== undefined
    if (!lists) {
      if (!reachable || peer.#indexOf(this) === undefined) this.#endVisit(peer)
    } else if (!reachable || !peer.#admits(this)) this.#unlinkPeer(peer)
    else if (!this.#peers.has(peer)) this.#linkPeer(peer)
  }

  #admits(peer: MemoryReplica): boolean {
    if (this.#indexOf(peer) !== undefined || this.#visits.has(peer)) return true
    if (this.#handlers?.isFormer(peer.key) !== true) return this.#drop('stranger-refused')
    if (this.#visits.size >= this.#network.limits.maxFormerConnections) return this.#drop('too-many-connections')
    const deliver = (frame: Uint8Array) => peer.#hear(this, 'consensus', frame)
    const close = () => {
      this.#endVisit(peer)
      this.#network.dialAgain()
    }
    this.#visits.set(peer, new MemoryVisit(this.#network, this, peer, this.#counters, deliver, close))
    return true
  }

  #endVisit(former: MemoryReplica): void {
    const visit = this.#visits.get(former)
    if (visit === undefined) return
    this.#visits.delete(former)
    visit.end()
    former.#unlinkPeer(this)
  }

  #meetClient(client: MemoryClient, reachable: boolean): void {
    // The key of a member is let in as a member only.
    if (!reachable || this.#roster.indexOf(client.peerId) !== undefined) {
      this.#unlinkClient(client)
      return
    }
    if (this.#clients.has(client)) return
    if (this.#handlers?.isClient(client.key) !== true) {
      this.#drop('stranger-refused')
      return
    }
    const close = () => {
      this.#unlinkClient(client)
      this.#network.dialAgain()
    }
    const link = new MemoryLink(this.#network, this, client, close, this.#counters)
    this.#clients.set(client, link)
    client.linked(this)
    this.#handlers.clientUp(link)
  }

  #unlinkClient(client: MemoryClient): void {
    const link = this.#clients.get(client)
    if (link === undefined) return
    this.#clients.delete(client)
    link.end()
    client.unlinked(this)
    this.#handlers?.clientDown(link)
  }

  #linkPeer(peer: MemoryReplica): void {
    const limit = this.#network.limits.maxPeerQueueBytes
    const route = (): Route => ({ from: this, to: peer, limit, queued: 0 })
    this.#peers.set(peer, { consensus: route(), transfer: route() })
    this.#tell(peer, (index) => this.#handlers?.peerUp(index))
  }

  #unlinkPeer(peer: MemoryReplica): void {
    const routes = this.#peers.get(peer)
    if (routes === undefined) return
    this.#peers.delete(peer)
    this.#network.lose(routes.consensus)
    this.#network.lose(routes.transfer)
    this.#tell(peer, (index) => this.#handlers?.peerDown(index))
  }

  #tell(peer: MemoryReplica, how: (index: ReplicaIndex) => void): void {
    const index = this.#indexOf(peer)
    if (index !== undefined) how(index)
  }

  #drop(counter: TransportCounter): false {
    this.#counters.add(counter)
    return false
  }
}
