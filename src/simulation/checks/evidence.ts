// I10: evidence names liars only, and no honest replica finds a message of another to be one that nobody honest sends.

import type { Effect, Evidence, MessageFault } from '../../consensus/index.ts'
import { type Observer, type ReplicaView, Violation } from '../observer.ts'

export class EvidenceCheck implements Observer {
  private readonly isHonest: (identity: number) => boolean
  private readonly accusedBy: (evidence: Evidence) => number

  /** `accusedBy` tells whom evidence accuses, which names a position in an epoch. */
  constructor(
    isHonest: (identity: number) => boolean,
    accusedBy: (evidence: Evidence) => number = ({ accused }) => accused,
  ) {
    this.isHonest = isHonest
    this.accusedBy = accusedBy
  }

  effect(replica: ReplicaView, effect: Effect): void {
    if (!replica.honest || effect.kind !== 'evidence') return
    const { kind } = effect.evidence
    const accused = this.accusedBy(effect.evidence)
    if (!this.isHonest(accused)) return
    throw new Violation('I10 evidence', `r${replica.address} accuses r${accused}, which is honest, of ${kind}`)
  }

  refused(replica: ReplicaView, from: number, { class: kind, code }: MessageFault): void {
    if (kind !== 'blame' || !replica.honest || !this.isHonest(from)) return
    throw new Violation('I10 evidence', `r${replica.address} refuses a message of r${from}, which is honest: ${code}`)
  }
}
