// I15: honest replicas say nothing in an epoch about slots that are not of it, whether or not they have heard of its end; and once
// one of them has handed an epoch over, it signs nothing more in it. That no epoch is begun by two hand-overs is seen by `Epochs`.

import { bytesKey, type Digest } from '../../../crypto/index.ts'
import type { Effect, Message } from '../../consensus/index.ts'
import type { Epochs } from '../epochs.ts'
import { type Observer, type ReplicaView, Violation } from '../observer.ts'
import { ownVotes } from './votes.ts'

const NAME = 'I15 one epoch a slot'

interface Said {
  readonly membership: Digest
  /** The highest slot that an honest replica spoke about in the epoch, and who did. */
  slot: number
  replica: number
}

export class EpochsCheck implements Observer {
  private readonly epochs: Pick<Epochs, 'of'>
  private readonly highest = new Map<string, Said>()
  /** By address and membership: what handed it over. */
  private readonly silent = new Set<string>()
  private readonly seen = new WeakSet<object>()

  constructor(epochs: Pick<Epochs, 'of'>) {
    this.epochs = epochs
  }

  sent(replica: ReplicaView, _to: number, message: Message): void {
    if (!replica.honest || this.seen.has(message)) return
    this.seen.add(message)
    for (const { statement } of ownVotes(message, replica.index)) {
      const { kind, membership, slot } = statement
      this.say(replica, membership, slot, kind === 'view-change' || kind === 'new-view' ? slot + 1 : slot)
    }
  }

  effect(replica: ReplicaView, effect: Effect): void {
    if (!replica.honest || effect.kind !== 'hand-over') return
    const { previous } = effect.handOver.charter
    this.silent.add(silenceOf(replica, previous))
  }

  finished(): void {
    for (const said of this.highest.values()) this.judge(said)
  }

  /** `first` is what must be above the start: a view may begin there. */
  private say(replica: ReplicaView, membership: Digest, slot: number, first: number): void {
    const context = this.epochs.of(membership)
    if (context === undefined) throw new Violation(NAME, `r${replica.address} speaks in no epoch`)
    if (first <= context.start.slot) {
      const { epoch } = context.membership
      throw new Violation(
        NAME,
        `r${replica.address} speaks about slot ${slot} in epoch ${epoch}, which begins after it`,
      )
    }
    if (this.silent.has(silenceOf(replica, membership)))
      throw new Violation(NAME, `r${replica.address} signs in an epoch that it has handed over`)
    const key = bytesKey(membership)
    const said = this.highest.get(key)
    if (said !== undefined && said.slot >= slot) return
    const now = { membership, slot, replica: replica.address }
    this.highest.set(key, now)
    this.judge(now)
  }

  /** Also what was said before anybody knew of the end. */
  private judge({ membership, slot, replica }: Said): void {
    const lastSlot = this.epochs.of(membership)?.lastSlot
    if (lastSlot === undefined || slot <= lastSlot) return
    throw new Violation(NAME, `r${replica} speaks about slot ${slot} in an epoch that ends with slot ${lastSlot}`)
  }
}

function silenceOf({ address }: ReplicaView, membership: Digest): string {
  return `${address} ${bytesKey(membership)}`
}
