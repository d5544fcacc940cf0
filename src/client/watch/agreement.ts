// What several replicas say about the same keys becomes what t of them agree on, slot by slot: at least one of any t is honest, so
// nothing is in it that did not happen, and nothing that happened is missing. That nothing happened takes t voices as well.

import { equalBytes, type ReplicaIndex } from '../../../crypto/index.ts'
import type { WatchedChange, WatchedRequest, WatchedSlot } from '../../wire/index.ts'
import type { Stream } from './stream.ts'

/** Those who said the same about one slot. */
export interface Decided {
  readonly slot: WatchedSlot
  /** What each of them said, which differs in the certificate alone. */
  readonly said: ReadonlyMap<ReplicaIndex, WatchedSlot>
}

export interface Settled {
  readonly decided: readonly Decided[]
  /** Those who said other things than t others. */
  readonly contradicted: readonly ReplicaIndex[]
  /** They agree on a slot of an epoch that is not known here: what comes from there on waits until that is. */
  readonly ahead: boolean
  /** Voices that are missing where those that were heard contradict one another, and nobody knows yet who is right. */
  readonly short: number
}

interface Opinion {
  /** Undefined: nothing happened. */
  readonly slot: WatchedSlot | undefined
  readonly by: Map<ReplicaIndex, WatchedSlot | undefined>
}

export class Agreement {
  /** Decided up to this slot. */
  position: number
  private readonly trust: number
  private readonly epoch: number
  private readonly streams = new Map<ReplicaIndex, Stream>()

  /** `trust` voices of members of `epoch` settle a slot, of that epoch or those before. */
  constructor({ epoch, trust, position }: { epoch: number; trust: number; position: number }) {
    this.epoch = epoch
    this.trust = trust
    this.position = position
  }

  join(replica: ReplicaIndex, stream: Stream): void {
    this.streams.set(replica, stream)
  }

  leave(replica: ReplicaIndex): void {
    this.streams.delete(replica)
  }

  /** Decides what can be decided now. Who contradicts leaves at once. */
  settle(): Settled {
    const decided: Decided[] = []
    const contradicted: ReplicaIndex[] = []
    for (;;) {
      for (const stream of this.streams.values()) stream.discard(this.position)
      const reach = this.reach()
      if (reach <= this.position) return { decided, contradicted, ahead: false, short: 0 }
      const next = Math.min(
        ...[...this.streams.values()].map((stream) => stream.next?.slot ?? Number.POSITIVE_INFINITY),
      )
      this.position = Math.min(reach, next - 1)
      if (next > reach) continue
      const opinions = this.opinionsOn(next)
      const best = opinions.reduce((a, b) => (b.by.size > a.by.size ? b : a))
      if (best.by.size < this.trust) {
        return { decided, contradicted, ahead: false, short: this.missing(best.by.size, next) }
      }
      if ((best.slot?.header.epoch ?? 0) > this.epoch) return { decided, contradicted, ahead: true, short: 0 }
      for (const other of opinions) if (other !== best) contradicted.push(...other.by.keys())
      for (const replica of contradicted) this.leave(replica)
      if (best.slot !== undefined) decided.push({ slot: best.slot, said: saidBy(best.by) })
      this.position = next
    }
  }

  /** The slot up to which t have spoken. */
  private reach(): number {
    const covered = [...this.streams.values()].map((stream) => stream.covered).sort((a, b) => b - a)
    return covered[this.trust - 1] ?? this.position
  }

  private opinionsOn(at: number): Opinion[] {
    const opinions: Opinion[] = []
    for (const [replica, stream] of this.streams) {
      if (stream.covered < at) continue
      const slot = stream.next?.slot === at ? stream.next : undefined
      const same = opinions.find((each) => isSame(each.slot, slot))
      if (same === undefined) opinions.push({ slot, by: new Map([[replica, slot]]) })
      else same.by.set(replica, slot)
    }
    return opinions
  }

  /** Those who have not spoken yet may still agree with the most. */
  private missing(have: number, at: number): number {
    const silent = [...this.streams.values()].filter((stream) => stream.covered < at).length
    return Math.max(0, this.trust - have - silent)
  }
}

function saidBy(by: ReadonlyMap<ReplicaIndex, WatchedSlot | undefined>): Map<ReplicaIndex, WatchedSlot> {
  return new Map([...by].flatMap(([replica, slot]) => (slot === undefined ? [] : [[replica, slot] as const])))
}

/** True of the same events for the same entry; each replica has a certificate of its own. */
function isSame(a: WatchedSlot | undefined, b: WatchedSlot | undefined): boolean {
  if (a === undefined || b === undefined) return a === b
  return (
    a.timestampMs === b.timestampMs &&
    a.header.kind === b.header.kind &&
    a.header.epoch === b.header.epoch &&
    a.header.timestampMs === b.header.timestampMs &&
    a.header.count === b.header.count &&
    equalBytes(a.header.root, b.header.root) &&
    isSameList(a.requests, b.requests, isSameRequest) &&
    isSameList(a.changes, b.changes, isSameChange)
  )
}

function isSameList<Item>(a: readonly Item[], b: readonly Item[], isSameItem: (a: Item, b: Item) => boolean): boolean {
  if (a.length !== b.length) return false
  return a.every((item, i) => {
    const other = b[i]
    return other !== undefined && isSameItem(item, other)
  })
}

function isSameRequest(a: WatchedRequest, b: WatchedRequest): boolean {
  return (
    a.index === b.index &&
    a.sequence === b.sequence &&
    equalBytes(a.client, b.client) &&
    // With proofs there is one replica, and nothing to compare.
    (a.identity.kind === 'id' && b.identity.kind === 'id' ? equalBytes(a.identity.id, b.identity.id) : a === b)
  )
}

function isSameChange(a: WatchedChange, b: WatchedChange): boolean {
  if (a.index !== b.index || !equalBytes(a.key, b.key)) return false
  return a.value === undefined || b.value === undefined ? a.value === b.value : equalBytes(a.value, b.value)
}
