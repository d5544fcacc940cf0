// The replicas that one watch listens to: who is asked, who is given up and for how long, and who gets how much credit.

import type { ReplicaIndex } from '../../../crypto/index.ts'
import type { WatchBatch, WatchRange } from '../../wire/index.ts'
import { type Moves, moveAll } from '../cluster-view.ts'
import { WATCH_CREDIT_SHARE, WATCH_REST_MS, WATCH_STALL_MS, WATCH_WINDOW_BYTES } from '../limits.ts'
import { Stream } from './stream.ts'
import type { DropReason } from './types.ts'

export interface Subscription {
  readonly replica: ReplicaIndex
  readonly id: number
  readonly stream: Stream
  answered: boolean
  /** Since when it is behind others though it could go on. */
  behindSince: number | undefined
}

/** What the subscriptions of all watches of a client share. */
export interface SubscriptionOffice {
  readonly members: readonly ReplicaIndex[]
  readonly connected: (replica: ReplicaIndex) => boolean
  readonly now: () => number
  /** Begins one; its number. */
  readonly begin: (replica: ReplicaIndex, request: BeginRequest) => number
  readonly end: (replica: ReplicaIndex, id: number) => void
  readonly credit: (replica: ReplicaIndex, id: number, more: number) => void
  /** How often this replica was given up, by any watch. */
  readonly strikes: (replica: ReplicaIndex) => number
}

export interface BeginRequest extends WatchRange {
  readonly after: number
  readonly credit: number
  readonly single: boolean
}

export interface SubscriptionsOptions extends WatchRange {
  readonly office: SubscriptionOffice
  /** Asked in turn, so that watches spread. */
  readonly first: number
  /** Listens to this one alone. */
  readonly only: () => ReplicaIndex | undefined
}

export class Subscriptions {
  private readonly options: SubscriptionsOptions
  private readonly open = new Map<ReplicaIndex, Subscription>()
  private readonly banned = new Map<ReplicaIndex, true>()
  private readonly restsUntil = new Map<ReplicaIndex, number>()

  constructor(options: SubscriptionsOptions) {
    this.options = options
  }

  get size(): number {
    return this.open.size
  }

  get all(): readonly Subscription[] {
    return [...this.open.values()]
  }

  get(replica: ReplicaIndex): Subscription | undefined {
    return this.open.get(replica)
  }

  /** Asks one more replica, where there is one that may be asked; `lacks` those that have not what is needed. */
  add(after: number, queued: number, lacks: (replica: ReplicaIndex) => boolean): Subscription | undefined {
    const { office, only, start, end } = this.options
    const replica = this.candidate(lacks)
    if (replica === undefined) return undefined
    const single = only() !== undefined
    const request = { start, end, after, credit: Math.max(0, WATCH_WINDOW_BYTES - queued), single }
    const id = office.begin(replica, request)
    const made = { replica, id, stream: new Stream(request), answered: false, behindSince: undefined }
    this.open.set(replica, made)
    return made
  }

  /** Why this one is to be given up; undefined where it goes on. */
  take(subscription: Subscription, batch: WatchBatch): DropReason | undefined {
    const { stream } = subscription
    const before = stream.covered
    const fault = stream.take(batch)
    if (stream.covered > before || !subscription.answered) subscription.behindSince = undefined
    subscription.answered = true
    return fault
  }

  /** Those that stall: behind what is decided, and to be replaced; or behind others who may lie about how far they are. */
  stalled(position: number): { readonly lost: readonly ReplicaIndex[]; readonly doubtful: number } {
    const now = this.options.office.now()
    const furthest = Math.max(...this.all.map(({ stream }) => stream.covered))
    const lost: ReplicaIndex[] = []
    let doubtful = 0
    for (const each of this.open.values()) {
      const { stream, answered, replica } = each
      const behind = (!answered || stream.covered < furthest) && stream.available > 0
      each.behindSince = behind ? (each.behindSince ?? now) : undefined
      if (each.behindSince === undefined || now - each.behindSince <= WATCH_STALL_MS) continue
      if (!answered || stream.covered < position) lost.push(replica)
      else doubtful++
    }
    return { lost, doubtful }
  }

  /** Gives one up for a while, or for good where an honest replica would not have done that. */
  drop(replica: ReplicaIndex, forGood: boolean): void {
    const { office } = this.options
    if (forGood) this.banned.set(replica, true)
    else this.restsUntil.set(replica, office.now() + WATCH_REST_MS)
    this.leave(replica)
  }

  /** Its link is gone, and everything that was asked for on it. */
  lose(replica: ReplicaIndex): void {
    this.open.delete(replica)
  }

  /** Its link is there: it may be another process. */
  found(replica: ReplicaIndex): void {
    this.restsUntil.delete(replica)
  }

  /** It ended the watch itself. */
  ended(replica: ReplicaIndex, restMs: number): void {
    this.open.delete(replica)
    this.restsUntil.set(replica, this.options.office.now() + restMs)
  }

  /** Gives back what was read or decided, in pieces that are worth a frame. */
  topUp(queued: number): void {
    for (const { replica, id, stream } of this.open.values()) {
      const more = WATCH_WINDOW_BYTES - queued - stream.buffered - stream.available
      if (more < WATCH_WINDOW_BYTES * WATCH_CREDIT_SHARE) continue
      stream.available += more
      this.options.office.credit(replica, id, more)
    }
  }

  /** Ends all of them. */
  close(): void {
    for (const replica of [...this.open.keys()]) this.leave(replica)
  }

  /** The positions are others now; requires that none is open. */
  moved(moves: Moves): void {
    moveAll(this.banned, moves)
    moveAll(this.restsUntil, moves)
  }

  private leave(replica: ReplicaIndex): void {
    const subscription = this.open.get(replica)
    this.open.delete(replica)
    if (subscription !== undefined) this.options.office.end(replica, subscription.id)
  }

  private candidate(lacks: (replica: ReplicaIndex) => boolean): ReplicaIndex | undefined {
    const { office, first } = this.options
    const { members } = office
    const only = this.options.only()
    const now = office.now()
    const may = (replica: ReplicaIndex) =>
      office.connected(replica) &&
      !this.open.has(replica) &&
      !this.banned.has(replica) &&
      (this.restsUntil.get(replica) ?? 0) <= now &&
      !lacks(replica)
    if (only !== undefined) return may(only) ? only : undefined
    const turn = members.map((_, i) => members[(first + i) % members.length]).filter((each) => each !== undefined)
    return turn.filter(may).sort((a, b) => office.strikes(a) - office.strikes(b))[0]
  }
}
