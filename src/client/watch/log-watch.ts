// A watch of one replica that follows all of its log, and finds out by itself what happened to the keys: see log-replay.ts. Entries are
// asked for in pages, one at a time, when the reader has room for what is in them; so neither side keeps more than a page.

import { setImmediate as nextTurn } from 'node:timers/promises'
import { type Epoch, type ReplicaIndex, slot } from '../../../crypto/index.ts'
import type { AuditContext } from '../../audit/verify/index.ts'
import type { Executor } from '../../machine/index.ts'
import { type Question, type WatchedSlot, type WatchRange, watchCost } from '../../wire/index.ts'
import type { ClusterView, Moves } from '../cluster-view.ts'
import type { Counters } from '../counters.ts'
import { ClientError } from '../errors.ts'
import {
  ARCHIVE_PAGE_SLOTS,
  CALL_TIMEOUT_MS,
  FOLLOW_LOOKS,
  LOG_ANSWER_MS,
  LOG_BEGINS,
  LOG_CUT_LOOKS,
  LOG_GAP_LOOKS,
  LOG_POLL_MS,
  WATCH_WINDOW_BYTES,
} from '../limits.ts'
import type { AnswerTo, Questions } from '../questions.ts'
import { notTheStore } from '../reading.ts'
import type { CallOptions } from '../types.ts'
import { eventsOf, isWithin } from './events.ts'
import { LogReplay } from './log-replay.ts'
import { stateUpTo } from './log-start.ts'
import { Reader } from './reader.ts'
import { type DropReason, type Watch, WatchEnded, type WatchedEvents } from './types.ts'

export interface LogWatchParts {
  readonly range: WatchRange
  readonly replica: ReplicaIndex
  readonly after: number | undefined
  readonly maxAgeMs: number | undefined
  readonly view: ClusterView
  /** Of which the chain is the view's. */
  readonly context: AuditContext
  /** The members may be others by now. */
  readonly doubtMembers: () => void
  readonly questions: Questions
  readonly counters: Counters
  /** Milliseconds that never go back. */
  readonly now: () => number
  /** It is over, for the one who keeps it. */
  readonly over: () => void
}

type QuestionOf<Kind extends Question['kind']> = Question & { readonly kind: Kind }

export class LogWatch implements Watch {
  readonly started: Promise<number>
  private readonly parts: LogWatchParts
  private readonly reader = new Reader()
  private readonly ending = new AbortController()
  private readonly givenUp: { replica: ReplicaIndex; reason: DropReason }[] = []
  private start: { readonly resolve: (slot: number) => void; readonly reject: (error: unknown) => void } | undefined
  /** Slot after which events are told, once it is known. */
  private after: number | undefined
  private replay: LogReplay | undefined
  /** Slots asked for at once. */
  private length = ARCHIVE_PAGE_SLOTS
  /** Pages in a row that did not begin with the next slot. */
  private gaps = 0
  /** Looks at what it says of an epoch that is not known here, in a row. */
  private unknown = 0
  /** Where the replica stands now. */
  private replica: ReplicaIndex
  /** Until when it was as young as is asked for, or, before it first was, until when the replica has answered. */
  private freshMs = 0
  private wasFresh = false
  private waiting: { readonly untilMs: number; readonly go: () => void } | undefined

  /** {@link run} is to follow. */
  constructor(parts: LogWatchParts) {
    this.parts = parts
    this.replica = parts.replica
    this.after = parts.after
    this.started = new Promise((resolve, reject) => {
      this.start = { resolve, reject }
    })
    // Whoever does not wait for it learns of a failure from the events.
    this.started.catch(() => {})
  }

  run(): void {
    this.freshMs = this.parts.now()
    this.follow().catch((error: unknown) => this.fail(error))
  }

  get position(): number | undefined {
    const { after, replay } = this
    if (after === undefined || replay === undefined) return undefined
    const { next } = this.reader
    return next === undefined ? Math.max(after, replay.slot) : next - 1
  }

  get dropped(): Watch['dropped'] {
    return [...this.givenUp]
  }

  next(): Promise<IteratorResult<WatchedEvents, undefined>> {
    const read = this.reader.read()
    if (this.waiting?.untilMs === Number.POSITIVE_INFINITY && this.hasRoom) this.wake()
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
    this.end(new Error('the watch was closed'))
  }

  /** What waits is still read. */
  fail(error: unknown): void {
    this.reader.fail(error)
    this.end(error)
  }

  /** What waits is lost. */
  abort(error: unknown): void {
    this.reader.abort(error)
    this.end(error)
  }

  /** The members are others now. */
  moved(moves: Moves): void {
    const now = moves(this.replica)
    if (now !== undefined) this.replica = now
    else
      this.fail(new WatchEnded('left', `replica ${this.parts.replica} is a member no more, and its log does not go on`))
  }

  /** Time goes on. */
  look(nowMs: number): void {
    if (this.waiting !== undefined && nowMs >= this.waiting.untilMs) this.wake()
  }

  private get hasRoom(): boolean {
    return this.reader.queued < WATCH_WINDOW_BYTES
  }

  /** Without a slot to begin after, a log that was cut on the way to its end is begun anew, from a newer state. */
  private async follow(): Promise<void> {
    for (let begun = 1; ; begun++) {
      try {
        return await this.followFromState()
      } catch (error) {
        const wasCut = error instanceof WatchEnded && error.code === 'fell-behind'
        if (!wasCut || this.after !== undefined || begun === LOG_BEGINS) throw error
        this.gaps = 0
        await this.pause(LOG_POLL_MS)
      }
    }
  }

  private async followFromState(): Promise<never> {
    const { context, view } = this.parts
    const replay = new LogReplay(context, view, await this.begin())
    this.replay = replay
    if (this.after !== undefined) this.start?.resolve(this.after)
    for (;;) {
      if (await this.page(replay)) continue
      this.atTheEnd(replay)
      await this.pause(LOG_POLL_MS)
    }
  }

  private async begin(): Promise<Executor> {
    const { context, view, after = Number.MAX_SAFE_INTEGER } = this.parts
    for (;;) {
      const executor = await stateUpTo(after, {
        context: { ...context, chain: view.chain },
        ask: async (atMost, path) => {
          const answer = await this.ask<'state'>({ kind: 'state', atMost: slot(atMost), path })
          return answer?.part
        },
        pause: () => this.pause(LOG_POLL_MS),
      })
      if (typeof executor !== 'string') return executor
      // It may be of an epoch that the others know, and this client does not yet.
      const answer = await this.ask<'status'>({ kind: 'status' })
      if (answer === undefined || !(await this.isAhead(answer.status.epoch))) throw this.lied(executor)
    }
  }

  /** Waits a little where `epoch` is not known here, and the chain has been asked for. */
  private async isAhead(epoch: Epoch): Promise<boolean> {
    const { view, doubtMembers } = this.parts
    if (epoch <= view.epoch.charter.epoch) return false
    if (++this.unknown === FOLLOW_LOOKS)
      throw this.lied(`it is of epoch ${epoch}, and nobody shows a hand-over to that`)
    doubtMembers()
    await this.pause(LOG_POLL_MS)
    return true
  }

  /** Takes what the replica has of the next slots; false where it has no more than that. */
  private async page(replay: LogReplay): Promise<boolean> {
    const first = replay.slot + 1
    const last = first + this.length - 1
    const question = { kind: 'slots', from: slot(first), to: slot(last) } as const
    const answers = await this.attempt((options) => this.parts.questions.ask(this.replica, question, options))
    // One that does not come is asked for again, half as long: it may be too much at once.
    this.length = answers === undefined ? Math.ceil(this.length / 2) : Math.min(ARCHIVE_PAGE_SLOTS, 2 * this.length)
    if (answers === undefined) return true
    for (const archived of answers.flatMap(({ slots }) => slots)) {
      const { slot: at } = archived.entry.header
      if (at <= replay.slot) throw this.lied(`it tells slot ${at} where slot ${replay.slot + 1} comes next`)
      if (at > last) throw this.lied(`it tells slot ${at}, which nobody asked for`)
      if (at > replay.slot + 1) {
        await this.judgeGap(replay.slot + 1, at)
        return false
      }
      this.gaps = 0
      if (await this.isAhead(archived.entry.header.epoch)) return true
      this.unknown = 0
      const told = replay.take(archived)
      if (typeof told === 'string') throw this.lied(`in slot ${at}: ${told}`)
      await this.deliver(told)
    }
    if (replay.slot < first) await this.judgeGap(first, undefined)
    return replay.slot === last
  }

  /**
   * A slot was not told; `next` is what was told in its place. A write that is under way may hide it for a moment. A replica that has
   * cut its log below a checkpoint, or fetched a state, honestly lacks what is below; nobody honest lacks what is above.
   */
  private async judgeGap(missing: number, next: number | undefined): Promise<void> {
    const answer = await this.ask<'status'>({ kind: 'status' })
    const { firstSlot = 1, stable = 0 } = answer?.status ?? {}
    const lacks = missing < firstSlot || missing <= stable
    if (!lacks && next === undefined) {
      this.gaps = 0
      return
    }
    if (++this.gaps < (lacks ? LOG_CUT_LOOKS : LOG_GAP_LOOKS)) return
    if (!lacks) throw this.lied(`it leaves out slot ${missing} and tells slot ${next}`)
    const from = Math.max(firstSlot, stable + 1)
    const text = `the watch fell behind: replica ${this.parts.replica} does not keep slot ${missing}, and has a state from slot ${from} on`
    throw new WatchEnded('fell-behind', text, from)
  }

  private async deliver(told: WatchedSlot): Promise<void> {
    const { range } = this.parts
    const changes = told.changes.filter(({ key }) => isWithin(key, range))
    if (changes.length > 0 && this.after !== undefined && told.slot > this.after) {
      const events = eventsOf({ ...told, changes }, told.certificate)
      if (events === undefined) throw notTheStore()
      this.reader.push(events, watchCost({ ...told, changes }))
    }
    await nextTurn()
    this.ending.signal.throwIfAborted()
    if (this.hasRoom) return
    while (!this.hasRoom) await this.pause(Number.POSITIVE_INFINITY)
    // That was the reader's own time.
    this.freshMs = this.parts.now()
  }

  /** The replica has told all that it tells for now. */
  private atTheEnd({ slot: at, timestampMs }: LogReplay): void {
    const { maxAgeMs, replica } = this.parts
    if (this.gaps > 0) return
    if (this.after === undefined) {
      // What is there was chosen before this moment, so what is asked for from now on comes later.
      this.after = at
      this.start?.resolve(at)
    }
    const ageMs = Date.now() - timestampMs
    if (maxAgeMs !== undefined && ageMs > maxAgeMs) {
      const text = `the last that replica ${replica} tells is slot ${at}, ${Math.round(ageMs / 100) / 10} s old`
      throw new WatchEnded('too-old', text)
    }
    this.wasFresh = true
    this.freshMs = this.parts.now()
  }

  /** One that does not answer, or tells so slowly that it never comes to its end, is as late as one that ends early. */
  private endWhereLate(): void {
    const { maxAgeMs, replica, now } = this.parts
    if (maxAgeMs === undefined || now() - this.freshMs <= maxAgeMs) return
    if (Date.now() - (this.replay?.timestampMs ?? 0) <= maxAgeMs) return
    throw new WatchEnded('too-old', `replica ${replica} has told nothing young enough for ${maxAgeMs / 1000} s`)
  }

  /** The first part of the answer, however long it takes. */
  private async ask<Kind extends 'state' | 'status'>(question: QuestionOf<Kind>): Promise<AnswerTo<Kind> | undefined> {
    const { questions } = this.parts
    for (;;) {
      const answers = await this.attempt((options) => questions.ask<Kind>(this.replica, question, options))
      if (answers !== undefined) return answers[0]
    }
  }

  /** Undefined where no answer came, after a while. */
  private async attempt<Answers>(call: (options: CallOptions) => Promise<Answers>): Promise<Answers | undefined> {
    const { maxAgeMs = CALL_TIMEOUT_MS, now } = this.parts
    const timeoutMs = Math.min(CALL_TIMEOUT_MS, Math.max(LOG_ANSWER_MS, maxAgeMs))
    try {
      const answers = await call({ signal: this.ending.signal, timeoutMs })
      if (!this.wasFresh) this.freshMs = now()
      this.endWhereLate()
      return answers
    } catch (error) {
      if (!(error instanceof ClientError) || error.code === 'closed') throw error
      this.endWhereLate()
      await this.pause(LOG_POLL_MS)
      return undefined
    }
  }

  private async pause(ms: number): Promise<void> {
    const { signal } = this.ending
    signal.throwIfAborted()
    await new Promise<void>((go) => {
      this.waiting = { untilMs: this.parts.now() + ms, go }
    })
    signal.throwIfAborted()
  }

  private wake(): void {
    const { waiting } = this
    this.waiting = undefined
    waiting?.go()
  }

  private lied(what: string): WatchEnded {
    const { replica, counters } = this.parts
    counters.add('watch-lied')
    this.givenUp.push({ replica, reason: 'watch-lied' })
    return new WatchEnded('lied', `replica ${replica} says what its proofs do not bear out: ${what}`)
  }

  private end(error: unknown): void {
    if (this.ending.signal.aborted) return
    this.ending.abort(error)
    this.start?.reject(error)
    this.wake()
    this.parts.over()
  }
}
