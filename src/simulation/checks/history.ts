// I8: what clients were told is linearizable, by a search that knows nothing of the log and by the exact order of the log.
// I13: with a sound network and nobody lying, every request is answered within a bound; no client waits for others.

import type { Operation } from '../history.ts'
import { type Observer, Violation } from '../observer.ts'
import { checkLinearizability } from './linearizability.ts'
import { logOrderFault } from './log-order.ts'

export class HistoryCheck implements Observer {
  readonly operations: Operation[] = []
  /** True where the search for an order became too long; the exact check stands all the same. */
  undecided = false
  private readonly boundUs: number

  /** `boundUs`: the longest that a request may take; infinite where the run has faults. */
  constructor(boundUs: number) {
    this.boundUs = boundUs
  }

  invoked(operation: Operation): void {
    this.operations.push(operation)
  }

  returned({ client, sequence, invokedUs, returnedUs }: Operation): void {
    const tookUs = (returnedUs ?? 0) - invokedUs
    if (tookUs <= this.boundUs) return
    throw new Violation(
      'I13 fairness',
      `c${client}.${sequence} took ${tookUs} us with nothing wrong; bound ${this.boundUs} us`,
    )
  }

  finished(): void {
    const fault = logOrderFault(this.operations)
    if (fault !== undefined) throw new Violation('I8 linearizable', fault)
    const verdict = checkLinearizability(this.operations)
    if (verdict.kind === 'not-linearizable') {
      throw new Violation('I8 linearizable', `no order of the operations on ${verdict.key} explains what clients saw`)
    }
    this.undecided = verdict.kind === 'undecided'
  }
}
