// Stands between the encrypted connection and yamux, and ends a connection whose other side uses more than its share.
// yamux itself bounds streams and windows, but not these three: how long a piece may be that it puts together (its
// header says up to 4 GiB), how many streams are opened and reset again, and the answers that pile up for a peer that
// asks and does not read.
//
// It also notices silence. Both ends ping a side that they have not heard from one look to the next, so a connection without
// a byte for some looks is dead, whatever TCP believes. Looks are counted, not milliseconds: a process that was stopped finds
// its clock far ahead, and its peers' bytes not read yet.

import type { MessageStream, StreamMuxer, StreamMuxerFactory } from '@libp2p/interface'
import { yamux } from '@libp2p/yamux'
import type { Counters } from '../counters.ts'
import type { NetLimits } from '../limits.ts'
import { holdCredits } from './credits.ts'

type Chunk = Parameters<MessageStream['send']>[0]

const HEADER_BYTES = 12
const DATA_FRAME = 0
const SYN = 1
/** yamux takes no smaller window. */
const FIRST_WINDOW_BYTES = 256 * 1024
/** The first look shows only that something was heard since the one before. */
const PINGED_TICKS = 2

/** The connections of one node, watched. */
export class Guards {
  readonly #limits: NetLimits
  readonly #counters: Counters
  readonly #guards = new Set<Guard>()

  constructor(limits: NetLimits, counters: Counters) {
    this.#limits = limits
    this.#counters = counters
  }

  /** yamux, with a guard on each connection. */
  muxer(): () => StreamMuxerFactory {
    const { maxStreams, windowBytes } = this.#limits
    const inner = yamux({
      maxInboundStreams: maxStreams,
      maxOutboundStreams: maxStreams,
      // It would ping every connection all the time, busy ones too: of 256 clients that is half of what they hear.
      enableKeepAlive: false,
      streamOptions: { initialStreamWindowSize: FIRST_WINDOW_BYTES, maxStreamWindowSize: windowBytes },
    })()
    return () => ({
      protocol: inner.protocol,
      createStreamMuxer: (connection) => {
        // Before yamux listens, so that nothing reaches it unseen.
        const guard = new Guard(connection, this.#limits, this.#counters)
        this.#guards.add(guard)
        connection.addEventListener('close', () => this.#guards.delete(guard))
        holdCredits(connection)
        const muxer = inner.createStreamMuxer(connection)
        guard.watch(muxer)
        return muxer
      },
    })
  }

  /** One look at every connection. */
  tick(): void {
    for (const guard of this.#guards) guard.tick()
  }
}

class Guard {
  readonly #connection: MessageStream
  readonly #limits: NetLimits
  readonly #counters: Counters
  readonly #header = new Uint8Array(HEADER_BYTES)
  #headerBytes = 0
  /** Bytes of the present piece's body that are still to come, and encrypted messages it came in so far. */
  #body = 0
  #pieces = 0
  #opened = 0
  #silentTicks = 0
  #ended = false
  #muxer: StreamMuxer | undefined

  constructor(connection: MessageStream, limits: NetLimits, counters: Counters) {
    this.#connection = connection
    this.#limits = limits
    this.#counters = counters
    connection.maxWriteBufferLength = limits.maxUnsentBytes
    connection.addEventListener('message', ({ data }) => this.#see(data))
  }

  /** Pings through `muxer` from now on, and once at the start: yamux widens its windows by how long that takes. */
  watch(muxer: StreamMuxer): void {
    this.#muxer = muxer
    setImmediate(() => this.#ping())
  }

  tick(): void {
    this.#silentTicks++
    if (this.#silentTicks > this.#limits.maxSilentTicks) this.#end('the other side has been silent for too long')
    else if (this.#silentTicks >= PINGED_TICKS) this.#ping()
  }

  #ping(): void {
    const muxer = this.#muxer
    if (muxer === undefined || !canPing(muxer)) return
    // Where it fails the connection is closing, or its end is seen by the silence.
    muxer.ping().catch(() => {})
  }

  #see(data: Chunk): void {
    this.#silentTicks = 0
    if (this.#body > 0 && ++this.#pieces > this.#limits.maxPiecesPerMuxFrame) {
      this.#end('a piece of yamux came in too many parts', 'frame-too-large')
    }
    if (data instanceof Uint8Array) this.#read(data)
    else for (const bytes of data) this.#read(bytes)
  }

  #read(bytes: Uint8Array): void {
    let offset = 0
    while (offset < bytes.length && !this.#ended) {
      if (this.#body > 0) {
        const skipped = Math.min(this.#body, bytes.length - offset)
        this.#body -= skipped
        offset += skipped
        continue
      }
      const taken = Math.min(HEADER_BYTES - this.#headerBytes, bytes.length - offset)
      this.#header.set(bytes.subarray(offset, offset + taken), this.#headerBytes)
      this.#headerBytes += taken
      offset += taken
      if (this.#headerBytes === HEADER_BYTES) this.#judgeHeader()
    }
  }

  #judgeHeader(): void {
    this.#headerBytes = 0
    const [, type = 0, , flags = 0, , , , , a = 0, b = 0, c = 0, d = 0] = this.#header
    if ((flags & SYN) !== 0 && type <= 1 && ++this.#opened > this.#limits.maxStreams) {
      this.#end('too many streams were opened on one connection', 'too-many-streams')
    }
    if (type !== DATA_FRAME) return
    this.#body = a * 2 ** 24 + b * 2 ** 16 + c * 2 ** 8 + d
    this.#pieces = 0
    if (this.#body > this.#limits.windowBytes) {
      this.#end('a piece of yamux is longer than the window', 'frame-too-large')
    }
  }

  #end(why: string, counter?: Parameters<Counters['add']>[0]): void {
    if (this.#ended) return
    this.#ended = true
    if (counter !== undefined) this.#counters.add(counter)
    this.#connection.abort(new Error(why))
  }
}

/** yamux can; what libp2p says of muxers in general leaves it out. */
function canPing(muxer: StreamMuxer): muxer is StreamMuxer & { ping(): Promise<number> } {
  return 'ping' in muxer && typeof muxer.ping === 'function'
}
