// yamux answers every piece of data with a window update at once, and each costs an encryption and a system call, as
// much as a vote. Here they wait for company: they leave with the next thing that is written, or when they add up to a
// quarter of the smallest window, long before the other side could run out, or after some seconds.

import type { MessageStream } from '@libp2p/interface'

const HEADER_BYTES = 12
const WINDOW_UPDATE = 1
/**
 * Milliseconds that an update waits at most, for the sake of order: what is held is never so much that anybody waits for it. With a tenth
 * of a second, clients that have one request under way answered most replies with a message that said nothing else.
 */
const HOLD_MS = 5_000
/** Bytes of window that may wait to be given back: a quarter of what yamux starts with. */
const MAX_HELD_BYTES = 64 * 1024

/** From now on, the window updates that yamux writes to `connection` are put together. */
export function holdCredits(connection: Pick<MessageStream, 'send' | 'writableNeedsDrain' | 'addEventListener'>): void {
  const send = connection.send.bind(connection)
  /** Bytes to give back by stream. */
  const held = new Map<number, number>()
  let heldBytes = 0
  let timer: NodeJS.Timeout | undefined

  const release = (): Uint8Array => {
    clearTimeout(timer)
    timer = undefined
    const updates = new Uint8Array(HEADER_BYTES * held.size)
    const view = new DataView(updates.buffer)
    let offset = 0
    for (const [stream, bytes] of held) {
      updates[offset + 1] = WINDOW_UPDATE
      view.setUint32(offset + 4, stream)
      view.setUint32(offset + 8, bytes)
      offset += HEADER_BYTES
    }
    held.clear()
    heldBytes = 0
    return updates
  }
  const attempt = (updates: Uint8Array): boolean => {
    try {
      return send(updates)
    } catch {
      // The connection is closing, and throws at whoever writes to it; in a timer, or in the microtask in which yamux
      // opens a stream, that would end the process. Nobody is left to use what was given back, and its 'close' event
      // tells everyone else.
      return false
    }
  }
  const flush = () => {
    if (held.size > 0) attempt(release())
  }

  connection.send = (data) => {
    if (!(data instanceof Uint8Array)) {
      if (held.size > 0) data.prepend(release())
      return send(data)
    }
    if (!isWindowUpdate(data)) {
      flush()
      return data[1] === WINDOW_UPDATE ? attempt(data) : send(data)
    }
    const view = new DataView(data.buffer, data.byteOffset)
    const [stream, bytes] = [view.getUint32(4), view.getUint32(8)]
    held.set(stream, (held.get(stream) ?? 0) + bytes)
    heldBytes += bytes
    if (heldBytes >= MAX_HELD_BYTES) return send(release())
    timer ??= setTimeout(flush, HOLD_MS)
    return !connection.writableNeedsDrain
  }
  connection.addEventListener('close', () => clearTimeout(timer))
}

/** One without flags: those that open, answer, end or reset a stream do not wait. */
function isWindowUpdate(data: Uint8Array): boolean {
  return data.length === HEADER_BYTES && data[1] === WINDOW_UPDATE && data[2] === 0 && data[3] === 0
}
