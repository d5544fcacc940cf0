// Reads from the state of replicas, without the log: from q of them, or from a leader with a lease (read-rule.ts). What is submitted in one turn leaves as one question to every replica that is connected; a
// read is done when as many as the rule wants gave the same answer.
//
// Why that is linearizable. A replica notes, when the question comes, the highest slot that its own Accept may have helped to decide, and
// answers only from a state that holds it. Take a write that was acknowledged before the read began: it was chosen, so q replicas
// accepted it; q replicas that answer share b + 1 with them, so at least one honest one, j, held its prepare certificate when the
// question came and answered after executing it. The common answer is j's, so it is true at a slot that contains the write, and every
// other such write. And that slot was accepted by a quorum before j executed it, so later reads, of either kind, see no older state.
// That a write returns after t receipts does not matter: nothing rests on who executed it (pitfall P44: there, q equal answers could
// all be of an old state, so writes had to wait for q, and a leader could keep them from getting so many).
//
// In crash mode a leader's lease takes the place of all that: src/consensus/lease.ts says why its answer alone is enough.
//
// Where q do not agree, or nobody has a lease, or not in time, the read goes through the log on the same deadline. A liar costs a read so much and no more.

import type { ReplicaIndex } from '../../crypto/index.ts'
import { type Answer, MAX_READS } from '../wire/index.ts'
import type { ClusterView } from './cluster-view.ts'
import type { Counters } from './counters.ts'
import { closedError } from './errors.ts'
import {
  BUNDLE_BYTES,
  CALL_TIMEOUT_MS,
  QUORUM_QUESTIONS,
  READ_PATIENCE_SHARE,
  TALLY_BYTES_PER_REPLICA,
  WAITING_BYTES,
  WAITING_REQUESTS,
} from './limits.ts'
import type { Links } from './links.ts'
import { refusedRead } from './outcome.ts'
import { QuorumRead, type Same, type Tally } from './quorum-read.ts'
import type { ReadRule } from './read-rule.ts'
import type { Ticker } from './ticker.ts'
import {
  type CallOptions,
  type Done,
  type LeaseEvidence,
  type OrderedRead,
  type QuorumEvidence,
  type ReadOf,
  Refused,
} from './types.ts'

export type QuorumResult = OrderedRead<Uint8Array> | ReadOf<Uint8Array, QuorumEvidence | LeaseEvidence>

export interface QuorumReadsParts {
  readonly rule: ReadRule
  readonly view: ClusterView
  readonly links: Links
  readonly ticker: Ticker
  readonly counters: Counters
  /** The way through the log. */
  readonly ordered: (command: Uint8Array, options: CallOptions) => Promise<Done<Uint8Array>>
}

/** Reads asked for together. */
interface Group {
  /** Those that have ended are undefined. */
  readonly reads: (QuorumRead | undefined)[]
  /** Those that have not. */
  open: number
  readonly commands: readonly Uint8Array[]
  readonly asked: Set<ReplicaIndex>
  /** When the wait for a quorum is over; it begins anew with each replica that is asked until q are. */
  patienceAt: number
}

export class QuorumReads {
  private readonly parts: QuorumReadsParts
  private waiting: QuorumRead[] = []
  private waitingBytes = 0
  private readonly groups = new Map<number, Group>()
  /** Bytes of answers that wait for others like them, by replica. */
  private readonly held: number[] = []
  private lastId: number
  private flushing = false
  private closed = false

  constructor(parts: QuorumReadsParts) {
    this.parts = parts
    this.lastId = parts.rule.firstId
    parts.ticker.add((nowMs) => this.look(nowMs))
  }

  /** Reads; `same` is the part of a result that replicas must agree on, and that is handed over. */
  submit(command: Uint8Array, options: CallOptions, same: Same): Promise<QuorumResult> {
    const { view, ticker, rule } = this.parts
    const { timeoutMs = CALL_TIMEOUT_MS, signal } = options
    if (this.closed) return Promise.reject(closedError())
    if (signal?.aborted) return Promise.reject(aborted())
    // The log says what is wrong with it.
    if (command.length > view.parameters.maxRequestBytes) return this.throughLog(command, options)
    if (this.waiting.length >= WAITING_REQUESTS || this.waitingBytes + command.length > WAITING_BYTES) {
      return Promise.reject(new Refused('queue-full', '', `${this.waiting.length} reads wait to be sent already`))
    }
    const read = new QuorumRead({ command, same, nowMs: ticker.now(), timeoutMs, need: rule.need() })
    read.listen(signal, () => this.end(read, aborted()))
    this.waiting.push(read)
    this.waitingBytes += command.length
    this.flushSoon()
    ticker.wake()
    return read.outcome
  }

  /** True where this number is that of a question of this kind. */
  owns(id: number): boolean {
    const { firstId } = this.parts.rule
    return id > firstId && id < 2 * firstId
  }

  answer(from: ReplicaIndex, id: number, last: boolean, answer: Answer): void {
    const { counters } = this.parts
    const group = this.groups.get(id)
    // Beyond the quorum answers come late: that is how it should be.
    if (group === undefined && id <= this.lastId) return
    if (group === undefined || !group.asked.has(from)) return counters.add('answer-not-needed')
    // Said by replicas of different epochs, the same answer may leave out what was decided between the two.
    if (answer.kind === 'read' && answer.epoch > this.parts.view.epoch.charter.epoch) return
    if (answer.kind === 'read' && answer.epoch === this.parts.view.epoch.charter.epoch) {
      for (const [i, { outcome, result }] of answer.results.entries()) {
        const read = group.reads[answer.first + i]
        if (read === undefined) continue
        this.hear(read, from, { slot: answer.slot, outcome, result })
      }
    } else if (answer.kind === 'refused') counters.add('refusal-busy')
    else counters.add('answer-not-needed')
    if (last || answer.kind !== 'read') for (const read of group.reads) if (read !== undefined) this.hear(read, from)
  }

  replicaUp(replica: ReplicaIndex): void {
    if (!this.parts.rule.targets().includes(replica)) return
    for (const [id, group] of this.groups) this.ask(id, group, [replica])
  }

  /** It is asked again when it is back. */
  replicaDown(replica: ReplicaIndex): void {
    for (const { asked } of this.groups.values()) asked.delete(replica)
  }

  /** Others are in office: they alone are asked, and what those before them said is forgotten. */
  moved(): void {
    const { rule } = this.parts
    this.held.length = 0
    rule.settled(undefined)
    for (const [id, group] of [...this.groups]) {
      this.groups.delete(id)
      const again = ++this.lastId
      this.groups.set(again, group)
      group.asked.clear()
      for (const read of group.reads) {
        if (read === undefined) continue
        read.group = again
        read.restart(rule.need())
        if (!rule.applies()) this.fallBack(read)
      }
      if (group.open > 0) this.ask(again, group, rule.targets())
    }
    for (const read of this.waiting) read.restart(rule.need())
  }

  close(): void {
    this.closed = true
    for (const read of [...this.waiting, ...[...this.groups.values()].flatMap(({ reads }) => reads)]) {
      if (read !== undefined) this.end(read, closedError())
    }
  }

  private flushSoon(): void {
    if (this.flushing) return
    this.flushing = true
    setImmediate(() => {
      this.flushing = false
      while (this.groups.size < QUORUM_QUESTIONS && this.waiting.length > 0) this.flush()
    })
  }

  /** The next reads become a question. */
  private flush(): void {
    let [count, bytes] = [0, 0]
    for (const { command } of this.waiting.slice(0, MAX_READS)) {
      bytes += command.length
      if (count > 0 && bytes > BUNDLE_BYTES) break
      count++
    }
    const taken = this.waiting.splice(0, count)
    for (const { command } of taken) this.waitingBytes -= command.length
    const reads = taken.filter((read) => !read.ended)
    if (!this.parts.rule.applies()) for (const read of reads) this.fallBack(read)
    if (reads.every((read) => read.ended)) return
    const id = ++this.lastId
    const commands = reads.map(({ command }) => command)
    const group: Group = { reads, open: reads.length, commands, asked: new Set(), patienceAt: Number.POSITIVE_INFINITY }
    for (const read of reads) read.group = id
    this.groups.set(id, group)
    this.ask(id, group, this.parts.rule.targets())
  }

  private ask(id: number, group: Group, replicas: readonly ReplicaIndex[]): void {
    const { links, ticker, view, rule } = this.parts
    const targets = replicas.filter((replica) => !group.asked.has(replica))
    const fewer = group.asked.size < rule.need()
    links.send(targets, {
      kind: 'ask',
      id,
      question: { kind: 'read', commands: group.commands, lease: rule.mode === 'lease' },
    })
    for (const replica of targets) group.asked.add(replica)
    for (const read of group.reads) if (read !== undefined) read.voters = rule.voters(group.asked.size)
    if (fewer && targets.length > 0)
      group.patienceAt = ticker.now() + view.parameters.viewTimeoutMs * READ_PATIENCE_SHARE
  }

  private hear(
    read: QuorumRead,
    from: ReplicaIndex,
    said?: Pick<Tally, 'outcome' | 'result'> & { readonly slot: number },
  ): void {
    const room = TALLY_BYTES_PER_REPLICA - (this.held[from] ?? 0)
    const heard = read.hear(from, said, room)
    this.hold(from, heard.bytes)
    if (heard.kind === 'hopeless') this.fallBack(read)
    else if (heard.kind === 'agreed') this.agree(read, heard.tally)
  }

  private agree(read: QuorumRead, { outcome, result, slots }: Tally): void {
    if (outcome !== 'done') return this.end(read, refusedRead(outcome, result))
    const { view, rule } = this.parts
    const { trust } = view.membership.quorums
    const { epoch } = view.epoch.charter
    const replicas = [...slots.keys()].sort((a, b) => a - b)
    // That far at least one honest replica has executed.
    const slot = [...slots.values()].sort((a, b) => b - a)[trust - 1] ?? 0
    const [first] = replicas
    rule.settled(first)
    if (rule.mode === 'lease' && first !== undefined) {
      return this.end(read, { value: result, slot, evidence: { mode: 'lease', epoch, replica: first } })
    }
    const told = replicas.map((replica) => slots.get(replica) ?? 0)
    const evidence = { mode: 'quorum', epoch, replicas, slots: told } as const
    this.end(read, { value: result, slot, evidence })
  }

  private fallBack(read: QuorumRead): void {
    this.parts.counters.add('read-fallbacks')
    this.parts.rule.settled(undefined)
    const timeoutMs = Math.max(1, read.deadlineAt - this.parts.ticker.now())
    const { signal } = read
    const options = signal === undefined ? { timeoutMs } : { timeoutMs, signal }
    this.end(read, this.throughLog(read.command, options, read.same))
  }

  private async throughLog(command: Uint8Array, options: CallOptions, same?: Same): Promise<OrderedRead<Uint8Array>> {
    const done = await this.parts.ordered(command, options)
    const value = same === undefined ? done.value : same(done.value)
    return { ...done, value, evidence: { mode: 'ordered', receipt: done.receipt } }
  }

  private look(now: number): boolean {
    for (const { reads, patienceAt } of [...this.groups.values()]) {
      for (const read of reads) {
        if (read !== undefined && Math.min(patienceAt, read.giveUpAt) <= now) this.fallBack(read)
      }
    }
    for (const read of this.waiting) if (!read.ended && read.giveUpAt <= now) this.fallBack(read)
    return this.groups.size + this.waiting.length > 0
  }

  private end(read: QuorumRead, outcome: QuorumResult | Promise<QuorumResult> | Error): void {
    if (!read.end(outcome)) return
    for (const [replica, bytes] of read.held) this.hold(replica, -bytes)
    const group = read.group === undefined ? undefined : this.groups.get(read.group)
    if (group === undefined || read.group === undefined) return
    group.reads[group.reads.indexOf(read)] = undefined
    if (--group.open === 0) this.groups.delete(read.group)
    if (this.waiting.length > 0) this.flushSoon()
  }

  private hold(replica: ReplicaIndex, bytes: number): void {
    this.held[replica] = (this.held[replica] ?? 0) + bytes
  }
}

function aborted(): Refused {
  return new Refused('not-sent', '', 'the read was aborted')
}
