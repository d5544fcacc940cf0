// The network in one process, for tests: the same promises as over libp2p, with nothing but arrays beneath. Delivery is in the order of
// sending over the whole network, either by itself at the end of the turn or by `flush()`, so a run depends on nothing else.

import { hex, type PublicKey, type ReplicaIndex } from '../crypto/index.ts'
import type { Genesis } from '../keys/index.ts'
import { Counters } from './counters.ts'
import { prefixBytes, refuseEmpty } from './frames.ts'
import { DEFAULT_LIMITS, type NetLimits } from './limits.ts'
import type {
  ClientLink,
  ClientTransport,
  ClientTransportHandlers,
  PeerChannel,
  ReplicaTransport,
  ReplicaTransportHandlers,
  TransportCounter,
} from './transport.ts'

export interface MemoryNetworkOptions {
  readonly genesis: Genesis
  /** `turn` (unless told): at the end of the turn. `manual`: when the test says {@link MemoryNetwork.flush}. */
  readonly delivery?: 'turn' | 'manual'
  readonly limits?: Partial<NetLimits>
}

/** One end of a link: a member, or one client transport. */
type End = MemoryReplica | MemoryClient

interface Parcel {
  /** Undefined where it is not a frame. */
  readonly route: Route | undefined
  readonly bytes: number
  readonly deliver: () => void
}

/** Frames from one end to another on one channel; its bytes count against the receiver's queue. */
interface Route {
  readonly from: End
  readonly to: End
  readonly limit: number
  queued: number
}

export class MemoryNetwork {
  readonly genesis: Genesis
  readonly limits: NetLimits
  readonly #manual: boolean
  readonly #ends = new Set<End>()
  readonly #cuts = new Set<string>()
  #parcels: Parcel[] = []
  #scheduled = false
  #links = 0

  constructor({ genesis, delivery = 'turn', limits = {} }: MemoryNetworkOptions) {
    this.genesis = genesis
    this.limits = { ...DEFAULT_LIMITS, ...limits }
    this.#manual = delivery === 'manual'
  }

  /** The end of member `self`. A second one for the same member may start once the first has stopped. */
  replica(self: ReplicaIndex): ReplicaTransport {
    if (self >= this.genesis.members.length) throw new RangeError(`the genesis has no replica ${self}`)
    return new MemoryReplica(this, self)
  }

  /** The end of a client with this key, known to the replicas or not. */
  client(key: PublicKey): ClientTransport {
    return new MemoryClient(this, key)
  }

  /** Ends the links between `a` and `b`, members or client keys, and loses what was under way, until they are healed. */
  cut(a: ReplicaIndex | PublicKey, b: ReplicaIndex | PublicKey): void {
    this.#cuts.add(cutName(a, b))
    this.#relink()
  }

  heal(a: ReplicaIndex | PublicKey, b: ReplicaIndex | PublicKey): void {
    this.#cuts.delete(cutName(a, b))
    this.#relink()
  }

  /** Heals every cut. */
  healAll(): void {
    this.#cuts.clear()
    this.#relink()
  }

  /** Delivers what waits, and what is sent meanwhile, up to `most` frames; how many. */
  flush(most = Number.POSITIVE_INFINITY): number {
    let delivered = 0
    while (delivered < most) {
      const parcel = this.#parcels.shift()
      if (parcel === undefined) break
      if (parcel.route !== undefined) parcel.route.queued -= parcel.bytes
      parcel.deliver()
      delivered++
    }
    return delivered
  }

  /** Frames that wait. */
  get waiting(): number {
    return this.#parcels.length
  }

  /** @internal */
  enter(end: End): void {
    for (const other of this.#ends) {
      if (end instanceof MemoryReplica && other instanceof MemoryReplica && other.self === end.self) {
        throw new Error(`replica ${end.self} is running already`)
      }
    }
    this.#ends.add(end)
    this.#relink()
  }

  /** @internal */
  leave(end: End): void {
    this.#ends.delete(end)
    this.#relink()
  }

  /** @internal */
  nextLink(): number {
    return this.#links++
  }

  /** @internal False where it does not fit. */
  post(route: Route, frame: Uint8Array, deliver: () => void): boolean {
    const bytes = prefixBytes(frame.length) + frame.length
    if (route.queued > 0 && route.queued + bytes > route.limit) return false
    route.queued += bytes
    this.#parcels.push({ route, bytes, deliver })
    this.#schedule()
    return true
  }

  /** @internal Links again what a replica closed, as a client that dials again would. */
  dialAgain(): void {
    this.#parcels.push({ route: undefined, bytes: 0, deliver: () => this.#relink() })
    this.#schedule()
  }

  /** @internal Forgets what is under way on `route`. */
  lose(route: Route): void {
    this.#parcels = this.#parcels.filter((parcel) => parcel.route !== route)
    route.queued = 0
  }

  #schedule(): void {
    if (this.#manual || this.#scheduled) return
    this.#scheduled = true
    setImmediate(() => {
      this.#scheduled = false
      // What is sent meanwhile leaves in the next turn, as on a real network.
      this.flush(this.#parcels.length)
      if (this.#parcels.length > 0) this.#schedule()
    })
  }

  /** Links every two ends that can reach each other, in the order in which they came. */
  #relink(): void {
    for (const a of this.#ends) {
      for (const b of this.#ends) {
        if (a instanceof MemoryReplica && a !== b) a.meet(b, this.#reaches(a, b))
      }
    }
    for (const end of this.#ends) end.forget(this.#ends)
  }

  #reaches(a: End, b: End): boolean {
    return !this.#cuts.has(cutName(a.address, b.address))
  }
}

class MemoryReplica implements ReplicaTransport {
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

  send(to: ReplicaIndex, channel: PeerChannel, frame: Uint8Array): boolean {
    refuseEmpty(frame)
    const entry = [...this.#peers].find(([peer]) => peer.self === to)
    if (entry === undefined) return false
    if (frame.length > this.#network.limits.maxFrameBytes[channel]) return this.#drop('frame-too-large')
    const [peer, routes] = entry
    const copy = Uint8Array.from(frame)
    const deliver = () => peer.#handlers?.peerFrame(this.self, channel, copy)
    return this.#network.post(routes[channel], copy, deliver) || this.#drop('queue-full')
  }

  connected(peer: ReplicaIndex): boolean {
    return [...this.#peers.keys()].some((other) => other.self === peer)
  }

  counters(): Readonly<Partial<Record<TransportCounter, number>>> {
    return this.#counters.read()
  }

  queuedBytes(): number {
    const routes = [...this.#peers.values()].flatMap((each) => [each.consensus, each.transfer])
    return [...routes, ...[...this.#clients.values()].map((link) => link.route)].reduce((sum, r) => sum + r.queued, 0)
  }

  /** Makes or ends the link with `other`. */
  meet(other: End, reachable: boolean): void {
    if (other instanceof MemoryClient) this.#meetClient(other, reachable)
    else if (reachable && !this.#peers.has(other)) this.#linkPeer(other)
    else if (!reachable) this.#unlinkPeer(other)
  }

  /** Ends the links with all but `ends`. */
  forget(ends: ReadonlySet<End>): void {
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
    if (!tooLarge && this.#network.post(this.route, copy, deliver)) return true
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

class MemoryClient implements ClientTransport {
  readonly key: PublicKey
  readonly #network: MemoryNetwork
  readonly #replicas = new Map<MemoryReplica, Route>()
  #handlers: ClientTransportHandlers | undefined

  constructor(network: MemoryNetwork, key: PublicKey) {
    this.#network = network
    this.key = key
  }

  get address(): PublicKey {
    return this.key
  }

  async start(handlers: ClientTransportHandlers, { signal }: { signal?: AbortSignal } = {}): Promise<void> {
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
    this.#handlers = undefined
  }

  send(to: ReplicaIndex, frame: Uint8Array): boolean {
    refuseEmpty(frame)
    const entry = [...this.#replicas].find(([replica]) => replica.self === to)
    if (entry === undefined || frame.length > this.#network.limits.maxFrameBytes.client) return false
    const [replica, route] = entry
    const copy = Uint8Array.from(frame)
    return this.#network.post(route, copy, () => replica.receive(this, copy))
  }

  connected(replica: ReplicaIndex): boolean {
    return [...this.#replicas.keys()].some((each) => each.self === replica)
  }

  linked(replica: MemoryReplica): void {
    const limit = this.#network.limits.maxClientQueueBytes
    this.#replicas.set(replica, { from: this, to: replica, limit, queued: 0 })
    this.#handlers?.replicaUp(replica.self)
  }

  unlinked(replica: MemoryReplica): void {
    const route = this.#replicas.get(replica)
    if (route === undefined) return
    this.#replicas.delete(replica)
    this.#network.lose(route)
    this.#handlers?.replicaDown(replica.self)
  }

  receive(replica: MemoryReplica, frame: Uint8Array): void {
    if (this.#replicas.has(replica)) this.#handlers?.replicaFrame(replica.self, frame)
  }

  /** Links end where the replicas end them. */
  forget(): void {}
}

function cutName(a: ReplicaIndex | PublicKey, b: ReplicaIndex | PublicKey): string {
  const name = (end: ReplicaIndex | PublicKey) => (typeof end === 'number' ? `replica ${end}` : `client ${hex(end)}`)
  return [name(a), name(b)].sort().join(' - ')
}
