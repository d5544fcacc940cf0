// The clients of one replica: their connections, and on each one stream for both directions.

import type { Connection, Stream } from '@libp2p/interface'
import { hex, type PublicKey } from '../../crypto/index.ts'
import type { Counters } from '../counters.ts'
import { Budget, FrameQueue } from '../frame-queue.ts'
import type { NetLimits } from '../limits.ts'
import type { ClientLink, ReplicaTransportHandlers } from '../transport.ts'
import { endConnection } from './end.ts'
import { readFrames } from './stream-reader.ts'
import { StreamWriter, type Turn } from './stream-writer.ts'

export interface ClientDoorOptions {
  readonly limits: NetLimits
  readonly counters: Counters
  readonly turn: Turn
  readonly handlers: ReplicaTransportHandlers
}

interface Guest {
  readonly key: PublicKey
  readonly name: string
  link: Link | undefined
}

export class ClientDoor {
  readonly #options: ClientDoorOptions
  readonly #budget: Budget
  readonly #guests = new Map<Connection, Guest>()
  readonly #byKey = new Map<string, number>()
  #stopped = false
  #links = 0

  constructor(options: ClientDoorOptions) {
    this.#options = options
    this.#budget = new Budget(options.limits.maxClientsQueueBytes)
  }

  get queuedBytes(): number {
    return [...this.#guests.values()].reduce((sum, { link }) => sum + (link?.queuedBytes ?? 0), 0)
  }

  hasRoom(key: PublicKey): boolean {
    const { maxClientConnections, maxConnectionsPerClient } = this.#options.limits
    return this.#guests.size < maxClientConnections && (this.#byKey.get(hex(key)) ?? 0) < maxConnectionsPerClient
  }

  /** Room was asked for before; several that asked at once are counted again here. */
  opened(connection: Connection, key: PublicKey): void {
    if (!this.hasRoom(key)) {
      this.#options.counters.add('too-many-connections')
      endConnection(connection, 'too many connections')
      return
    }
    const name = hex(key)
    this.#guests.set(connection, { key, name, link: undefined })
    this.#byKey.set(name, (this.#byKey.get(name) ?? 0) + 1)
  }

  closed(connection: Connection): void {
    const guest = this.#guests.get(connection)
    if (guest === undefined) return
    this.#guests.delete(connection)
    const left = (this.#byKey.get(guest.name) ?? 1) - 1
    if (left === 0) this.#byKey.delete(guest.name)
    else this.#byKey.set(guest.name, left)
    this.#end(guest)
  }

  /** Ends the connections of `peer`. */
  release(peer: string): void {
    for (const connection of this.#guests.keys()) {
      if (connection.remotePeer.toString() === peer) endConnection(connection, "its key is a member's now")
    }
  }

  accept(stream: Stream, connection: Connection): void {
    const { limits, counters, turn, handlers } = this.#options
    const guest = this.#guests.get(connection)
    if (guest === undefined || this.#stopped || guest.link !== undefined) {
      counters.add(guest?.link === undefined ? 'stream-reset' : 'too-many-streams')
      stream.abort(new Error('a client has one stream'))
      return
    }
    const queue = new FrameQueue(limits.maxClientQueueBytes, this.#budget)
    const writer = new StreamWriter({ queue, maxFrameBytes: limits.maxFrameBytes.replica, turn, counters })
    const link = new Link(guest.key, this.#links++, writer, connection)
    guest.link = link
    writer.attach(stream)
    handlers.clientUp(link)
    readFrames(stream, limits.maxFrameBytes.client, counters, (frame) => {
      if (link.open) handlers.clientFrame(link, frame)
    })
    // A client that ends its stream, or its half of it, is done.
    const ended = () => endConnection(connection, 'the client ended its stream')
    stream.addEventListener('close', ended)
    stream.addEventListener('remoteCloseWrite', ended)
  }

  stop(): void {
    this.#stopped = true
    for (const guest of this.#guests.values()) this.#end(guest)
  }

  #end(guest: Guest): void {
    const { link } = guest
    if (link === undefined || !link.open) return
    link.end()
    this.#options.handlers.clientDown(link)
  }
}

class Link implements ClientLink {
  readonly key: PublicKey
  readonly id: number
  readonly #writer: StreamWriter
  readonly #connection: Connection
  open = true

  constructor(key: PublicKey, id: number, writer: StreamWriter, connection: Connection) {
    this.key = key
    this.id = id
    this.#writer = writer
    this.#connection = connection
  }

  get queuedBytes(): number {
    return this.#writer.queuedBytes
  }

  send(frame: Uint8Array): boolean {
    return this.#writer.send(frame)
  }

  close(): void {
    if (this.open) endConnection(this.#connection, 'the replica ended the link')
  }

  end(): void {
    this.open = false
    this.#writer.detach()
  }
}
