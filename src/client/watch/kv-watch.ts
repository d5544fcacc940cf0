// One watch: replicas are listened to until t of them agree, what they agree on becomes events, and who lies or stalls is replaced.

import type { Certificate, ReplicaIndex } from '../../../crypto/index.ts'
import { type WatchBatch, type WatchEndCode, type WatchRange, watchCost } from '../../wire/index.ts'
import { type Moves, moveAll } from '../cluster-view.ts'
import type { Counters } from '../counters.ts'
import { WATCH_DROPPED, WATCH_REST_MS, WATCH_STRANDED_MS } from '../limits.ts'
import { Agreement, type Decided } from './agreement.ts'
import type { Certificates } from './certificates.ts'
import { eventsOf } from './events.ts'
import { Reader } from './reader.ts'
import { type Subscription, type SubscriptionOffice, Subscriptions } from './subscriptions.ts'
import { type DropReason, type Watch, WatchEnded, type WatchedEvents } from './types.ts'
import { Witness, type WitnessOptions } from './witness.ts'

export interface KvWatchParts extends Omit<WitnessOptions, 'fromTheFirst'> {
  readonly range: WatchRange
  readonly only: ReplicaIndex | undefined
  readonly first: number
  readonly office: SubscriptionOffice
  readonly counters: Counters
  readonly certificates: Certificates
  /** The members may be others by now. */
  readonly doubtMembers: () => void
  readonly struck: (replica: ReplicaIndex) => void
  /** It is over, for the one who keeps it. */
  readonly over: () => void
}

export class KvWatch implements Watch {
  readonly started: Promise<number>
  private readonly parts: KvWatchParts
  private readonly subscriptions: Subscriptions
  private readonly reader = new Reader()
  private readonly givenUp: { replica: ReplicaIndex; reason: DropReason }[] = []
  /** By replica: the first slot that it still has. */
  private readonly fellBehind = new Map<ReplicaIndex, number>()
  private readonly refusals = new Map<ReplicaIndex, WatchEndCode>()
  private strandedAt: number | undefined
  /** Nobody is asked under a position that is about to be somebody else's. */
  private moving = false
  /** The one replica that it listens to, wherever it stands now. */
  private only: ReplicaIndex | undefined
  /** Once it is known where it begins. */
  private agreement: Agreement | undefined
  private witness: Witness | undefined

  /** {@link run} is to follow. */
  constructor(parts: KvWatchParts, start: Promise<number>) {
    this.parts = parts
    const { range, office, first } = parts
    this.only = parts.only
    this.subscriptions = new Subscriptions({ ...range, office, first, only: () => this.only })
    this.started = start
  }

  run(): void {
    this.started.then(
      (at) => this.begin(at),
      (error: unknown) => this.fail(error),
    )
  }

  get position(): number | undefined {
    const { next } = this.reader
    return next === undefined ? this.agreement?.position : next - 1
  }

  get dropped(): Watch['dropped'] {
    return [...this.givenUp]
  }

  next(): Promise<IteratorResult<WatchedEvents, undefined>> {
    const read = this.reader.read()
    this.subscriptions.topUp(this.reader.queued)
    return read
  }

  async return(): Promise<IteratorResult<WatchedEvents, undefined>> {
    this.close()
    return { done: true, value: undefined }
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close()
  }

  close(): void {
    this.reader.close()
    this.end()
  }

  /** What waits is still read. */
  fail(error: unknown): void {
    this.reader.fail(error)
    this.end()
  }

  /** What waits is lost. */
  abort(error: unknown): void {
    this.reader.abort(error)
    this.end()
  }

  /** Takes what `from` said under this number; {@link settle} is to follow. */
  take(from: ReplicaIndex, id: number, batch: WatchBatch): void {
    const subscription = this.subscriptions.get(from)
    if (subscription?.id !== id) return
    const fault = this.subscriptions.take(subscription, batch)
    if (fault !== undefined) this.drop(from, fault)
  }

  /** Replica `from` ended it. */
  ended(from: ReplicaIndex, code: WatchEndCode, firstSlot: number): void {
    this.leave(from)
    this.subscriptions.ended(from, WATCH_REST_MS)
    if (code === 'fell-behind') this.fellBehind.set(from, firstSlot)
    else if (code !== 'busy') this.refusals.set(from, code)
  }

  found(replica: ReplicaIndex): void {
    this.subscriptions.found(replica)
    this.fellBehind.delete(replica)
    this.refusals.delete(replica)
    this.settle()
  }

  /** The members are about to change: nothing more is taken from those of before. {@link moved} is to follow. */
  leaveAll(): void {
    this.moving = true
    this.subscriptions.close()
  }

  /** Others are in office, and asked for everything from the position on. */
  moved(moves: Moves): void {
    this.moving = false
    const { only } = this
    this.only = only === undefined ? undefined : moves(only)
    if (only !== undefined && this.only === undefined) {
      return this.fail(new WatchEnded('left', `replica ${only} is a member no more, and nobody else was listened to`))
    }
    this.subscriptions.moved(moves)
    moveAll(this.fellBehind, moves)
    moveAll(this.refusals, moves)
    if (this.agreement !== undefined) this.agreement = this.agreementFrom(this.agreement.position)
    this.settle()
  }

  lose(replica: ReplicaIndex): void {
    this.leave(replica)
    this.subscriptions.lose(replica)
    this.settle()
  }

  /** Decides what can be decided, and sees to it that enough replicas are asked. */
  settle(): void {
    const { agreement } = this
    if (agreement === undefined || this.reader.ended || this.moving) return
    const { decided, contradicted, ahead, short } = agreement.settle()
    for (const replica of contradicted) this.drop(replica, 'watch-contradicted')
    for (const each of decided) this.deliver(each)
    if (this.reader.ended) return
    if (ahead) this.parts.doubtMembers()
    const doubtful = this.replaceStalled(agreement)
    this.fill(agreement, short > 0 ? this.subscriptions.size + short : this.trust + doubtful)
    // Those that are left may be of an epoch that is over.
    if (this.subscriptions.size < this.trust) this.parts.doubtMembers()
    this.subscriptions.topUp(this.reader.queued)
    this.judge(agreement)
  }

  private get trust(): number {
    return this.only === undefined ? this.parts.view.membership.quorums.trust : 1
  }

  private begin(at: number): void {
    if (this.reader.ended) return
    this.agreement = this.agreementFrom(at)
    if (this.only !== undefined) this.witness = new Witness({ ...this.parts, fromTheFirst: at === 0 })
    this.settle()
  }

  private agreementFrom(position: number): Agreement {
    const { epoch } = this.parts.view.epoch.charter
    return new Agreement({ epoch, trust: this.trust, position })
  }

  private replaceStalled({ position }: Agreement): number {
    const { lost, doubtful } = this.subscriptions.stalled(position)
    for (const replica of lost) this.drop(replica, 'watch-stalled')
    return doubtful
  }

  private fill(agreement: Agreement, wanted: number): void {
    const { position } = agreement
    const lacks = (replica: ReplicaIndex) =>
      (this.fellBehind.get(replica) ?? 0) > position + 1 || this.refusals.has(replica)
    while (this.subscriptions.size < wanted) {
      const made: Subscription | undefined = this.subscriptions.add(position, this.reader.queued, lacks)
      if (made === undefined) return
      agreement.join(made.replica, made.stream)
    }
  }

  private deliver({ slot, said }: Decided): void {
    const fault = this.witness?.check(slot)
    if (fault !== undefined) {
      const text = `replica ${this.only} says what its proofs do not bear out, in slot ${slot.slot}: ${fault}`
      return this.fail(new WatchEnded('lied', text))
    }
    const events = eventsOf(slot, this.certificateOf(slot, said))
    if (events === undefined) {
      return this.fail(new TypeError("the cluster's state machine is not the key-value store, and cannot be watched"))
    }
    this.reader.push(events, watchCost(slot))
  }

  /** The first that is good: they agree on the entry, and at least one of them is honest. */
  private certificateOf({ slot: at }: Decided['slot'], said: Decided['said']): Certificate | undefined {
    const { certificates } = this.parts
    if (!certificates.provable(at)) return undefined
    for (const [replica, slot] of said) {
      const certificate = certificates.check(slot)
      if (certificate !== undefined) return certificate
      this.drop(replica, 'watch-bad-certificate')
    }
    return undefined
  }

  private drop(replica: ReplicaIndex, reason: DropReason): void {
    this.parts.counters.add(reason)
    this.parts.struck(replica)
    this.givenUp.push({ replica, reason })
    if (this.givenUp.length > WATCH_DROPPED) this.givenUp.shift()
    const text = `replica ${replica} says what no honest replica says (${reason})`
    if (this.only !== undefined && reason !== 'watch-stalled') return this.fail(new WatchEnded('lied', text))
    this.leave(replica)
    this.subscriptions.drop(replica, reason !== 'watch-stalled')
  }

  private leave(replica: ReplicaIndex): void {
    this.agreement?.leave(replica)
  }

  /** Ends it where too few replicas can serve it. */
  private judge({ position }: Agreement): void {
    const { only } = this
    const { office, view } = this.parts
    const { replicas, quorum } = view.membership.quorums
    const gone = [...this.fellBehind.values()].filter((first) => first > position + 1).sort((a, b) => a - b)
    const stranded = gone.length >= this.trust && this.subscriptions.size < this.trust
    this.strandedAt = stranded ? (this.strandedAt ?? office.now()) : undefined
    const waited = this.strandedAt !== undefined && office.now() - this.strandedAt > WATCH_STRANDED_MS
    const hopeless = gone.length >= quorum || replicas - gone.length < this.trust
    if (stranded && (only !== undefined || hopeless || waited)) {
      const first = gone[this.trust - 1] ?? position + 1
      const text = `the watch fell behind: of what came after slot ${position}, the changes from slot ${first} on are still kept`
      return this.fail(new WatchEnded('fell-behind', text, first))
    }
    for (const code of ['too-many', 'not-allowed'] as const) {
      const by = [...this.refusals.values()].filter((each) => each === code)
      if (by.length >= this.trust) return this.fail(new WatchEnded(code, REFUSED[code]))
    }
  }

  private end(): void {
    this.subscriptions.close()
    this.parts.over()
  }
}

const REFUSED = Object.freeze({
  'too-many': 'this client has as many watches as the replicas allow; close some',
  'not-allowed': 'the replicas do not know this client',
})
