// I4: what an honest replica reports as prepared in its ViewChanges never goes back, slot by slot, and covers every Accept that it
// sent: a stable checkpoint alone ends it.
// I5: a NewView that an honest replica makes or follows contains everything that was, or could still be, decided below its view.

import { type Digest, equalBytes, hex, type QuorumSystem, type VoteStatement } from '../../../crypto/index.ts'
import type { Effect, Message, NewView, ViewChange } from '../../consensus/index.ts'
import { type Observer, type ReplicaView, Violation } from '../observer.ts'
import { ownVotes } from './votes.ts'

/** Honest Accept votes for one value. */
interface Support {
  readonly view: number
  readonly slot: number
  readonly digest: string
  readonly membership: Digest
  readonly voters: Set<number>
}

export class PromisesCheck implements Observer {
  private readonly quorumsOf: (membership: Digest) => QuorumSystem
  /** Who lies of an epoch, as of now: also who was honest and has lost its memory since. */
  private readonly liars: (membership: Digest) => ReadonlySet<number>
  /** Per replica: the highest view accepted or reported as prepared, by slot. */
  private readonly bound = new Map<number, Map<number, number>>()
  private readonly supports = new Map<string, Support>()
  private readonly seen = new WeakSet<object>()

  constructor(quorumsOf: (membership: Digest) => QuorumSystem, liars: (membership: Digest) => ReadonlySet<number>) {
    this.quorumsOf = quorumsOf
    this.liars = liars
  }

  sent(replica: ReplicaView, _to: number, message: Message): void {
    if (!replica.honest || this.seen.has(message)) return
    this.seen.add(message)
    for (const { statement } of ownVotes(message, replica.index)) {
      if (statement.kind !== 'accept') continue
      this.bind(replica, statement.slot, statement.view)
      this.support(replica, statement)
    }
    if (message.kind === 'view-change' && message.viewChange.vote.replica === replica.index) {
      this.report(replica, message.viewChange)
    }
    if (message.kind === 'new-view') this.newView(replica, message.newView)
  }

  effect(replica: ReplicaView, effect: Effect): void {
    if (!replica.honest || effect.kind !== 'persist') return
    for (const record of effect.records) if (record.kind === 'new-view') this.newView(replica, record.newView)
  }

  private bind(replica: ReplicaView, slot: number, view: number): void {
    let slots = this.bound.get(replica.address)
    if (slots === undefined) {
      slots = new Map()
      this.bound.set(replica.address, slots)
    }
    slots.set(slot, Math.max(view, slots.get(slot) ?? 0))
  }

  private support(replica: ReplicaView, { view, slot, digest: said, membership }: VoteStatement): void {
    const digest = hex(said)
    const key = `${view}/${slot}/${digest}`
    const known = this.supports.get(key) ?? { view, slot, digest, membership, voters: new Set() }
    known.voters.add(replica.index)
    this.supports.set(key, known)
  }

  /** I4. */
  private report(replica: ReplicaView, { view, stable, prepared }: ViewChange): void {
    const reported = new Map<number, number>()
    for (const { statement } of prepared) reported.set(statement.slot, statement.view)
    for (const [slot, least] of this.bound.get(replica.address) ?? []) {
      if (slot <= stable.slot || least >= view) continue
      const said = reported.get(slot)
      if (said !== undefined && said >= least) continue
      const what = said === undefined ? 'nothing' : `view ${said}`
      throw new Violation(
        'I4 prepared is kept',
        `r${replica.address} accepted or reported view ${least} for slot ${slot}, and its ViewChange for ${view} says ${what}`,
      )
    }
    for (const [slot, at] of reported) this.bind(replica, slot, at)
  }

  /** I5. */
  private newView(replica: ReplicaView, newView: NewView): void {
    if (this.seen.has(newView)) return
    this.seen.add(newView)
    const start = newView.vote.statement.slot
    const offered = new Map(newView.proposals.map(({ statement }) => [statement.slot as number, hex(statement.digest)]))
    // So many honest votes: with those of the liars, said or still unsaid, they are a quorum. A vote of a liar's honest past is its own.
    const { membership } = newView.vote.statement
    const liars = this.liars(membership)
    const need = this.quorumsOf(membership).quorum - liars.size
    for (const { view, slot, digest, voters, membership: of } of this.supports.values()) {
      if (view >= newView.view || slot <= start || offered.get(slot) === digest) continue
      // What the next epoch decides is above all slots of this one.
      if (!equalBytes(of, membership)) continue
      if ([...voters].filter((voter) => !liars.has(voter)).length < need) continue
      throw new Violation(
        'I5 decided is carried over',
        `NewView ${newView.view}, followed by r${replica.address}, offers ${offered.get(slot) ?? 'nothing'} for slot ${slot}, ` +
          `where ${[...voters].join(', ')} accepted ${digest} in view ${view}`,
      )
    }
  }
}
