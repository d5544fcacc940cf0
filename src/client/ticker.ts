// The one timer of a client: it looks at everything that waits, and stands still while nothing does.

import { TICK_MS } from './limits.ts'

/** Looks at what waits at time `nowMs`; false where nothing does any more. */
export type Look = (nowMs: number) => boolean

export class Ticker {
  private readonly looks: Look[] = []
  private timer: NodeJS.Timeout | undefined

  add(look: Look): void {
    this.looks.push(look)
  }

  /** Milliseconds that never go back. */
  now(): number {
    return performance.now()
  }

  /** Something waits. */
  wake(): void {
    this.timer ??= setInterval(() => this.look(), TICK_MS)
  }

  stop(): void {
    clearInterval(this.timer)
    this.timer = undefined
  }

  private look(): void {
    const now = this.now()
    const busy = this.looks.map((look) => look(now))
    if (!busy.includes(true)) this.stop()
  }
}
