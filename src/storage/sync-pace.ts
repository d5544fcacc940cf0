// Whether a sync is done at once, or by a thread. Asking a thread costs two changes of context and two turns of the event loop. On two
// cores, which the replica shares with others, that is more than a quick disk takes for the sync itself; and nothing is lost while
// we stand still, since what we wait for is that sync. A slow disk would keep us from everybody meanwhile, so that is for a thread.

/** Cores up to which a thread of its own for syncs is dearer than the sync. */
const FEW_CORES = 2
/** Milliseconds that a quick disk stays below. */
const QUICK_MS = 1
/** Syncs that go to a thread after one that was slow; then the disk is tried again. */
const CAUTIOUS_SYNCS = 256

export class SyncPace {
  private readonly fewCores: boolean
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
    if (ms > QUICK_MS) this.cautious = CAUTIOUS_SYNCS
  }

  /** A sync went to a thread. */
  handedOver(): void {
    if (this.cautious > 0) this.cautious--
  }
}
