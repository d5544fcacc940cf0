// Reaches one member again and again until it is met: exponential back-off with jitter, for ever.

import { dialError } from '../errors.ts'
import type { NetLimits } from '../limits.ts'
import type { Place } from './links.ts'
import type { NetNotice } from './options.ts'

export interface DialerOptions {
  readonly place: Place
  readonly addresses: () => readonly string[]
  /** Connects to one address; rejects where nobody, or somebody else, is there. */
  readonly dial: (address: string, signal: AbortSignal) => Promise<void>
  readonly limits: NetLimits
  readonly random: () => number
  readonly onNotice: ((notice: NetNotice) => void) | undefined
  /** Whether there is a connection, whoever dialled. */
  readonly isMet: () => boolean
  /** Milliseconds before the very first attempt. */
  readonly delayMs: number
}

export class Dialer {
  readonly #options: DialerOptions
  #timer: NodeJS.Timeout | undefined
  #attempt: AbortController | undefined
  #failures = 0
  #stopped = false

  constructor(options: DialerOptions) {
    this.#options = options
  }

  start(): void {
    this.#schedule(this.#options.delayMs)
  }

  stop(): void {
    this.#stopped = true
    clearTimeout(this.#timer)
    this.#attempt?.abort(new Error('the transport was stopped'))
  }

  /** The last connection is gone, after `heldMs`. */
  lost(heldMs: number): void {
    // One that is ended at once, again and again, counts like one that could not be made.
    if (heldMs >= this.#options.limits.settledMs) this.#failures = 0
    else this.#failures++
    this.#schedule(this.#failures === 0 ? 0 : this.#backoff())
  }

  #schedule(delayMs: number): void {
    if (this.#stopped || this.#timer !== undefined || this.#attempt !== undefined) return
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      if (!this.#options.isMet()) void this.#try()
    }, delayMs)
  }

  async #try(): Promise<void> {
    const { addresses, dial, limits } = this.#options
    const attempt = new AbortController()
    this.#attempt = attempt
    let failure: { readonly address: string; readonly error: unknown } | undefined
    for (const address of addresses()) {
      if (this.#stopped) break
      try {
        await dial(address, AbortSignal.any([attempt.signal, AbortSignal.timeout(limits.dialMs)]))
        failure = undefined
        break
      } catch (error) {
        failure = { address, error }
      }
    }
    this.#attempt = undefined
    if (this.#stopped || this.#options.isMet()) return
    if (failure !== undefined) this.#failed(failure.address, failure.error)
    // Met and lost again within the attempt, when nothing could be scheduled.
    else this.lost(0)
  }

  #failed(address: string, cause: unknown): void {
    const { onNotice } = this.#options
    const { index: replica } = this.#options.place
    this.#failures++
    const retryMs = this.#backoff()
    const error = dialError(`replica ${replica}`, address, cause)
    onNotice?.({ kind: 'dial-failed', replica, address, attempt: this.#failures, retryMs, error })
    this.#schedule(retryMs)
  }

  /**
   * Between half and all of the doubled delay, so that members that lost one another at once do not all return at
   * once.
   */
  #backoff(): number {
    const { backoffMs, backoffCapMs } = this.#options.limits
    const full = Math.min(backoffCapMs, backoffMs * 2 ** Math.min(this.#failures - 1, 30))
    return Math.round(full * (0.5 + this.#options.random() / 2))
  }
}
