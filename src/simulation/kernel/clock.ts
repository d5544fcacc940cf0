// A machine's clocks, as wrong as real ones: an offset and a drift against simulated time. Simulated time is in whole
// microseconds from 0; what a replica reads is in milliseconds.

/** Wall-clock milliseconds since 1970 at simulated time 0: 2026-01-01T00:00:00Z. */
export const WALL_START_MS = 1_767_225_600_000

export interface ClockSettings {
  /** Wall clock ahead of the true time, milliseconds; negative where behind. */
  readonly offsetMs: number
  /** Parts per million by which both clocks run too fast. */
  readonly driftPpm: number
}

export class Clock {
  private offsetMs: number
  private readonly driftPpm: number
  private startedUs = 0

  constructor(settings: ClockSettings) {
    this.offsetMs = settings.offsetMs
    this.driftPpm = settings.driftPpm
  }

  /** The monotonic clock begins again with each start of the machine. */
  restart(nowUs: number): void {
    this.startedUs = nowUs
  }

  monotonicMs(nowUs: number): number {
    return Math.floor(this.drifted(nowUs - this.startedUs) / 1000)
  }

  wallMs(nowUs: number): number {
    return WALL_START_MS + this.offsetMs + Math.floor(this.drifted(nowUs) / 1000)
  }

  /** An operator, or a time server, sets the wall clock. */
  jump(byMs: number): void {
    this.offsetMs += byMs
  }

  private drifted(elapsedUs: number): number {
    return Math.floor(elapsedUs + (elapsedUs * this.driftPpm) / 1_000_000)
  }
}
