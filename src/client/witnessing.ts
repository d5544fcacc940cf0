// Which bundles every replica is shown, and not the leader alone: from these the others see how long the leader takes (pitfall P48). One
// in so many; and where a slow leader makes bundles few, one after so long, or a leader that takes its time would keep that from the
// others for as long. Of many clients each shows the less: what counts is how much of it all replicas get to see together.

import { WITNESS_PAUSE_SHARE, WITNESSED_EVERY, WITNESSING_WEIGHT } from './limits.ts'

export class Witnessing {
  private readonly viewTimeoutMs: () => number
  private bundles = 0
  private shownAt: number | undefined
  /** How much of the slots that hold any requests of ours is ours, lately. */
  private share = 1

  constructor(viewTimeoutMs: () => number) {
    this.viewTimeoutMs = viewTimeoutMs
  }

  /** Of the `count` requests of a slot so many are ours, from 1. */
  note(ours: number, count: number): void {
    this.share += WITNESSING_WEIGHT * (ours / count - this.share)
  }

  /** Whether the next bundle goes to everybody. */
  next(nowMs: number): boolean {
    this.shownAt ??= nowMs
    const pauseMs = (this.viewTimeoutMs() * WITNESS_PAUSE_SHARE) / this.share
    const shows = ++this.bundles % WITNESSED_EVERY === 0 || nowMs - this.shownAt >= pauseMs
    if (shows) this.shownAt = nowMs
    return shows
  }
}
