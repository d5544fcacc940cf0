// Frames out on one stream: what is queued in a turn leaves as one write, and only while the stream takes more.

import type { Stream } from '@libp2p/interface'
import type { Counters } from '../counters.ts'
import type { FrameQueue } from '../frame-queue.ts'
import { refuseEmpty } from '../frames.ts'
import { asError } from './end.ts'

/** Flushes every writer that has something to say, once at the end of the turn. */
export class Turn {
  readonly #waiting = new Set<StreamWriter>()
  #scheduled = false

  add(writer: StreamWriter): void {
    this.#waiting.add(writer)
    if (this.#scheduled) return
    this.#scheduled = true
    setImmediate(() => {
      this.#scheduled = false
      this.flush()
    })
  }

  flush(): void {
    const writers = [...this.#waiting]
    this.#waiting.clear()
    for (const each of writers) each.flush()
  }
}

export interface StreamWriterOptions {
  readonly queue: FrameQueue
  readonly maxFrameBytes: number
  readonly turn: Turn
  readonly counters: Counters
}

export class StreamWriter {
  readonly #options: StreamWriterOptions
  #stream: Stream | undefined

  constructor(options: StreamWriterOptions) {
    this.#options = options
  }

  /** Bytes that wait here or in the stream. */
  get queuedBytes(): number {
    return this.#options.queue.bytes + (this.#stream?.writeBufferLength ?? 0)
  }

  /** Writes to `stream` from now on; what waits goes there too. */
  attach(stream: Stream): void {
    this.#stream = stream
    stream.addEventListener('drain', () => {
      if (this.#stream === stream) this.flush()
    })
    this.#options.turn.add(this)
  }

  /** Writes nowhere, and forgets what waits. */
  detach(): void {
    this.#stream = undefined
    this.#options.queue.clear()
  }

  /** False where the frame was dropped. @throws {RangeError} for an empty one. */
  send(frame: Uint8Array): boolean {
    const { queue, maxFrameBytes, turn, counters } = this.#options
    refuseEmpty(frame)
    if (this.#stream === undefined) return false
    if (frame.length > maxFrameBytes) {
      counters.add('frame-too-large')
      return false
    }
    if (!queue.push(frame, this.#stream.writeBufferLength)) {
      counters.add('queue-full')
      return false
    }
    turn.add(this)
    return true
  }

  flush(): void {
    const stream = this.#stream
    while (stream !== undefined && stream.writeStatus === 'writable' && !stream.writableNeedsDrain) {
      const bytes = this.#options.queue.take()
      if (bytes === undefined) return
      try {
        stream.send(bytes)
        this.#options.counters.wrote(bytes.length)
      } catch (error) {
        // Sending ends the connection where that has just gone away; its 'close' event, on its way, tells everyone
        // else.
        stream.abort(asError(error))
        return
      }
    }
  }
}
