// Counts of what was dropped or refused, by reason.

import type { TransportCounter } from './transport.ts'

export class Counters {
  readonly #counts = new Map<TransportCounter, number>()

  add(counter: TransportCounter): void {
    this.#counts.set(counter, (this.#counts.get(counter) ?? 0) + 1)
  }

  /** A copy; reasons that never came up are absent. */
  read(): Readonly<Partial<Record<TransportCounter, number>>> {
    return Object.fromEntries(this.#counts)
  }
}
