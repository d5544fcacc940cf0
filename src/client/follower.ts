// Follows the members from epoch to epoch. Whoever hears of an epoch that it does not know, or of no majority, says so here; then
// everybody who can be reached is asked for the chain, and what they show is judged together, since of two that part none may be taken.

import type { ReplicaIndex } from '../../crypto/index.ts'
import type { EpochChain, HandOver, Pin } from '../consensus/index.ts'
import { MAX_LINKS } from '../wire/index.ts'
import type { ClusterView } from './cluster-view.ts'
import type { Counters } from './counters.ts'
import { ClientError } from './errors.ts'
import { FOLLOW_ANSWER_MS, FOLLOW_GRACE_MS, FOLLOW_PAUSE_MS, FOLLOW_REST_MS } from './limits.ts'
import type { Links } from './links.ts'
import { agreedOf, offerOf } from './offers.ts'
import type { Questions } from './questions.ts'
import type { Ticker } from './ticker.ts'

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
  asked: number
  /** When it ends without the answers that are missing; infinite until somebody has shown something new. */
  untilMs: number
}

export class Follower {
  private readonly parts: FollowerParts
  private round: Round | undefined
  private wanted = false
  /** When the next round may begin. */
  private mayAt = 0
  /** Between the last two rounds, where those brought nothing new. */
  private pauseMs: number
  /** Until when those are not asked who showed what is no hand-over. */
  private readonly rests = new Map<ReplicaIndex, number>()
  private readonly doubted = new Set<number>()
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

  close(): void {
    this.closed = true
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
    if (round !== undefined && now >= round.untilMs) this.finish(round)
    if (this.wanted && this.round === undefined && now >= this.mayAt) this.begin(now)
    return this.wanted || this.round !== undefined
  }

  private begin(now: number): void {
    const { links, view } = this.parts
    const targets = links.up().filter((replica) => (this.rests.get(replica) ?? 0) <= now)
    if (targets.length === 0) return
    this.wanted = false
    // From the hand-over that was followed last: whoever has another one in its place shows it.
    const base = view.chain.upTo(Math.max(0, view.chain.links.length - 1))
    const round: Round = {
      ...{ base, shown: [], over: new AbortController(), asked: targets.length },
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
    this.pauseMs = longer ? least : Math.min(2 * this.pauseMs, most)
    this.mayAt = ticker.now() + this.pauseMs
    if (longer) {
      this.wanted = false
      follow(chain)
    }
    if (conflict !== undefined) this.doubt(conflict)
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
