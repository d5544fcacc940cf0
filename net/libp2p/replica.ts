// A member's end over libp2p.

import type { Connection, PeerId, Stream } from '@libp2p/interface'
import { multiaddr } from '@multiformats/multiaddr'
import type { Libp2p } from 'libp2p'
import { type PublicKey, publicKey, type ReplicaIndex, replicaIndex } from '../../crypto/index.ts'
import { Counters } from '../counters.ts'
import { DEFAULT_LIMITS, type NetLimits } from '../limits.ts'
import type {
  PeerChannel,
  ReplicaTransport,
  ReplicaTransportHandlers,
  Traffic,
  TransportCounter,
} from '../transport.ts'
import { ClientDoor } from './client-door.ts'
import { Dialer } from './dialer.ts'
import { endStream } from './end.ts'
import { inboundGate } from './gate.ts'
import { Guards } from './guard.ts'
import { type ListenFailure, makeNode, startNode } from './node.ts'
import { OneRun } from './one-run.ts'
import type { ReplicaTransportOptions } from './options.ts'
import { PeerLink } from './peer-link.ts'
import { type Protocols, protocolsOf } from './protocols.ts'
import { systemRandom } from './random.ts'
import { readFrames } from './stream-reader.ts'
import { Turn } from './stream-writer.ts'

/** A member's end over TCP, Noise and yamux. It may be started again after it was stopped. */
export function libp2pReplicaTransport(options: ReplicaTransportOptions): ReplicaTransport {
  if (options.genesis.members[options.self] === undefined) {
    throw new RangeError(`the genesis has no replica ${options.self}`)
  }
  return new ReplicaEnd(options)
}

class ReplicaEnd implements ReplicaTransport {
  readonly #options: ReplicaTransportOptions
  readonly #counters = new Counters()
  readonly #only = new OneRun<ReplicaRun>()

  constructor(options: ReplicaTransportOptions) {
    this.#options = options
  }

  get addresses(): readonly string[] {
    return this.#only.current?.addresses ?? []
  }

  start(handlers: ReplicaTransportHandlers, { signal }: { signal?: AbortSignal } = {}): Promise<void> {
    return this.#only.start(() => ReplicaRun.start(this.#options, handlers, this.#counters), signal)
  }

  stop(): Promise<void> {
    return this.#only.stop()
  }

  send(to: ReplicaIndex, channel: PeerChannel, frame: Uint8Array): boolean {
    return this.#only.current?.send(to, channel, frame) ?? false
  }

  flush(): void {
    this.#only.current?.flush()
  }

  connected(peer: ReplicaIndex): boolean {
    return this.#only.current?.connected(peer) ?? false
  }

  counters(): Readonly<Partial<Record<TransportCounter, number>>> {
    return this.#counters.read()
  }

  sent(): Traffic {
    return this.#counters.sent
  }

  queuedBytes(): number {
    return this.#only.current?.queuedBytes() ?? 0
  }
}

/** From one start to the next stop. */
class ReplicaRun {
  readonly #options: ReplicaTransportOptions
  readonly #handlers: ReplicaTransportHandlers
  readonly #limits: NetLimits
  readonly #counters: Counters
  readonly #protocols: Protocols
  readonly #turn = new Turn()
  readonly #indexOf: ReadonlyMap<string, ReplicaIndex>
  readonly #links = new Map<ReplicaIndex, PeerLink>()
  readonly #door: ClientDoor
  /** Channels on which a member's connection has a stream to us. */
  readonly #inbound = new WeakMap<Connection, Set<PeerChannel>>()
  #node: Libp2p | undefined
  #ticker: NodeJS.Timeout | undefined
  #stopped = false

  private constructor(options: ReplicaTransportOptions, handlers: ReplicaTransportHandlers, counters: Counters) {
    this.#options = options
    this.#handlers = handlers
    this.#counters = counters
    this.#limits = { ...DEFAULT_LIMITS, ...options.limits }
    this.#protocols = protocolsOf(options.genesis)
    this.#indexOf = new Map(options.genesis.members.map(({ peerId }, index) => [peerId, replicaIndex(index)]))
    this.#door = new ClientDoor({ limits: this.#limits, counters, turn: this.#turn, handlers })
  }

  static async start(
    options: ReplicaTransportOptions,
    handlers: ReplicaTransportHandlers,
    counters: Counters,
  ): Promise<ReplicaRun> {
    const run = new ReplicaRun(options, handlers, counters)
    await run.#start()
    return run
  }

  get addresses(): readonly string[] {
    return this.#node?.getMultiaddrs().map((address) => address.toString().replace(/\/p2p\/.*$/, '')) ?? []
  }

  async stop(): Promise<void> {
    this.#stopped = true
    clearInterval(this.#ticker)
    for (const link of this.#links.values()) link.stop()
    this.#door.stop()
    await this.#node?.stop()
  }

  send(to: ReplicaIndex, channel: PeerChannel, frame: Uint8Array): boolean {
    return this.#links.get(to)?.send(channel, frame) ?? false
  }

  flush(): void {
    this.#turn.flush()
  }

  connected(peer: ReplicaIndex): boolean {
    return this.#links.get(peer)?.connected ?? false
  }

  queuedBytes(): number {
    return [...this.#links.values()].reduce((sum, link) => sum + link.queuedBytes, this.#door.queuedBytes)
  }

  async #start(): Promise<void> {
    const { genesis, self, seed, listen } = this.#options
    const guards = new Guards(this.#limits, this.#counters)
    const gate = inboundGate(this.#limits, this.#counters, (peer) => this.#admits(peer))
    const failures: ListenFailure[] = []
    const node = await makeNode(
      {
        seed,
        listen: listen ?? genesis.members[self]?.addresses ?? [],
        limits: this.#limits,
        gater: gate.gater,
        guards,
        maxConnections: this.#maxConnections(),
      },
      failures,
    )
    if (node.peerId.toString() !== genesis.members[self]?.peerId) {
      throw new Error(`the seed is not that of replica ${self}: it makes the peer id ${node.peerId.toString()}`)
    }
    this.#node = node
    this.#makeLinks(node)
    node.addEventListener('connection:open', ({ detail }) => this.#opened(detail))
    node.addEventListener('connection:close', ({ detail }) => this.#closed(detail))
    const streams = { maxInboundStreams: this.#limits.maxStreams, maxOutboundStreams: this.#limits.maxStreams }
    for (const channel of ['consensus', 'transfer'] as const) {
      await node.handle(this.#protocols[channel], (stream, from) => this.#peerStream(channel, stream, from), streams)
    }
    await node.handle(this.#protocols.client, (stream, from) => this.#clientStream(stream, from), streams)
    await startNode(node, failures)
    this.#ticker = setInterval(() => {
      guards.tick()
      gate.tick()
    }, this.#limits.tickMs)
    for (const link of this.#links.values()) link.start()
  }

  #makeLinks(node: Libp2p): void {
    const { genesis, self, addresses, onNotice, random } = this.#options
    for (const [i, member] of genesis.members.entries()) {
      if (i === self) continue
      const replica = replicaIndex(i)
      const link = new PeerLink(
        {
          protocols: this.#protocols,
          limits: this.#limits,
          counters: this.#counters,
          turn: this.#turn,
          onUp: () => this.#handlers.peerUp(replica),
          onDown: () => this.#handlers.peerDown(replica),
        },
        (isMet) =>
          new Dialer({
            replica,
            addresses: () => addresses?.(replica) ?? member.addresses,
            dial: async (address, signal) => {
              await node.dial(multiaddr(`${address}/p2p/${member.peerId}`), { signal })
            },
            limits: this.#limits,
            random: random ?? systemRandom,
            onNotice,
            isMet,
            delayMs: self < replica ? 0 : this.#limits.courtesyMs,
          }),
      )
      this.#links.set(replica, link)
    }
  }

  /** Whether the key that an inbound connection proved may stay. */
  #admits(peer: PeerId): boolean {
    if (this.#indexOf.has(peer.toString())) return true
    const key = keyOf(peer)
    if (key === undefined || !this.#handlers.isClient(key)) {
      this.#counters.add('stranger-refused')
      return false
    }
    if (this.#door.hasRoom(key)) return true
    this.#counters.add('too-many-connections')
    return false
  }

  #opened(connection: Connection): void {
    if (this.#stopped) return
    const index = this.#indexOf.get(connection.remotePeer.toString())
    if (index !== undefined) this.#links.get(index)?.opened(connection)
    else this.#door.opened(connection, keyOf(connection.remotePeer))
  }

  #closed(connection: Connection): void {
    if (this.#stopped) return
    const index = this.#indexOf.get(connection.remotePeer.toString())
    if (index !== undefined) this.#links.get(index)?.closed(connection)
    else this.#door.closed(connection)
  }

  #peerStream(channel: PeerChannel, stream: Stream, connection: Connection): void {
    const from = this.#indexOf.get(connection.remotePeer.toString())
    if (from === undefined || this.#stopped) {
      refuseStream(stream, 'this channel is for members', this.#counters, 'stream-reset')
      return
    }
    const channels = this.#inbound.get(connection) ?? new Set()
    this.#inbound.set(connection, channels)
    if (channels.has(channel)) {
      refuseStream(stream, 'there is such a stream already', this.#counters, 'too-many-streams')
      return
    }
    channels.add(channel)
    stream.addEventListener('close', () => channels.delete(channel))
    // We answer on a stream of our own.
    endStream(stream)
    readFrames(stream, this.#limits.maxFrameBytes[channel], this.#counters, (frame) => {
      if (!this.#stopped) this.#handlers.peerFrame(from, channel, frame)
    })
  }

  #clientStream(stream: Stream, connection: Connection): void {
    if (this.#indexOf.has(connection.remotePeer.toString()) || this.#stopped) {
      refuseStream(stream, 'this channel is for clients', this.#counters, 'stream-reset')
    } else {
      this.#door.accept(stream, connection)
    }
  }

  #maxConnections(): number {
    const { maxConnectionsPerMember, maxClientConnections, maxHandshakes } = this.#limits
    // Twice the handshakes: one that has to give way is still counted by the system for a moment.
    return this.#indexOf.size * maxConnectionsPerMember + maxClientConnections + 2 * maxHandshakes
  }
}

function refuseStream(stream: Stream, why: string, counters: Counters, counter: TransportCounter): void {
  counters.add(counter)
  stream.abort(new Error(why))
}

/** The Ed25519 key of a peer id, or undefined where it is of another kind. */
function keyOf(peer: PeerId): PublicKey | undefined {
  return peer.type === 'Ed25519' ? publicKey(peer.publicKey.raw) : undefined
}
