// Counts of what was dropped or refused, by reason, and of what was sent.

import type { Traffic, TransportCounter } from './transport.ts'

export class Counters {
  readonly #counts = new Map<TransportCounter, number>()
  #writes = 0
  #bytes = 0

  add(counter: TransportCounter): void {
    this.#counts.set(counter, (this.#counts.get(counter) ?? 0) + 1)
  }

  /** One write of so many bytes. */
  wrote(bytes: number): void {
    this.#writes++
    this.#bytes += bytes
  }

  get sent(): Traffic {
    return { writes: this.#writes, bytes: this.#bytes }
  }

  /** A copy; reasons that never came up are absent. */
  read(): Readonly<Partial<Record<TransportCounter, number>>> {
    return Object.fromEntries(this.#counts)
  }
}
