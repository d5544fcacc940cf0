// All watches of a client: their numbers on the links, frames in, credits out, and the look at those that stall.

import { type ReplicaIndex, type SignatureVerifier, slot } from '../../../crypto/index.ts'
import { type AuditContext, auditContext } from '../../audit/verify/index.ts'
import { unsignedVotesReason } from '../../consensus/index.ts'
import type { WatchCredit, WatchRange, WatchUpdate } from '../../wire/index.ts'
import { type ClusterView, type Moves, moveAll } from '../cluster-view.ts'
import type { Counters } from '../counters.ts'
import { ClientError, closedError } from '../errors.ts'
import { WATCH_LOOK_MS, WATCHES } from '../limits.ts'
import type { Links } from '../links.ts'
import type { Questions } from '../questions.ts'
import type { Ticker } from '../ticker.ts'
import { Certificates } from './certificates.ts'
import { rangeOf } from './events.ts'
import { KvWatch } from './kv-watch.ts'
import { LogWatch } from './log-watch.ts'
import { Starts } from './starts.ts'
import type { BeginRequest, SubscriptionOffice } from './subscriptions.ts'
import { type Watch, WatchEnded, type WatchOptions, type WatchTarget } from './types.ts'

export interface WatchesParts {
  readonly view: ClusterView
  readonly verifier: SignatureVerifier
  readonly links: Links
  readonly questions: Questions
  readonly ticker: Ticker
  readonly counters: Counters
  /** The members may be others by now. */
  readonly doubtMembers: () => void
}

interface Asked {
  readonly watch: KvWatch
  readonly replica: ReplicaIndex
}

export class Watches {
  private readonly parts: WatchesParts
  private readonly starts: Starts
  private readonly certificates: Certificates
  private context: AuditContext | undefined
  private readonly open = new Set<KvWatch>()
  private readonly logs = new Set<LogWatch>()
  private readonly asked = new Map<number, Asked>()
  private readonly strikes = new Map<ReplicaIndex, number>()
  /** Credit that leaves at the end of the turn: by replica, then by number. */
  private credits = new Map<ReplicaIndex, Map<number, number>>()
  private opened = 0
  private lastNumber = 0
  private lookedAt = 0
  private closed = false

  constructor(parts: WatchesParts) {
    this.parts = parts
    const { view, questions, ticker } = parts
    this.starts = new Starts(view, questions)
    this.certificates = new Certificates(view)
    ticker.add((nowMs) => this.look(nowMs))
  }

  /** @throws {RangeError} for a slot or replica that there cannot be. @throws {ClientError} */
  watch(target: WatchTarget, options: WatchOptions): Watch {
    const { view, counters, doubtMembers } = this.parts
    const { after, replica, signal } = options
    signal?.throwIfAborted()
    this.refuse(options)
    const range = rangeOf(target)
    if (options.wholeLog === true && replica !== undefined) return this.follow(range, replica, options)
    const start = after === undefined ? this.starts.now() : Promise.resolve(slot(after))
    // Whoever does not wait for it learns of a failure from the events.
    start.catch(() => {})
    const stop = () => watch.abort(signal?.reason)
    const watch: KvWatch = new KvWatch(
      {
        ...{ range, counters, view, doubtMembers, certificates: this.certificates },
        ...{ only: replica, first: this.opened++, office: this.officeFor(() => watch) },
        struck: (who) => this.strikes.set(who, (this.strikes.get(who) ?? 0) + 1),
        over: () => {
          this.open.delete(watch)
          signal?.removeEventListener('abort', stop)
        },
      },
      start,
    )
    signal?.addEventListener('abort', stop, { once: true })
    this.open.add(watch)
    watch.run()
    this.parts.ticker.wake()
    return watch
  }

  take(from: ReplicaIndex, updates: readonly WatchUpdate[]): void {
    const touched = new Set<KvWatch>()
    for (const update of updates) {
      const asked = this.asked.get(update.id)
      if (asked?.replica !== from) {
        this.parts.counters.add('watch-not-needed')
        continue
      }
      const { watch } = asked
      if (update.kind === 'batch') watch.take(from, update.id, update)
      else {
        this.asked.delete(update.id)
        watch.ended(from, update.code, update.firstSlot)
      }
      touched.add(watch)
    }
    for (const watch of touched) watch.settle()
  }

  replicaUp(replica: ReplicaIndex): void {
    for (const watch of this.open) watch.found(replica)
  }

  replicaDown(replica: ReplicaIndex): void {
    this.credits.delete(replica)
    for (const [number, asked] of this.asked) if (asked.replica === replica) this.asked.delete(number)
    for (const watch of this.open) watch.lose(replica)
  }

  /** The members are about to change; {@link moved} is to follow. */
  leaveAll(): void {
    for (const watch of this.open) watch.leaveAll()
    this.asked.clear()
    this.credits.clear()
  }

  moved(moves: Moves): void {
    this.certificates.moved()
    moveAll(this.strikes, moves)
    for (const watch of [...this.open]) watch.moved(moves)
    for (const watch of [...this.logs]) watch.moved(moves)
  }

  close(): void {
    this.closed = true
    for (const watch of [...this.open, ...this.logs]) watch.fail(closedError())
  }

  /** A watch that follows the whole log of one replica. */
  private follow(range: WatchRange, replica: ReplicaIndex, { after, maxAgeMs, signal }: WatchOptions): Watch {
    const { view, verifier, questions, counters, ticker, doubtMembers } = this.parts
    this.context ??= auditContext(view.genesis, verifier)
    const stop = () => watch.abort(signal?.reason)
    const watch: LogWatch = new LogWatch({
      ...{ range, replica, maxAgeMs, view, context: this.context, questions, counters, doubtMembers },
      after: after === undefined ? undefined : slot(after),
      now: () => ticker.now(),
      over: () => {
        this.logs.delete(watch)
        signal?.removeEventListener('abort', stop)
      },
    })
    signal?.addEventListener('abort', stop, { once: true })
    this.logs.add(watch)
    watch.run()
    ticker.wake()
    return watch
  }

  private refuse({ replica, wholeLog = false, maxAgeMs }: WatchOptions): void {
    const { links, view } = this.parts
    if (this.closed) throw closedError()
    if (this.open.size + this.logs.size >= WATCHES) {
      throw new WatchEnded('too-many', `this client has ${WATCHES} watches open; close some, or use more clients`)
    }
    if (wholeLog && replica === undefined)
      throw new RangeError('wholeLog: name the replica whose log is to be followed')
    if (maxAgeMs !== undefined && !wholeLog) throw new RangeError('maxAgeMs: only with wholeLog')
    if (replica === undefined) return
    if (!links.members.includes(replica)) {
      throw new RangeError(`replica: expected an index below ${links.members.length}, got ${replica}`)
    }
    const reason = unsignedVotesReason(view.parameters)
    if (reason !== undefined) throw new ClientError('not-provable', `one replica cannot be watched alone: ${reason}`)
  }

  private officeFor(watch: () => KvWatch): SubscriptionOffice {
    const { links, ticker } = this.parts
    return {
      get members() {
        return links.members
      },
      connected: (replica) => links.connected(replica),
      now: () => ticker.now(),
      strikes: (replica) => this.strikes.get(replica) ?? 0,
      begin: (replica, request) => this.begin(watch(), replica, request),
      end: (replica, id) => {
        if (this.asked.delete(id)) links.send([replica], { kind: 'unwatch', id })
      },
      credit: (replica, id, more) => this.credit(replica, id, more),
    }
  }

  private begin(watch: KvWatch, replica: ReplicaIndex, request: BeginRequest): number {
    const id = ++this.lastNumber
    this.asked.set(id, { watch, replica })
    this.parts.links.send([replica], { kind: 'watch', id, ...request, after: slot(request.after) })
    return id
  }

  private credit(replica: ReplicaIndex, id: number, more: number): void {
    if (this.credits.size === 0) setImmediate(() => this.sendCredits())
    const own = this.credits.get(replica) ?? new Map<number, number>()
    own.set(id, (own.get(id) ?? 0) + more)
    this.credits.set(replica, own)
  }

  private sendCredits(): void {
    const { credits } = this
    this.credits = new Map()
    for (const [replica, own] of credits) {
      const list: WatchCredit[] = [...own].map(([id, more]) => ({ id, more }))
      this.parts.links.send([replica], { kind: 'credit', credits: list })
    }
  }

  private look(nowMs: number): boolean {
    for (const watch of this.logs) watch.look(nowMs)
    if (nowMs - this.lookedAt >= WATCH_LOOK_MS) {
      this.lookedAt = nowMs
      for (const watch of this.open) watch.settle()
    }
    return this.open.size + this.logs.size > 0
  }
}
