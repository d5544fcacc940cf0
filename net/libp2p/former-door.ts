// Those who were members once, and may not have heard that they are no longer: each connection asks one thing, is answered once, and
// ends. They come as members do, with a stream for each channel, since that is what they believe to be.

import type { Connection, Stream } from '@libp2p/interface'
import { equalBytes, type PublicKey } from '../../crypto/index.ts'
import type { Counters } from '../counters.ts'
import { joinFrames, prefixBytes, refuseEmpty } from '../frames.ts'
import type { NetLimits } from '../limits.ts'
import type { PeerChannel, ReplicaTransportHandlers } from '../transport.ts'
import { asError, endConnection } from './end.ts'
import { readFrames } from './stream-reader.ts'

export interface FormerDoorOptions {
  readonly limits: NetLimits
  readonly counters: Counters
  /** Of the stream that carries the answer. */
  readonly protocol: string
  readonly handlers: ReplicaTransportHandlers
}

interface Visit {
  readonly key: PublicKey
  readonly timer: NodeJS.Timeout
  asked: boolean
  /** Bytes of the answer; 0 before there is one. */
  answer: number
}

export class FormerDoor {
  readonly #options: FormerDoorOptions
  readonly #visits = new Map<Connection, Visit>()
  #stopped = false

  constructor(options: FormerDoorOptions) {
    this.#options = options
  }

  /** Bytes of answers under way. */
  get queuedBytes(): number {
    return [...this.#visits.values()].reduce((sum, { answer }) => sum + answer, 0)
  }

  hasRoom(key: PublicKey): boolean {
    const visits = [...this.#visits.values()]
    return (
      visits.length < this.#options.limits.maxFormerConnections && !visits.some((each) => equalBytes(each.key, key))
    )
  }

  has(connection: Connection): boolean {
    return this.#visits.has(connection)
  }

  /** Room was asked for before; several that asked at once are counted again here. */
  opened(connection: Connection, key: PublicKey): void {
    const { limits, counters } = this.#options
    if (!this.hasRoom(key)) {
      counters.add('too-many-connections')
      endConnection(connection, 'too many connections')
      return
    }
    // Also for what was answered: one that does not read its answer would stay for ever.
    const timer = setTimeout(() => endConnection(connection, 'a former member took too long'), limits.formerMs)
    this.#visits.set(connection, { key, timer, asked: false, answer: 0 })
  }

  closed(connection: Connection): void {
    clearTimeout(this.#visits.get(connection)?.timer)
    this.#visits.delete(connection)
  }

  /** Ends the connections of `peer`. */
  release(peer: string): void {
    for (const connection of this.#visits.keys()) {
      if (connection.remotePeer.toString() === peer) endConnection(connection, "its key is a member's again")
    }
  }

  /** Reads what comes on a stream of one that {@link has} found, and hands out its first frame on `consensus`. */
  read(channel: PeerChannel, stream: Stream, connection: Connection): void {
    const { limits, counters, handlers } = this.#options
    readFrames(stream, limits.maxFormerFrameBytes, counters, (frame) => {
      const visit = this.#visits.get(connection)
      if (visit === undefined || visit.asked || channel !== 'consensus' || this.#stopped) return
      visit.asked = true
      handlers.formerFrame({ key: visit.key, send: (answer) => this.#answer(connection, answer) }, frame)
    })
  }

  stop(): void {
    this.#stopped = true
    for (const { timer } of this.#visits.values()) clearTimeout(timer)
  }

  #answer(connection: Connection, frame: Uint8Array): boolean {
    refuseEmpty(frame)
    const visit = this.#visits.get(connection)
    if (visit === undefined || visit.answer > 0 || this.#stopped) return false
    if (frame.length > this.#options.limits.maxFormerAnswerBytes) {
      this.#options.counters.add('frame-too-large')
      return false
    }
    visit.answer = prefixBytes(frame.length) + frame.length
    void this.#deliver(connection, joinFrames([frame], visit.answer))
    return true
  }

  /** The answer on a stream of our own, and then the end. */
  async #deliver(connection: Connection, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
    const { limits, counters, protocol } = this.#options
    const signal = AbortSignal.timeout(limits.formerMs)
    try {
      const stream = await connection.newStream(protocol, { signal })
      stream.send(bytes)
      counters.wrote(bytes.length)
      await stream.close({ signal })
      await connection.close({ signal })
    } catch (error) {
      endConnection(connection, asError(error).message)
    }
  }
}
