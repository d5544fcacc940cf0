// What one source may cost: tokens that come back with time. A source is served while it has any, whatever the next frame will
// cost, and pays afterwards; so the cost of a frame need not be known before, and no honest frame is ever too dear.

export class TokenBucket {
  private readonly perMs: number
  private readonly burst: number
  private tokens: number
  private atMs: number | undefined

  constructor(perSecond: number, burst: number) {
    this.perMs = perSecond / 1000
    this.burst = burst
    this.tokens = burst
  }

  /** True where the source may be served at this monotonic time, in milliseconds. */
  ready(nowMs: number): boolean {
    const passed = nowMs - (this.atMs ?? nowMs)
    this.atMs = nowMs
    this.tokens = Math.min(this.burst, this.tokens + Math.max(0, passed) * this.perMs)
    return this.tokens > 0
  }

  /** True where nothing of it is in use. */
  get full(): boolean {
    return this.tokens >= this.burst
  }

  take(cost: number): void {
    this.tokens -= cost
  }
}
