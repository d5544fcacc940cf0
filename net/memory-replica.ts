// A member's end in memory; see memory.ts.

import type { PublicKey, ReplicaIndex } from '../crypto/index.ts'
import { Counters } from './counters.ts'
import { refuseEmpty } from './frames.ts'
import type { MemoryNetwork } from './memory.ts'
import { MemoryClient } from './memory-client.ts'
import type {
  ClientLink,
  PeerChannel,
  ReplicaTransport,
  ReplicaTransportHandlers,
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
  readonly self: ReplicaIndex
  readonly #network: MemoryNetwork
  readonly #counters = new Counters()
  readonly #peers = new Map<MemoryReplica, Readonly<Record<PeerChannel, Route>>>()
  readonly #clients = new Map<MemoryClient, MemoryLink>()
  #handlers: ReplicaTransportHandlers | undefined

  constructor(network: MemoryNetwork, self: ReplicaIndex) {
    this.#network = network
    this.self = self
  }

  get address(): ReplicaIndex {
    return this.self
  }

  get addresses(): readonly string[] {
    return this.#handlers === undefined ? [] : [`/memory/${this.self}`]
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

  send(to: ReplicaIndex, channel: PeerChannel, frame: Uint8Array): boolean {
    refuseEmpty(frame)
    const entry = [...this.#peers].find(([peer]) => peer.self === to)
    if (entry === undefined) return false
    if (frame.length > this.#network.limits.maxFrameBytes[channel]) return this.#drop('frame-too-large')
    const [peer, routes] = entry
    const copy = Uint8Array.from(frame)
    const deliver = () => peer.#handlers?.peerFrame(this.self, channel, copy)
    if (!this.#network.post(routes[channel], copy, deliver)) return this.#drop('queue-full')
    this.#counters.wrote(copy.length)
    return true
  }

  connected(peer: ReplicaIndex): boolean {
    return [...this.#peers.keys()].some((other) => other.self === peer)
  }

  counters(): Readonly<Partial<Record<TransportCounter, number>>> {
    return this.#counters.read()
  }

  sent(): Traffic {
    return this.#counters.sent
  }

  queuedBytes(): number {
    const routes = [...this.#peers.values()].flatMap((each) => [each.consensus, each.transfer])
    return [...routes, ...[...this.#clients.values()].map((link) => link.route)].reduce((sum, r) => sum + r.queued, 0)
  }

  /** Makes or ends the link with `other`. */
  meet(other: MemoryReplica | MemoryClient, reachable: boolean): void {
    if (other instanceof MemoryClient) this.#meetClient(other, reachable)
    else if (reachable && !this.#peers.has(other)) this.#linkPeer(other)
    else if (!reachable) this.#unlinkPeer(other)
  }

  /** Ends the links with all but `ends`. */
  forget(ends: ReadonlySet<MemoryReplica | MemoryClient>): void {
    for (const peer of [...this.#peers.keys()]) if (!ends.has(peer)) this.#unlinkPeer(peer)
    for (const client of [...this.#clients.keys()]) if (!ends.has(client)) this.#unlinkClient(client)
  }

  receive(client: MemoryClient, frame: Uint8Array): void {
    const link = this.#clients.get(client)
    if (link !== undefined) this.#handlers?.clientFrame(link, frame)
  }

  #meetClient(client: MemoryClient, reachable: boolean): void {
    if (!reachable) {
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
    this.#handlers?.peerUp(peer.self)
  }

  #unlinkPeer(peer: MemoryReplica): void {
    const routes = this.#peers.get(peer)
    if (routes === undefined) return
    this.#peers.delete(peer)
    this.#network.lose(routes.consensus)
    this.#network.lose(routes.transfer)
    this.#handlers?.peerDown(peer.self)
  }

  #drop(counter: TransportCounter): false {
    this.#counters.add(counter)
    return false
  }
}

class MemoryLink implements ClientLink {
  readonly key: PublicKey
  readonly id: number
  readonly route: Route
  readonly #network: MemoryNetwork
  readonly #client: MemoryClient
  readonly #self: MemoryReplica
  readonly #close: () => void
  readonly #counters: Counters
  #open = true

  constructor(
    network: MemoryNetwork,
    self: MemoryReplica,
    client: MemoryClient,
    close: () => void,
    counters: Counters,
  ) {
    this.key = client.key
    this.id = network.nextLink()
    this.route = { from: self, to: client, limit: network.limits.maxClientQueueBytes, queued: 0 }
    this.#network = network
    this.#self = self
    this.#client = client
    this.#close = close
    this.#counters = counters
  }

  send(frame: Uint8Array): boolean {
    refuseEmpty(frame)
    if (!this.#open) return false
    const tooLarge = frame.length > this.#network.limits.maxFrameBytes.replica
    const copy = Uint8Array.from(frame)
    const deliver = () => this.#client.receive(this.#self, copy)
    if (!tooLarge && this.#network.post(this.route, copy, deliver)) {
      this.#counters.wrote(copy.length)
      return true
    }
    this.#counters.add(tooLarge ? 'frame-too-large' : 'queue-full')
    return false
  }

  close(): void {
    if (this.#open) this.#close()
  }

  end(): void {
    this.#open = false
    this.#network.lose(this.route)
  }
}
