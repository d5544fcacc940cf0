// Frames in on one stream, delivered while the socket's own event is handled: no promise and no turn in between.

import type { Stream } from '@libp2p/interface'
import type { Counters } from '../counters.ts'
import { FrameReader } from '../frames.ts'
import { withTraces } from './traces.ts'

/** Delivers the frames of `stream` until it closes; one that cannot be read resets it. */
export function readFrames(
  stream: Stream,
  maxBytes: number,
  counters: Counters,
  deliver: (frame: Uint8Array) => void,
): void {
  const reader = new FrameReader(maxBytes, (frame) => withTraces(() => deliver(frame)))
  let faulty = false
  stream.addEventListener('message', ({ data }) => {
    for (const chunk of data instanceof Uint8Array ? [data] : data) {
      const fault = reader.push(chunk)
      if (fault === undefined || faulty) continue
      faulty = true
      counters.add(fault)
      stream.abort(new Error(`a frame could not be read: ${fault}`))
    }
  })
  stream.addEventListener('close', () => reader.stop())
}
