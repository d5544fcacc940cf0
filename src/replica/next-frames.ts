// Frames of the epoch after ours: their senders are there already. They wait as they came, since nothing in them can be checked before the
// epoch has begun here (M8).

import { NEXT_FRAMES_BYTES, NEXT_FRAMES_PER_PEER, PACED_PEERS } from './limits.ts'
import type { Peer } from './reign.ts'

interface Waiting {
  readonly frames: Uint8Array[]
  bytes: number
}

export class NextFrames {
  private waiting = new Map<Peer, Waiting>()

  /** False where there was no room for it: the protocol sends again what matters. */
  keep(from: Peer, frame: Uint8Array): boolean {
    const waiting = this.waiting.get(from) ?? { frames: [], bytes: 0 }
    const full =
      waiting.frames.length >= NEXT_FRAMES_PER_PEER ||
      waiting.bytes + frame.length > NEXT_FRAMES_BYTES ||
      (waiting.frames.length === 0 && this.waiting.size >= PACED_PEERS)
    if (full) return false
    waiting.frames.push(frame)
    waiting.bytes += frame.length
    this.waiting.set(from, waiting)
    return true
  }

  /** All of them, in the order in which each peer sent them; they wait no longer. */
  take(): readonly (readonly [Peer, Uint8Array])[] {
    const { waiting } = this
    this.waiting = new Map()
    return [...waiting].flatMap(([peer, { frames }]) => frames.map((frame) => [peer, frame] as const))
  }
}
