// A client's end over libp2p: one connection to each member, and on it one stream for both directions.

import type { Connection, Stream } from '@libp2p/interface'
import { multiaddr } from '@multiformats/multiaddr'
import type { Libp2p } from 'libp2p'
import { type ReplicaIndex, replicaIndex } from '../../crypto/index.ts'
import { Counters } from '../counters.ts'
import { FrameQueue } from '../frame-queue.ts'
import { DEFAULT_LIMITS, type NetLimits } from '../limits.ts'
import type { ClientTransport, ClientTransportHandlers } from '../transport.ts'
import { Dialer } from './dialer.ts'
import { asError, endConnection } from './end.ts'
import { outboundGate } from './gate.ts'
import { Guards } from './guard.ts'
import { makeNode } from './node.ts'
import { OneRun } from './one-run.ts'
import type { ClientTransportOptions } from './options.ts'
import { protocolsOf } from './protocols.ts'
import { systemRandom } from './random.ts'
import { readFrames } from './stream-reader.ts'
import { StreamWriter, Turn } from './stream-writer.ts'

/** A client's end over TCP, Noise and yamux. It may be started again after it was stopped. */
export function libp2pClientTransport(options: ClientTransportOptions): ClientTransport {
  return new ClientEnd(options)
}

class ClientEnd implements ClientTransport {
  readonly #options: ClientTransportOptions
  readonly #only = new OneRun<ClientRun>()

  constructor(options: ClientTransportOptions) {
    this.#options = options
  }

  start(handlers: ClientTransportHandlers, { signal }: { signal?: AbortSignal } = {}): Promise<void> {
    return this.#only.start(() => ClientRun.start(this.#options, handlers), signal)
  }

  stop(): Promise<void> {
    return this.#only.stop()
  }

  send(to: ReplicaIndex, frame: Uint8Array): boolean {
    return this.#only.current?.send(to, frame) ?? false
  }

  connected(replica: ReplicaIndex): boolean {
    return this.#only.current?.connected(replica) ?? false
  }
}

/** From one start to the next stop. */
class ClientRun {
  readonly #node: Libp2p
  readonly #links: ReadonlyMap<string, ReplicaLink>
  readonly #ticker: NodeJS.Timeout

  private constructor(node: Libp2p, links: ReadonlyMap<string, ReplicaLink>, ticker: NodeJS.Timeout) {
    this.#node = node
    this.#links = links
    this.#ticker = ticker
  }

  static async start(options: ClientTransportOptions, handlers: ClientTransportHandlers): Promise<ClientRun> {
    const { genesis, seed } = options
    const limits = { ...DEFAULT_LIMITS, ...options.limits }
    const counters = new Counters()
    const guards = new Guards(limits, counters)
    const gater = outboundGate()
    const node = await makeNode({ seed, listen: [], limits, gater, guards, maxConnections: 1 }, [])
    const turn = new Turn()
    const links = new Map(
      genesis.members.map(({ peerId }, i) => [
        peerId,
        new ReplicaLink({ node, options, limits, counters, turn, handlers, replica: replicaIndex(i) }),
      ]),
    )
    node.addEventListener('connection:open', ({ detail }) => links.get(detail.remotePeer.toString())?.opened(detail))
    node.addEventListener('connection:close', ({ detail }) => links.get(detail.remotePeer.toString())?.closed(detail))
    await node.start()
    for (const link of links.values()) link.start()
    return new ClientRun(
      node,
      links,
      setInterval(() => guards.tick(), limits.tickMs),
    )
  }

  async stop(): Promise<void> {
    clearInterval(this.#ticker)
    for (const link of this.#links.values()) link.stop()
    await this.#node.stop()
  }

  send(to: ReplicaIndex, frame: Uint8Array): boolean {
    return this.#linkTo(to)?.send(frame) ?? false
  }

  connected(replica: ReplicaIndex): boolean {
    return this.#linkTo(replica)?.connected ?? false
  }

  #linkTo(replica: ReplicaIndex): ReplicaLink | undefined {
    return [...this.#links.values()][replica]
  }
}

interface ReplicaLinkOptions {
  readonly node: Libp2p
  readonly options: ClientTransportOptions
  readonly limits: NetLimits
  readonly counters: Counters
  readonly turn: Turn
  readonly handlers: ClientTransportHandlers
  readonly replica: ReplicaIndex
}

/** The way to one replica. */
class ReplicaLink {
  readonly #options: ReplicaLinkOptions
  readonly #dialer: Dialer
  readonly #writer: StreamWriter
  readonly #protocol: string
  #connection: Connection | undefined
  #since = 0
  #up = false
  #stopped = false

  constructor(given: ReplicaLinkOptions) {
    this.#options = given
    const { node, options, limits, counters, turn, replica } = given
    const { genesis, addresses, onNotice, random = systemRandom } = options
    this.#protocol = protocolsOf(genesis).client
    const queue = new FrameQueue(limits.maxClientQueueBytes)
    this.#writer = new StreamWriter({ queue, maxFrameBytes: limits.maxFrameBytes.client, turn, counters })
    const member = genesis.members[replica]
    this.#dialer = new Dialer({
      replica,
      addresses: () => addresses?.(replica) ?? member?.addresses ?? [],
      dial: async (address, signal) => {
        await node.dial(multiaddr(`${address}/p2p/${member?.peerId}`), { signal })
      },
      limits,
      random,
      onNotice,
      isMet: () => this.#connection !== undefined,
      delayMs: 0,
    })
  }

  get connected(): boolean {
    return this.#up
  }

  start(): void {
    this.#dialer.start()
  }

  stop(): void {
    this.#stopped = true
    this.#dialer.stop()
    this.#down()
  }

  send(frame: Uint8Array): boolean {
    return this.#writer.send(frame)
  }

  opened(connection: Connection): void {
    this.#connection = connection
    this.#since = performance.now()
    void this.#openStream(connection)
  }

  closed(connection: Connection): void {
    if (this.#connection !== connection) return
    this.#connection = undefined
    this.#down()
    this.#dialer.lost(performance.now() - this.#since)
  }

  async #openStream(connection: Connection): Promise<void> {
    const { limits, counters, handlers, replica } = this.#options
    let stream: Stream
    try {
      stream = await connection.newStream(this.#protocol, { signal: AbortSignal.timeout(limits.negotiationMs) })
    } catch (error) {
      // Without a stream the connection is of no use; the next attempt makes a new one.
      endConnection(connection, asError(error).message)
      return
    }
    if (this.#stopped || this.#connection !== connection || stream.status !== 'open') {
      endConnection(connection, 'the link ended while its stream was opened')
      return
    }
    const ended = () => endConnection(connection, 'the replica ended the stream')
    stream.addEventListener('close', ended)
    stream.addEventListener('remoteCloseWrite', ended)
    this.#writer.attach(stream)
    this.#up = true
    handlers.replicaUp(replica)
    readFrames(stream, limits.maxFrameBytes.replica, counters, (frame) => {
      if (this.#up) handlers.replicaFrame(replica, frame)
    })
  }

  #down(): void {
    if (!this.#up) return
    this.#up = false
    this.#writer.detach()
    this.#options.handlers.replicaDown(this.#options.replica)
  }
}
