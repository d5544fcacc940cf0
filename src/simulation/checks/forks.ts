// I10, beyond the budget: with more than b liars the log may fork. Then the auditor, given what the honest replicas kept, must name
// at least 2q - n liars and nobody who is honest. Takes the place of the agreement check in runs with too many liars.

import { type Certificate, equalBytes, type ReplicaIndex } from '../../../crypto/index.ts'
import { blameFork } from '../../audit/verify/index.ts'
import type { DurableRecord, Effect, NewView, VerifyContext } from '../../consensus/index.ts'
import { type Observer, type ReplicaView, Violation } from '../observer.ts'

/** A fork whose makers were named: what such a run looks for, and where it ends. */
export class ForkBlamed extends Violation {
  readonly guilty: readonly ReplicaIndex[]

  constructor(slot: number, guilty: readonly ReplicaIndex[]) {
    super(
      'fork blamed',
      `slot ${slot} was decided twice; the signatures convict ${guilty.map((each) => `r${each}`).join(', ')}`,
    )
    this.guilty = guilty
  }
}

export class ForkCheck implements Observer {
  private readonly context: VerifyContext
  private readonly isHonest: (replica: ReplicaIndex) => boolean
  private readonly chosen = new Map<number, Certificate>()
  private readonly newViews: NewView[] = []

  /** `context` verifies strictly, whatever the replicas do. */
  constructor(context: VerifyContext, isHonest: (replica: ReplicaIndex) => boolean) {
    this.context = context
    this.isHonest = isHonest
  }

  effect(replica: ReplicaView, effect: Effect): void {
    if (!replica.honest || effect.kind !== 'persist') return
    // The NewViews first: one that a certificate of the same step relies on belongs to what was kept.
    for (const record of effect.records) if (record.kind === 'new-view') this.newViews.push(record.newView)
    for (const record of effect.records) this.record(record)
  }

  private record(record: DurableRecord): void {
    if (record.kind !== 'chosen') return
    const { slot, digest } = record.certificate.statement
    const first = this.chosen.get(slot)
    if (first === undefined) this.chosen.set(slot, record.certificate)
    else if (!equalBytes(first.statement.digest, digest)) this.judge(first, record.certificate)
  }

  private judge(first: Certificate, second: Certificate): never {
    const { guilty, missing } = blameFork(first, second, this.newViews, this.context)
    const { quorum, replicas } = this.context.membership.quorums
    const innocent = guilty.filter(this.isHonest)
    const { slot } = first.statement
    if (innocent.length > 0)
      throw new Violation('I10 blame', `slot ${slot}: blames ${innocent.join(', ')}, who are honest`)
    if (guilty.length >= 2 * quorum - replicas) throw new ForkBlamed(slot, guilty)
    const views = `views ${first.statement.view} and ${second.statement.view}`
    const why = missing.length > 0 ? `; missing NewViews: ${missing.length}` : ''
    throw new Violation('I10 blame', `slot ${slot}, ${views}: names ${guilty.length} of ${2 * quorum - replicas}${why}`)
  }
}
