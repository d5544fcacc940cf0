// I16: an honest replica that starts again knows of all that others hold under its name. It would be kept out as an older copy otherwise
// (src/replica/start-check.ts asks the others just this).

import type { ReplicaIndex } from '../../../crypto/index.ts'
import type { DurableRecord } from '../../consensus/index.ts'
import type { Core } from '../core.ts'
import { type Observer, type ReplicaView, Violation } from '../observer.ts'

/** A replica with its cores. */
export interface Informed extends ReplicaView {
  readonly epoch: number
  readonly index: ReplicaIndex
  coreIn(epoch: number): Pick<Core, 'heldOf' | 'forgotten'> | undefined
}

export class OwnWordCheck implements Observer {
  private readonly replicas: readonly Informed[]

  constructor(replicas: readonly Informed[]) {
    this.replicas = replicas
  }

  started(replica: ReplicaView, records: readonly DurableRecord[]): void {
    const self = this.replicas.find((each) => each === replica)
    const core = self?.coreIn(self.epoch)
    if (self === undefined || core === undefined || !self.honest) return
    for (const other of this.replicas) {
      const held = other === self || !other.honest ? undefined : other.coreIn(self.epoch)?.heldOf(self.index)
      const lost = held && core.forgotten(held, records)
      if (lost === undefined) continue
      const what =
        'statement' in lost ? `${lost.statement.kind} of slot ${lost.statement.slot}` : `note of slot ${lost.slot}`
      throw new Violation('I16 own word', `replica ${self.index} has forgotten its ${what}, which ${other.index} holds`)
    }
  }
}
