// A member's end over libp2p while it runs: who may connect, as what, and whose streams are whose.

import type { Connection, PeerId, Stream } from '@libp2p/interface'
import { multiaddr } from '@multiformats/multiaddr'
import type { Libp2p } from 'libp2p'
import { type PublicKey, publicKey, type ReplicaIndex } from '../../crypto/index.ts'
import type { Counters } from '../counters.ts'
import { DEFAULT_LIMITS, type NetLimits } from '../limits.ts'
import type { Roster } from '../roster.ts'
import type { PeerChannel, ReplicaTransportHandlers, RosterEntry, TransportCounter } from '../transport.ts'
import { MAX_MEMBERS } from '../wire/index.ts'
import { ClientDoor } from './client-door.ts'
import { Dialer } from './dialer.ts'
import { endConnection, endStream } from './end.ts'
import { FormerDoor } from './former-door.ts'
import { inboundGate } from './gate.ts'
import { Guards } from './guard.ts'
import { Links, type Place } from './links.ts'
import { type ListenFailure, makeNode, startNode } from './node.ts'
import type { ReplicaTransportOptions } from './options.ts'
import { PeerLink } from './peer-link.ts'
import { type Protocols, protocolsOf } from './protocols.ts'
import { systemRandom } from './random.ts'
import { readFrames } from './stream-reader.ts'
import { Turn } from './stream-writer.ts'

/** From one start to the next stop. */
export class ReplicaRun {
  readonly #options: ReplicaTransportOptions
  readonly #own: RosterEntry
  readonly #handlers: ReplicaTransportHandlers
  readonly #limits: NetLimits
  readonly #counters: Counters
  readonly #protocols: Protocols
  readonly #turn = new Turn()
  readonly #links: Links<PeerLink>
  readonly #door: ClientDoor
  readonly #formers: FormerDoor
  /** Channels on which a member's connection has a stream to us. */
  readonly #inbound = new WeakMap<Connection, Set<PeerChannel>>()
  #node: Libp2p | undefined
  #ticker: NodeJS.Timeout | undefined
  #stopped = false

  constructor(
    options: ReplicaTransportOptions,
    own: RosterEntry,
    roster: Roster,
    handlers: ReplicaTransportHandlers,
    counters: Counters,
  ) {
    this.#options = options
    this.#own = own
    this.#handlers = handlers
    this.#counters = counters
    this.#limits = { ...DEFAULT_LIMITS, ...options.limits }
    this.#protocols = protocolsOf(options.clusterId)
    this.#links = new Links(roster, (place, self) => this.#linkTo(place, self), own.peerId)
    const common = { limits: this.#limits, counters, handlers }
    this.#door = new ClientDoor({ ...common, turn: this.#turn })
    this.#formers = new FormerDoor({ ...common, protocol: this.#protocols.consensus })
  }

  get addresses(): readonly string[] {
    return this.#node?.getMultiaddrs().map((address) => address.toString().replace(/\/p2p\/.*$/, '')) ?? []
  }

  async stop(): Promise<void> {
    this.#stopped = true
    clearInterval(this.#ticker)
    this.#links.stop()
    this.#door.stop()
    this.#formers.stop()
    await this.#node?.stop()
  }

  update(roster: Roster): void {
    if (this.#stopped) return
    for (const peer of this.#links.update(roster)) {
      // libp2p would not dial while there is a connection, whatever it is for.
      this.#door.release(peer)
      this.#formers.release(peer)
    }
  }

  send(to: ReplicaIndex, channel: PeerChannel, frame: Uint8Array): boolean {
    return this.#links.at(to)?.send(channel, frame) ?? false
  }

  flush(): void {
    this.#turn.flush()
  }

  connected(peer: ReplicaIndex): boolean {
    return this.#links.at(peer)?.connected ?? false
  }

  queuedBytes(): number {
    const others = this.#door.queuedBytes + this.#formers.queuedBytes
    return [...this.#links].reduce((sum, link) => sum + link.queuedBytes, others)
  }

  /** Resolves with this, once it listens. */
  async start(): Promise<ReplicaRun> {
    const { self, seed, listen } = this.#options
    const guards = new Guards(this.#limits, this.#counters)
    const gate = inboundGate(this.#limits, this.#counters, (peer) => this.#admits(peer))
    const failures: ListenFailure[] = []
    const node = await makeNode(
      {
        seed,
        listen: listen ?? this.#own.addresses,
        limits: this.#limits,
        gater: gate.gater,
        guards,
        maxConnections: this.#maxConnections(),
      },
      failures,
    )
    if (node.peerId.toString() !== this.#own.peerId) {
      throw new Error(`the seed is not that of replica ${self}: it makes the peer id ${node.peerId.toString()}`)
    }
    this.#node = node
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
    this.#links.start()
    return this
  }

  #linkTo(place: Place, self: ReplicaIndex | undefined): PeerLink {
    const { addresses, onNotice, random = systemRandom } = this.#options
    const dial = async (address: string, signal: AbortSignal) => {
      await this.#node?.dial(multiaddr(`${address}/p2p/${place.entry.peerId}`), { signal })
    }
    return new PeerLink(
      {
        protocols: this.#protocols,
        limits: this.#limits,
        counters: this.#counters,
        turn: this.#turn,
        onUp: () => this.#handlers.peerUp(place.index),
        onDown: () => this.#handlers.peerDown(place.index),
        onFrame: (channel, frame) => this.#handlers.peerFrame(place.index, channel, frame),
      },
      (isMet) =>
        new Dialer({
          place,
          addresses: () => addresses?.(place.entry) ?? place.entry.addresses,
          dial,
          limits: this.#limits,
          random,
          onNotice,
          isMet,
          delayMs: self === undefined || self < place.index ? 0 : this.#limits.courtesyMs,
        }),
    )
  }

  /** Whether the key that an inbound connection proved may stay. */
  #admits(peer: PeerId): boolean {
    if (this.#links.of(peer.toString()) !== undefined) return true
    const key = keyOf(peer)
    const door = this.#doorOf(key)
    if (key === undefined || door === undefined) {
      this.#counters.add('stranger-refused')
      return false
    }
    if (door.hasRoom(key)) return true
    this.#counters.add('too-many-connections')
    return false
  }

  /** Where a key that is not in the roster may come in. */
  #doorOf(key: PublicKey | undefined): ClientDoor | FormerDoor | undefined {
    if (key === undefined) return undefined
    if (this.#handlers.isClient(key)) return this.#door
    return this.#handlers.isFormer(key) ? this.#formers : undefined
  }

  /** Who it is was asked when the key was proved, and is asked again: the roster may be another by now. */
  #opened(connection: Connection): void {
    if (this.#stopped) return
    const link = this.#links.of(connection.remotePeer.toString())
    if (link !== undefined) {
      link.opened(connection)
      return
    }
    const key = connection.direction === 'inbound' ? keyOf(connection.remotePeer) : undefined
    const door = this.#doorOf(key)
    if (key !== undefined && door !== undefined) door.opened(connection, key)
    else endConnection(connection, 'it is not in the roster any more')
  }

  #closed(connection: Connection): void {
    if (this.#stopped) return
    this.#links.of(connection.remotePeer.toString())?.closed(connection)
    this.#door.closed(connection)
    this.#formers.closed(connection)
  }

  #peerStream(channel: PeerChannel, stream: Stream, connection: Connection): void {
    const link = this.#links.of(connection.remotePeer.toString())
    if (this.#stopped || (link === undefined && !this.#formers.has(connection))) {
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
    if (link === undefined) {
      this.#formers.read(channel, stream, connection)
      return
    }
    readFrames(stream, this.#limits.maxFrameBytes[channel], this.#counters, (frame) => link.receive(channel, frame))
  }

  #clientStream(stream: Stream, connection: Connection): void {
    const isMember = this.#links.of(connection.remotePeer.toString()) !== undefined
    if (isMember || this.#stopped) {
      refuseStream(stream, 'this channel is for clients', this.#counters, 'stream-reset')
    } else {
      this.#door.accept(stream, connection)
    }
  }

  /** For the largest roster: the system is told once, when it listens. */
  #maxConnections(): number {
    const { maxConnectionsPerMember, maxClientConnections, maxFormerConnections, maxHandshakes } = this.#limits
    // Twice the handshakes: one that has to give way is still counted by the system for a moment.
    return MAX_MEMBERS * maxConnectionsPerMember + maxClientConnections + maxFormerConnections + 2 * maxHandshakes
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
