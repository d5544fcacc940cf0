// Questions to single replicas, which are theirs alone to answer: how they stand, and what they keep for auditors. Nothing of it is
// agreed, and whoever asks knows whom.

import type { ReplicaIndex } from '../../crypto/index.ts'
import type { Answer, Question } from '../wire/index.ts'
import type { Moves } from './cluster-view.ts'
import type { Counters } from './counters.ts'
import { ClientError, closedError, memberNoMore } from './errors.ts'
import { ANSWER_BYTES, CALL_TIMEOUT_MS, QUESTIONS } from './limits.ts'
import type { Links } from './links.ts'
import type { Ticker } from './ticker.ts'
import type { CallOptions } from './types.ts'

export type AnswerTo<Kind extends Question['kind']> = Extract<Answer, { readonly kind: Kind }>

interface Asked {
  /** The number under which it left last. */
  id: number
  replica: ReplicaIndex
  readonly question: Question
  readonly deadlineAt: number
  answers: Answer[]
  bytes: number
  readonly end: (outcome: readonly Answer[] | Error) => void
}

export class Questions {
  private readonly links: Links
  private readonly ticker: Ticker
  private readonly counters: Counters
  private readonly asked = new Map<number, Asked>()
  private lastId = 0
  private closed = false

  constructor({ links, ticker, counters }: { links: Links; ticker: Ticker; counters: Counters }) {
    this.links = links
    this.ticker = ticker
    this.counters = counters
    ticker.add((nowMs) => this.look(nowMs))
  }

  /**
   * All answers of `replica` to a question, in their order. A link that breaks meanwhile is waited for, and the question asked
   * anew. @throws {ClientError}
   */
  async ask<Kind extends Question['kind']>(
    replica: ReplicaIndex,
    question: Question & { readonly kind: Kind },
    { signal, timeoutMs = CALL_TIMEOUT_MS }: CallOptions = {},
  ): Promise<AnswerTo<Kind>[]> {
    signal?.throwIfAborted()
    if (this.closed) throw closedError()
    if (this.asked.size >= QUESTIONS)
      throw new ClientError('no-answer', `${QUESTIONS} questions wait for answers already`)
    let end: Asked['end'] = () => {}
    const promise = new Promise<readonly Answer[]>((resolve, reject) => {
      end = (outcome) => (outcome instanceof Error ? reject(outcome) : resolve(outcome))
    })
    const deadlineAt = this.ticker.now() + timeoutMs
    const asked: Asked = { id: 0, replica, question, deadlineAt, answers: [], bytes: 0, end }
    const stop = () => this.finish(asked, signal?.reason instanceof Error ? signal.reason : new Error('aborted'))
    signal?.addEventListener('abort', stop, { once: true })
    this.put(asked)
    this.ticker.wake()
    try {
      const answers = await promise
      return answers.filter((answer): answer is AnswerTo<Kind> => answer.kind === question.kind)
    } finally {
      signal?.removeEventListener('abort', stop)
    }
  }

  answer(from: ReplicaIndex, id: number, last: boolean, answer: Answer, bytes: number): void {
    const asked = this.asked.get(id)
    const kind = asked?.question.kind
    if (asked?.replica !== from || (answer.kind !== kind && answer.kind !== 'refused')) {
      return this.counters.add('answer-not-needed')
    }
    if (answer.kind === 'refused') {
      const text = `replica ${from} does not answer this question: ${answer.reason}`
      return this.finish(asked, new ClientError('question-refused', text))
    }
    asked.answers.push(answer)
    asked.bytes += bytes
    if (asked.bytes > ANSWER_BYTES) {
      const text = `replica ${from} answers with more than ${ANSWER_BYTES} bytes; ask for less at once`
      return this.finish(asked, new ClientError('no-answer', text))
    }
    if (last) this.finish(asked, asked.answers)
  }

  replicaUp(replica: ReplicaIndex): void {
    for (const [id, asked] of [...this.asked]) {
      if (asked.replica !== replica) continue
      // Under a new number: what of the old answer is still on its way must not be taken for the new one.
      this.asked.delete(id)
      asked.answers = []
      asked.bytes = 0
      this.put(asked)
    }
  }

  /** Those who were asked stand elsewhere, or are members no more. */
  moved(moves: Moves): void {
    for (const asked of new Set(this.asked.values())) {
      const now = moves(asked.replica)
      if (now === undefined) this.finish(asked, memberNoMore(asked.replica))
      else asked.replica = now
    }
  }

  close(): void {
    this.closed = true
    for (const asked of [...this.asked.values()]) this.finish(asked, closedError())
  }

  private put(asked: Asked): void {
    asked.id = ++this.lastId
    this.asked.set(asked.id, asked)
    this.links.send([asked.replica], { kind: 'ask', id: asked.id, question: asked.question })
  }

  private look(now: number): boolean {
    for (const asked of [...this.asked.values()]) {
      if (asked.deadlineAt > now) continue
      const { replica } = asked
      const text = this.links.connected(replica)
        ? `replica ${replica} did not answer in time`
        : `could not be reached: ${this.links.addressOf(replica)}`
      this.finish(asked, new ClientError('no-answer', text))
    }
    return this.asked.size > 0
  }

  private finish(asked: Asked, outcome: readonly Answer[] | Error): void {
    this.asked.delete(asked.id)
    asked.end(outcome)
  }
}
