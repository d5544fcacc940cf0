// Requests on their way: signed in bundles and sent to the presumed leader; what has no answer for a while goes to everybody, again
// and again with longer pauses, as the same signed bytes. One timer looks at all of them.

import { equalBytes, type ReplicaIndex, type Signer } from '../../crypto/index.ts'
import { requestId, type SignedRequest } from '../consensus/index.ts'
import type { RefusalCode, SlotReply } from '../wire/index.ts'
import { Bundler } from './bundler.ts'
import { Call, isSigned, type Signed } from './call.ts'
import type { ClusterView } from './cluster-view.ts'
import type { Counters } from './counters.ts'
import { ClientError, closedError } from './errors.ts'
import { LeaderGuess } from './leader.ts'
import {
  BUNDLE_BYTES,
  BUNDLE_REQUESTS,
  CALL_TIMEOUT_MS,
  FOLLOW_ATTEMPTS,
  LATENCY_WEIGHT,
  RESUMED_REQUESTS,
  RETRY_CAP_MS,
  RETRY_JITTER,
  SEQUENCE_SPAN,
  SILENCE_LATENCIES,
  SILENCE_SHARE,
} from './limits.ts'
import type { Links } from './links.ts'
import { doorRefusal, highestOf, notSent, queueFull, tooLarge, verdictOf } from './outcome.ts'
import { Receipts, type Settled } from './receipts.ts'
import type { Sequences } from './sequence.ts'
import type { Ticker } from './ticker.ts'
import { type CallOptions, type Done, OutcomeUnknown, Refused } from './types.ts'
import { Witnessing } from './witnessing.ts'

export interface PipelineParts {
  readonly view: ClusterView
  readonly key: Signer
  readonly sequences: Sequences
  readonly links: Links
  readonly ticker: Ticker
  readonly counters: Counters
  /** The members may be others by now. */
  readonly doubtMembers: () => void
}

export class Pipeline {
  private readonly parts: PipelineParts
  private readonly receipts: Receipts
  private readonly leader: LeaderGuess
  private readonly witnessing: Witnessing
  private readonly waiting: Bundler
  /** By sequence number, ascending. */
  private readonly underWay = new Map<number, Signed>()
  /** Asked about again; these have numbers of before. */
  private readonly resumed = new Map<number, Signed>()
  private latencyMs = 0
  private closed = false

  constructor(parts: PipelineParts) {
    this.parts = parts
    const { view, key, sequences, counters, ticker, doubtMembers } = parts
    this.leader = new LeaderGuess(view)
    this.witnessing = new Witnessing(() => view.parameters.viewTimeoutMs)
    this.waiting = new Bundler({
      view,
      key,
      sequences,
      counters,
      lowest: () => this.lowest(),
      take: (calls) => this.launch(calls),
    })
    this.receipts = new Receipts({
      client: key.publicKey,
      view,
      find: (sequence) => this.find(sequence),
      ahead: doubtMembers,
      count: counters.add,
    })
    ticker.add((nowMs) => this.look(nowMs))
  }

  submit(command: Uint8Array, options: CallOptions = {}): Promise<Done<Uint8Array>> {
    const { maxRequestBytes } = this.parts.view.parameters
    const call = this.begin(command, options)
    if (this.closed) call.end(closedError())
    else if (options.signal?.aborted) call.end(notSent('was aborted before it was sent'))
    else if (command.length > maxRequestBytes) call.end(tooLarge(command.length, maxRequestBytes))
    else if (!this.waiting.push(call)) call.end(queueFull(this.waiting.size))
    return call.outcome
  }

  async resume(request: SignedRequest, options: CallOptions = {}): Promise<Done<Uint8Array>> {
    if (this.closed) throw closedError()
    const { key } = this.parts
    if (!equalBytes(request.request.client, key.publicKey) || !equalBytes(requestId(request.request), request.id)) {
      throw new ClientError('bad-request', 'the request to ask about again is not one of this client')
    }
    const { sequence } = request.request
    const known = this.find(sequence)
    if (known !== undefined) {
      if (equalBytes(known.request.id, request.id)) return known.outcome
      throw new ClientError('bad-request', `another request with the number ${sequence} is under way`)
    }
    if (this.resumed.size >= RESUMED_REQUESTS) {
      throw new ClientError('bad-request', `${RESUMED_REQUESTS} requests are being asked about again already`)
    }
    const call = this.begin(request.request.command, options, request)
    if (!isSigned(call)) throw new Error('unreachable: a resumed call has its request')
    call.epoch = this.parts.view.epoch.charter.epoch
    this.resumed.set(sequence, call)
    if (options.signal?.aborted) this.abandon(call, 'was aborted')
    else this.send([call], this.parts.links.up())
    return call.outcome
  }

  replies(from: ReplicaIndex, replies: readonly SlotReply[]): void {
    for (const reply of replies) {
      if (equalBytes(reply.receipt.statement.membership, this.parts.view.membership.digest)) {
        this.leader.hear(from, reply.view)
      }
      const settled = this.receipts.take(from, reply)
      if (settled.length > 0) this.witnessing.note(settled.length, reply.count)
      for (const each of settled) this.finish(each)
    }
  }

  /** One replica's word: believed when t say the same, and never of a request that may have been sent in an earlier life. */
  refusal(from: ReplicaIndex, id: Uint8Array, code: RefusalCode): void {
    const call = this.findById(id)
    if (call === undefined) return this.parts.counters.add('refusal-not-needed')
    if (code === 'busy') {
      this.parts.counters.add('refusal-busy')
      return this.postpone(call)
    }
    const refusals = call.refusals ?? new Map<ReplicaIndex, Exclude<RefusalCode, 'busy'>>()
    // The others are asked at once: one no alone ends nothing.
    if (call.refusals === undefined) call.dueAt = this.parts.ticker.now()
    call.refusals = refusals.set(from, code)
    const alike = [...refusals.values()].filter((each) => each === code).length
    if (alike < this.parts.view.membership.quorums.trust) return
    const refused = doorRefusal(code)
    this.end(call, call.resumed ? new OutcomeUnknown(call.request, `now ${refused.message}`) : refused)
  }

  replicaUp(replica: ReplicaIndex): void {
    const leader = this.leader.get()
    const all = [...this.underWay.values(), ...this.resumed.values()]
    const missed = all.filter((call) => !call.left || call.resumed || leader === undefined || leader === replica)
    this.send(missed, [replica])
  }

  replicaDown(replica: ReplicaIndex): void {
    if (this.leader.get() !== replica) return
    this.leader.suspect()
    for (const call of this.underWay.values()) call.dueAt = 0
  }

  /** Others are in office, at other positions: they are asked for everything that has no outcome, under the same numbers. */
  moved(): void {
    this.leader.moved()
    this.receipts.moved()
    const all = [...this.calls()]
    for (const call of all) call.refusals = undefined
    this.send(all, this.parts.links.up())
  }

  close(): void {
    this.closed = true
    for (const call of this.waiting) call.end(notSent('was not sent before the client was closed'))
    for (const call of this.calls()) this.abandon(call, 'has no outcome yet, and the client was closed')
  }

  private begin(
    command: Uint8Array,
    { signal, timeoutMs = CALL_TIMEOUT_MS }: CallOptions,
    request?: SignedRequest,
  ): Call {
    const call = new Call(command, this.parts.ticker.now(), timeoutMs, request)
    call.listen(signal, () => {
      if (isSigned(call)) this.abandon(call, 'was aborted')
      else call.end(notSent('was aborted before it was sent'))
    })
    this.parts.ticker.wake()
    return call
  }

  private launch(calls: readonly Signed[]): void {
    for (const call of calls) this.underWay.set(call.request.request.sequence, call)
    const leader = this.leader.get()
    const shown = this.witnessing.next(this.parts.ticker.now())
    const alone = leader !== undefined && this.parts.links.connected(leader) && !shown
    this.send(calls, alone ? [leader] : this.parts.links.up())
  }

  /** The lowest number that must not be forgotten. What was resumed from far below may have been already. */
  private lowest(): number | undefined {
    let [lowest] = this.underWay.keys()
    const upcoming = this.resumed.size === 0 ? undefined : this.parts.sequences.peek()
    if (upcoming === undefined) return lowest
    for (const sequence of this.resumed.keys()) {
      if (upcoming - sequence < SEQUENCE_SPAN) lowest = Math.min(lowest ?? sequence, sequence)
    }
    return lowest
  }

  /** Sends calls to each of `targets`, in frames of at most a bundle's size. */
  private send(calls: readonly Signed[], targets: readonly ReplicaIndex[]): void {
    const now = this.parts.ticker.now()
    for (let from = 0; from < calls.length; ) {
      const frame: Signed[] = []
      for (let bytes = 0; from < calls.length && frame.length < BUNDLE_REQUESTS; from++) {
        const call = calls[from]
        if (call === undefined) break
        bytes += call.command.length
        if (frame.length > 0 && bytes > BUNDLE_BYTES) break
        frame.push(call)
      }
      const took = this.parts.links.send(targets, { kind: 'requests', requests: frame.map(({ request }) => request) })
      for (const call of frame) {
        if (took > 0 && !call.left) {
          call.left = true
          call.epoch = this.parts.view.epoch.charter.epoch
        }
        if (call.dueAt <= now) call.dueAt = now + this.pauseOf(call)
      }
    }
  }

  private pauseOf({ attempts }: Call): number {
    const { viewTimeoutMs } = this.parts.view.parameters
    const silence = Math.max(viewTimeoutMs * SILENCE_SHARE, this.latencyMs * SILENCE_LATENCIES)
    return Math.min(silence * 2 ** Math.min(attempts, 10), RETRY_CAP_MS) * (1 + RETRY_JITTER * Math.random())
  }

  private postpone(call: Call): void {
    call.attempts++
    call.dueAt = this.parts.ticker.now() + this.pauseOf(call)
  }

  private look(now: number): boolean {
    for (const call of this.waiting) {
      if (call.deadlineAt <= now) call.end(this.unreachable(call, now))
    }
    const due: Signed[] = []
    for (const call of this.calls()) {
      if (call.deadlineAt <= now) this.expire(call, now)
      else if (call.dueAt <= now) due.push(call)
    }
    if (due.length > 0) {
      this.leader.suspect()
      this.parts.counters.add('retries', due.length)
      if (due.some(({ attempts }) => attempts >= FOLLOW_ATTEMPTS)) this.parts.doubtMembers()
      for (const call of due) call.attempts++
      this.send(due, this.parts.links.up())
    }
    this.waiting.flush()
    return this.underWay.size + this.resumed.size + this.waiting.size > 0
  }

  private expire(call: Signed, now: number): void {
    if (!call.left) return this.end(call, this.unreachable(call, now))
    this.abandon(
      call,
      `has no outcome after ${seconds(now - call.begunAt)}: too few replicas gave the same signed answer`,
    )
  }

  /** Gives up on a call for its caller. What never left is certainly not executed. */
  private abandon(call: Signed, what: string): void {
    if (!call.left) return this.end(call, notSent('was not sent'))
    const missing = this.parts.links.missing()
    const where = missing === '' ? '' : `; not reached: ${missing}`
    const text = `the request ${what}${where}; it may or may not be executed, and can be asked about again`
    this.end(call, new OutcomeUnknown(call.request, text))
  }

  private unreachable({ begunAt }: Call, now: number): Refused {
    const { links } = this.parts
    const after = seconds(now - begunAt)
    if (links.up().length > 0) return notSent(`could not be sent within ${after}: too many others are under way`)
    return new Refused(
      'unreachable',
      '',
      `no replica could be reached within ${after}, so nothing was sent: ${links.missing()}`,
    )
  }

  private finish({ record, receipt }: Settled): void {
    const call = this.find(record.sequence)
    if (call === undefined) return
    const verdict = verdictOf(record, receipt)
    const highest = record.outcome === 'expired' ? highestOf(record) : undefined
    if (highest !== undefined) this.parts.sequences.advance(highest)
    const latency = this.parts.ticker.now() - call.begunAt
    this.latencyMs += LATENCY_WEIGHT * (latency - this.latencyMs)
    this.leader.settle()
    this.end(call, verdict)
  }

  private end(call: Signed, outcome: Done<Uint8Array> | Error): void {
    const { sequence } = call.request.request
    if (this.underWay.get(sequence) === call) this.underWay.delete(sequence)
    else if (this.resumed.get(sequence) === call) this.resumed.delete(sequence)
    this.receipts.forget(call.request)
    call.end(outcome)
    this.waiting.ended(call)
  }

  private find(sequence: number): Signed | undefined {
    return this.underWay.get(sequence) ?? this.resumed.get(sequence)
  }

  /** Refusals are few, and this is a comparison or two for each request under way. */
  private findById(id: Uint8Array): Signed | undefined {
    for (const call of this.calls()) if (equalBytes(call.request.id, id)) return call
    return undefined
  }

  private *calls(): Iterable<Signed> {
    yield* this.underWay.values()
    yield* this.resumed.values()
  }
}

function seconds(ms: number): string {
  return `${Math.round(ms / 100) / 10} s`
}
