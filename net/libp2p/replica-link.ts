// A client's way to one replica: a connection, and on it one stream for both directions.

import type { Connection, Stream } from '@libp2p/interface'
import type { Counters } from '../counters.ts'
import { FrameQueue } from '../frame-queue.ts'
import type { NetLimits } from '../limits.ts'
import type { ClientTransportHandlers } from '../transport.ts'
import { Dialer } from './dialer.ts'
import { asError, endConnection } from './end.ts'
import type { Place, RosterLink } from './links.ts'
import type { ClientTransportOptions } from './options.ts'
import { protocolsOf } from './protocols.ts'
import { systemRandom } from './random.ts'
import { readFrames } from './stream-reader.ts'
import { StreamWriter, type Turn } from './stream-writer.ts'

export interface ReplicaLinkOptions {
  readonly dial: (address: string, peerId: string, signal: AbortSignal) => Promise<void>
  readonly options: ClientTransportOptions
  readonly limits: NetLimits
  readonly counters: Counters
  readonly turn: Turn
  readonly handlers: ClientTransportHandlers
  readonly place: Place
}

export class ReplicaLink implements RosterLink {
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
    const { dial, options, limits, counters, turn, place } = given
    const { clusterId, addresses, onNotice, random = systemRandom } = options
    this.#protocol = protocolsOf(clusterId).client
    const queue = new FrameQueue(limits.maxClientQueueBytes)
    this.#writer = new StreamWriter({ queue, maxFrameBytes: limits.maxFrameBytes.client, turn, counters })
    this.#dialer = new Dialer({
      place,
      addresses: () => addresses?.(place.entry) ?? place.entry.addresses,
      dial: (address, signal) => dial(address, place.entry.peerId, signal),
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

  drop(): void {
    this.stop()
    if (this.#connection !== undefined) endConnection(this.#connection, 'it left the roster')
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
    const { limits, counters, handlers, place } = this.#options
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
    handlers.replicaUp(place.index)
    readFrames(stream, limits.maxFrameBytes.replica, counters, (frame) => {
      if (this.#up) handlers.replicaFrame(place.index, frame)
    })
  }

  #down(): void {
    if (!this.#up) return
    this.#up = false
    this.#writer.detach()
    this.#options.handlers.replicaDown(this.#options.place.index)
  }
}
