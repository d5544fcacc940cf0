// I10: evidence names liars only, and no honest replica finds a message of another to be one that nobody honest sends.

import type { ReplicaIndex } from '../../../crypto/index.ts'
import type { Effect, MessageFault } from '../../consensus/index.ts'
import { type Observer, type ReplicaView, Violation } from '../observer.ts'

export class EvidenceCheck implements Observer {
  private readonly isHonest: (replica: number) => boolean

  constructor(isHonest: (replica: number) => boolean) {
    this.isHonest = isHonest
  }

  effect(replica: ReplicaView, effect: Effect): void {
    if (!replica.honest || effect.kind !== 'evidence' || !this.isHonest(effect.evidence.accused)) return
    const { accused, kind } = effect.evidence
    throw new Violation('I10 evidence', `r${replica.address} accuses r${accused}, which is honest, of ${kind}`)
  }

  refused(replica: ReplicaView, from: ReplicaIndex, { class: kind, code }: MessageFault): void {
    if (kind !== 'blame' || !replica.honest || !this.isHonest(from)) return
    throw new Violation('I10 evidence', `r${replica.address} refuses a message of r${from}, which is honest: ${code}`)
  }
}
