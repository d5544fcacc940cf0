// I12: a healed core that holds a quorum finishes everything that is pending. While it does not, the temperature rises: the time
// since anything was executed or answered. When it is too hot, the watch tells whether the core went in a circle (a lasso: the
// same abstract state again and again), stood still, or kept moving without getting anywhere.
// Ref: Killian et al., "Life, death, and the critical transition", 2007 (temperature); arXiv 2310.09006 (lasso).

import type { CoreStatus } from './core.ts'

/** A replica of the core, as far as liveness goes. */
export interface Watched {
  readonly address: number
  readonly epoch: number
  status(): CoreStatus | undefined
}

export class LivenessWatch {
  private readonly core: () => readonly Watched[]
  private readonly replicas: number
  private progress = ''
  private progressUs: number
  /** Abstract states since the last progress: how often each was entered again, and at which look it was seen last. */
  private readonly seen = new Map<string, { returns: number; last: number }>()
  private looks = 0

  constructor(core: () => readonly Watched[], replicas: number, nowUs: number) {
    this.core = core
    this.replicas = replicas
    this.progressUs = nowUs
  }

  /** To be called at regular times; `unanswered` is the number of requests that clients wait for. */
  look(nowUs: number, unanswered: number): void {
    const progress = `${unanswered} ${this.core()
      .map((replica) => replica.status()?.executed)
      .join()}`
    if (progress !== this.progress) {
      this.progress = progress
      this.progressUs = nowUs
      this.seen.clear()
    }
    // Views count by their leader: higher numbers alone are no news.
    const state = this.core()
      .map((replica) => replica.status())
      .map((status) => status && `${status.view % this.replicas}${status.phase}${status.chosen}/${status.pending}`)
      .join()
    this.looks++
    const known = this.seen.get(state)
    if (known === undefined) this.seen.set(state, { returns: 0, last: this.looks })
    else {
      // Looks one right after another are one visit.
      if (known.last !== this.looks - 1) known.returns++
      known.last = this.looks
    }
  }

  /** Milliseconds since anything was executed or answered. */
  temperature(nowUs: number): number {
    return (nowUs - this.progressUs) / 1000
  }

  /** One sentence on why nothing gets done, and where the replicas of the core stand. */
  diagnosis(nowUs: number): string {
    const states = this.core().map((replica) => {
      const { view, phase, chosen, executed, stable, pending, transferring } = replica.status() ?? {}
      const fetches = transferring ? ', fetching a state' : ''
      const where = `view ${view} ${phase}, chosen ${chosen}, executed ${executed}, stable ${stable?.slot}`
      return `r${replica.address}: epoch ${replica.epoch}, ${where}, pending ${pending}${fetches}`
    })
    return `no progress for ${Math.round(this.temperature(nowUs))} ms, ${this.shape()}; ${states.join('; ')}`
  }

  private shape(): string {
    if (this.seen.size === 1) return 'in one and the same state'
    const most = Math.max(0, ...[...this.seen.values()].map(({ returns }) => returns))
    if (most >= 2) return `going in a circle (a state came back ${most} times, among ${this.seen.size} states)`
    return `through ${this.seen.size} states that never came back`
  }
}
