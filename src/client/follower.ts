// Follows the members from epoch to epoch. Whoever hears of an epoch that it does not know, or of no majority, says so here; then
// everybody who can be reached is asked for the chain, and what they show is judged together, since of two that part none may be taken.

import type { ReplicaIndex } from '../../crypto/index.ts'
import type { EpochChain, HandOver, Pin } from '../consensus/index.ts'
import { MAX_LINKS } from '../wire/index.ts'
import type { ClusterView } from './cluster-view.ts'
import type { Counters } from './counters.ts'
import { ClientError, closedError } from './errors.ts'
import { CALL_TIMEOUT_MS, FOLLOW_ANSWER_MS, FOLLOW_GRACE_MS, FOLLOW_PAUSE_MS, FOLLOW_REST_MS } from './limits.ts'
import type { Links } from './links.ts'
import { agreedOf, offerOf } from './offers.ts'
import type { Questions } from './questions.ts'
import type { Ticker } from './ticker.ts'
import type { FollowOptions } from './types.ts'

export interface FollowerParts {
  readonly view: ClusterView
  readonly links: Links
  readonly questions: Questions
  readonly ticker: Ticker
  readonly counters: Counters
  readonly pin: Pin | undefined
  /** Goes over to this chain, which is longer than the one before. */
  readonly follow: (chain: EpochChain) => void
  /** Two chains part, and nothing that is known here says which is meant. Told once an epoch. */
  readonly doubt: (error: ClientError) => void
}

/** One time of asking everybody. */
interface Round {
  readonly base: EpochChain
  /** What replicas have shown. */
  readonly shown: EpochChain[]
  readonly over: AbortController
  readonly number: number
  /** Who is asked in all, and who has not answered yet. */
  readonly targets: number
  asked: number
  /** When it ends without the answers that are missing; infinite until somebody has shown something new. */
  untilMs: number
}

/** Somebody who waits for the chain. */
interface Waiting {
  /** The epoch that it must reach; undefined where what enough members know is enough. */
  readonly until: number | undefined
  readonly deadlineAt: number
  /** The last round that began before. */
  readonly after: number
  readonly end: (outcome: EpochChain | Error) => void
}

export class Follower {
  private readonly parts: FollowerParts
  private round: Round | undefined
  private wanted = false
  private rounds = 0
  /** When the next round may begin. */
  private mayAt = 0
  /** Between the last two rounds, where those brought nothing new. */
  private pauseMs: number
  /** Until when those are not asked who showed what is no hand-over. */
  private readonly rests = new Map<ReplicaIndex, number>()
  private readonly doubted = new Set<number>()
  private readonly waiting = new Set<Waiting>()
  private closed = false

  constructor(parts: FollowerParts) {
    this.parts = parts
    ;[this.pauseMs] = FOLLOW_PAUSE_MS
    parts.ticker.add((nowMs) => this.look(nowMs))
  }

  /** Somebody said something of an epoch that is not known here, or there is no majority where one was. */
  readonly hint = (): void => {
    if (this.closed || this.wanted) return
    this.wanted = true
    this.look(this.parts.ticker.now())
    this.parts.ticker.wake()
  }

  /**
   * The chain as t members know it, one of whom is honest; or, with `until`, once it has got to that epoch.
   * @throws {ClientError} where that takes too long.
   */
  async follow({ until, signal, timeoutMs = CALL_TIMEOUT_MS }: FollowOptions = {}): Promise<EpochChain> {
    signal?.throwIfAborted()
    if (this.closed) throw closedError()
    const { view, ticker } = this.parts
    if (until !== undefined && view.chain.links.length >= until) return view.chain
    let end: Waiting['end'] = () => {}
    const promise = new Promise<EpochChain>((resolve, reject) => {
      end = (outcome) => (outcome instanceof Error ? reject(outcome) : resolve(outcome))
    })
    const waiting: Waiting = { until, deadlineAt: ticker.now() + timeoutMs, after: this.rounds, end }
    const stop = () => end(signal?.reason instanceof Error ? signal.reason : new Error('aborted'))
    signal?.addEventListener('abort', stop, { once: true })
    this.waiting.add(waiting)
    this.hint()
    try {
      return await promise
    } finally {
      this.waiting.delete(waiting)
      signal?.removeEventListener('abort', stop)
    }
  }

  close(): void {
    this.closed = true
    for (const { end } of this.waiting) end(closedError())
    this.wanted = false
    this.round?.over.abort(new Error('the client was closed'))
    this.round = undefined
  }

  /** The positions are others now. */
  moved(): void {
    this.rests.clear()
  }

  private look(now: number): boolean {
    const { round } = this
    for (const each of this.waiting) if (each.deadlineAt <= now) each.end(tooLate(each))
    if (round !== undefined && now >= round.untilMs) this.finish(round)
    if (this.wanted && this.round === undefined && now >= this.mayAt) this.begin(now)
    return this.wanted || this.round !== undefined || this.waiting.size > 0
  }

  private begin(now: number): void {
    const { links, view } = this.parts
    const targets = links.up().filter((replica) => (this.rests.get(replica) ?? 0) <= now)
    if (targets.length === 0) return
    this.wanted = false
    // From the hand-over that was followed last: whoever has another one in its place shows it.
    const base = view.chain.upTo(Math.max(0, view.chain.links.length - 1))
    const round: Round = {
      ...{
        base,
        shown: [],
        number: ++this.rounds,
        over: new AbortController(),
        targets: targets.length,
        asked: targets.length,
      },
      untilMs: Number.POSITIVE_INFINITY,
    }
    this.round = round
    for (const replica of targets) void this.ask(round, replica)
  }

  private async ask(round: Round, replica: ReplicaIndex): Promise<void> {
    const { ticker, counters, view } = this.parts
    try {
      for (let chain = round.base; ; ) {
        const links = await this.linksFrom(round, replica, chain)
        if (this.round !== round) return
        const offer = offerOf(chain, links, [view.chain, ...round.shown])
        chain = offer.chain
        round.shown.push(chain)
        if (chain.links.length > view.chain.links.length) {
          round.untilMs = Math.min(round.untilMs, ticker.now() + FOLLOW_GRACE_MS)
        }
        if (offer.fault !== undefined) {
          counters.add('link-wrong')
          this.rests.set(replica, ticker.now() + FOLLOW_REST_MS)
        }
        if (offer.fault !== undefined || links.length < MAX_LINKS) break
      }
    } catch (error) {
      if (!(error instanceof ClientError) && this.round === round) throw error
    }
    if (this.round === round && --round.asked === 0) this.finish(round)
  }

  private async linksFrom(round: Round, replica: ReplicaIndex, chain: EpochChain): Promise<readonly HandOver[]> {
    const question = { kind: 'chain', from: chain.last.charter.epoch } as const
    const options = { signal: round.over.signal, timeoutMs: FOLLOW_ANSWER_MS }
    const answers = await this.parts.questions.ask(replica, question, options)
    return answers.flatMap(({ links }) => links)
  }

  private finish(round: Round): void {
    const { view, ticker, pin, follow } = this.parts
    this.round = undefined
    round.over.abort(new Error('the others were enough'))
    const { chain, conflict } = agreedOf(view.chain, round.shown, pin)
    const longer = chain.links.length > view.chain.links.length
    const [least, most] = FOLLOW_PAUSE_MS
    // Who asks by himself waits for no pause that others' words have made long.
    this.pauseMs = longer || this.waiting.size > 0 ? least : Math.min(2 * this.pauseMs, most)
    this.mayAt = ticker.now() + this.pauseMs
    if (longer) {
      this.wanted = false
      follow(chain)
    }
    if (conflict !== undefined) this.doubt(conflict)
    this.tell(round)
  }

  private tell({ targets, number }: Round): void {
    const { chain, membership } = this.parts.view
    for (const { until, after, end } of this.waiting) {
      const enough = number > after && targets >= membership.quorums.trust
      if (until === undefined ? enough : chain.links.length >= until) end(chain)
      else this.wanted = true
    }
    if (this.wanted) this.parts.ticker.wake()
  }

  private doubt(epoch: number): void {
    this.parts.counters.add('chain-ambiguous')
    if (this.doubted.has(epoch)) return
    this.doubted.add(epoch)
    const text =
      `replicas show two different hand-overs to epoch ${epoch}, each signed by a quorum of the epoch before: keys of that ` +
      `epoch were stolen, or more lied than the cluster stands; this client stays with the members that it knows, and ` +
      'a pin from somebody you trust says which hand-over is meant'
    this.parts.doubt(new ClientError('ambiguous', text))
  }
}

function tooLate({ until }: Waiting): ClientError {
  return new ClientError(
    'no-answer',
    until === undefined ? 'too few replicas told in time who the members are' : `epoch ${until} has not begun in time`,
  )
}
