// One other member: its connections, whoever dialled them, and our outbound streams to it.
//
// Both members dial, so there may be two connections at once, and after a crash one that the other side has
// forgotten. Neither is worth agreeing on: what we send goes over the connection that came last, since a member that
// comes anew has lost what was before; what comes in is read from all of them. So two members that meet in the middle
// may send over one connection each, and that is that.

import type { Connection, Stream } from '@libp2p/interface'
import type { Counters } from '../counters.ts'
import { FrameQueue } from '../frame-queue.ts'
import type { NetLimits } from '../limits.ts'
import type { PeerChannel } from '../transport.ts'
import type { Dialer } from './dialer.ts'
import { asError, endConnection, endStream } from './end.ts'
import type { RosterLink } from './links.ts'
import type { Protocols } from './protocols.ts'
import { StreamWriter, type Turn } from './stream-writer.ts'

export interface PeerLinkOptions {
  readonly protocols: Protocols
  readonly limits: NetLimits
  readonly counters: Counters
  readonly turn: Turn
  readonly onUp: () => void
  readonly onDown: () => void
  readonly onFrame: (channel: PeerChannel, frame: Uint8Array) => void
}

interface Lane {
  readonly connection: Connection
  readonly streams: Readonly<Record<PeerChannel, Stream>>
}

export class PeerLink implements RosterLink {
  readonly #options: PeerLinkOptions
  readonly #dialer: Dialer
  readonly #writers: Readonly<Record<PeerChannel, StreamWriter>>
  /** The oldest first. */
  #connections: { readonly connection: Connection; readonly since: number }[] = []
  #lane: Lane | undefined
  /** On which our streams are being opened. */
  readonly #opening = new Set<Connection>()
  #stopped = false

  constructor(options: PeerLinkOptions, dialer: (isMet: () => boolean) => Dialer) {
    this.#options = options
    const { limits, counters, turn } = options
    const writer = (maxFrameBytes: number) =>
      new StreamWriter({ queue: new FrameQueue(limits.maxPeerQueueBytes), maxFrameBytes, turn, counters })
    this.#writers = {
      consensus: writer(limits.maxFrameBytes.consensus),
      transfer: writer(limits.maxFrameBytes.transfer),
    }
    this.#dialer = dialer(() => this.#connections.length > 0)
  }

  get connected(): boolean {
    return this.#lane !== undefined
  }

  get queuedBytes(): number {
    return this.#writers.consensus.queuedBytes + this.#writers.transfer.queuedBytes
  }

  start(): void {
    this.#dialer.start()
  }

  stop(): void {
    this.#stopped = true
    this.#dialer.stop()
    this.#down()
  }

  /** Stops, and lets go of the other side. */
  drop(): void {
    this.stop()
    for (const { connection } of this.#connections) endConnection(connection, 'it left the roster')
  }

  send(channel: PeerChannel, frame: Uint8Array): boolean {
    return this.#writers[channel].send(frame)
  }

  /** A frame that came in on one of its connections. */
  receive(channel: PeerChannel, frame: Uint8Array): void {
    if (!this.#stopped) this.#options.onFrame(channel, frame)
  }

  opened(connection: Connection): void {
    this.#connections.push({ connection, since: performance.now() })
    void this.#takeOver(connection)
    if (this.#connections.length > this.#options.limits.maxConnectionsPerMember) {
      this.#options.counters.add('too-many-connections')
      const [oldest] = this.#connections
      if (oldest !== undefined) endConnection(oldest.connection, 'newer connections with this member were made')
    }
  }

  closed(connection: Connection): void {
    const entry = this.#connections.find((each) => each.connection === connection)
    if (entry === undefined) return
    this.#connections = this.#connections.filter((each) => each !== entry)
    if (this.#lane?.connection === connection) this.#down()
    const newest = this.#connections.at(-1)
    if (newest === undefined) this.#dialer.lost(performance.now() - entry.since)
    else if (this.#lane === undefined && !this.#stopped) void this.#takeOver(newest.connection)
  }

  /** Opens our streams on `connection` and sends over them from now on. */
  async #takeOver(connection: Connection): Promise<void> {
    if (this.#opening.has(connection)) return
    this.#opening.add(connection)
    let streams: Lane['streams']
    try {
      const { protocols, limits } = this.#options
      const signal = AbortSignal.timeout(limits.negotiationMs)
      const open = (protocol: string) => connection.newStream(protocol, { signal })
      const [consensus, transfer] = await Promise.all([open(protocols.consensus), open(protocols.transfer)])
      streams = { consensus, transfer }
    } catch (error) {
      // Without our streams it is of no use; the next attempt makes a new one.
      endConnection(connection, asError(error).message)
      return
    } finally {
      this.#opening.delete(connection)
    }
    const age = (of: Connection) => this.#connections.findIndex((each) => each.connection === of)
    const former = this.#lane
    if (this.#stopped || age(connection) < 0 || (former !== undefined && age(former.connection) > age(connection))) {
      endStreams(streams)
      return
    }
    this.#lane = { connection, streams }
    this.#writers.consensus.attach(streams.consensus)
    this.#writers.transfer.attach(streams.transfer)
    for (const stream of [streams.consensus, streams.transfer]) this.#watch(stream, connection)
    if (former === undefined) this.#options.onUp()
    else endStreams(former.streams)
  }

  /** Without one of our streams the connection is replaced: simpler than mending it, and as seldom. */
  #watch(stream: Stream, connection: Connection): void {
    const lost = () => {
      if (this.#lane?.connection === connection) endConnection(connection, 'the other side ended our stream')
    }
    if (stream.status === 'open') stream.addEventListener('close', lost)
    else lost()
  }

  #down(): void {
    if (this.#lane === undefined) return
    this.#lane = undefined
    this.#writers.consensus.detach()
    this.#writers.transfer.detach()
    this.#options.onDown()
  }
}

function endStreams({ consensus, transfer }: Lane['streams']): void {
  endStream(consensus)
  endStream(transfer)
}
