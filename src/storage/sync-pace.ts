// Whether a sync is done at once, or by a thread. Asking a thread costs two changes of context and two turns of the event loop. On two
// cores, which the replica shares with others, that is more than a quick disk takes for the sync itself; and nothing is lost while
// we stand still, since what we wait for is that sync. A slow disk would keep us from everybody meanwhile, so that is for a thread.

/** Cores up to which a thread of its own for syncs is dearer than the sync. */
const FEW_CORES = 2
/** Milliseconds that the syncs of a quick disk take on average; on a busy machine that is mostly waiting for a core. */
const QUICK_MS = 1.5
/** One sync counts as no longer than this, and as such a part of the average: a pause of the machine says nothing of its disk. */
const MOST_MS = 8
const WEIGHT = 1 / 16
/** Syncs that go to a thread once the disk was slow; then it is tried again. */
const CAUTIOUS_SYNCS = 256

export class SyncPace {
  private readonly fewCores: boolean
  private averageMs = 0
  private cautious = 0

  constructor(cores: number) {
    this.fewCores = cores <= FEW_CORES
  }

  /** True where the next sync is to be done at once. */
  get quick(): boolean {
    return this.fewCores && this.cautious === 0
  }

  /** A sync at once took so many milliseconds. */
  took(ms: number): void {
    this.averageMs += WEIGHT * (Math.min(ms, MOST_MS) - this.averageMs)
    if (this.averageMs <= QUICK_MS) return
    this.averageMs = 0
    this.cautious = CAUTIOUS_SYNCS
  }

  /** A sync went to a thread. */
  handedOver(): void {
    if (this.cautious > 0) this.cautious--
  }
}
