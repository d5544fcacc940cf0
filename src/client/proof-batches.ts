// Keys asked of one replica for stale reads. What is asked in one turn leaves together, as far as one question takes it, since a checkpoint's
// signatures and the proof of its time are the same for all; with many questions under way, the rest waits and joins the next.

import type { ReplicaIndex } from '../../crypto/index.ts'
import { type ArchivedCheckpoint, MAX_STATE_KEYS, type Question } from '../wire/index.ts'
import type { Counters } from './counters.ts'
import { ClientError, closedError } from './errors.ts'
import { STALE_QUESTIONS } from './limits.ts'
import type { Proofs, ProvenKey } from './proofs.ts'
import type { AnswerTo } from './questions.ts'
import type { Ticker } from './ticker.ts'
import type { CallOptions } from './types.ts'

type KeysQuestion = Extract<Question, { readonly kind: 'prove' }>

export interface ProofBatchesParts {
  readonly questions: {
    ask(replica: ReplicaIndex, question: KeysQuestion, options: CallOptions): Promise<AnswerTo<'prove'>[]>
  }
  readonly proofs: Pick<Proofs, 'check'>
  readonly ticker: Ticker
  readonly counters: Counters
}

/** What one replica's answer about one key came to; `nothing`: it did not answer in time. */
export type KeyAnswer =
  | { readonly proven: ProvenKey; readonly under: ArchivedCheckpoint }
  | 'no-checkpoint'
  | 'lie'
  | 'nothing'

interface Wanted {
  readonly replica: ReplicaIndex
  readonly key: Uint8Array
  readonly deadlineAt: number
  /** Once; after that it is passed over. */
  readonly end: (outcome: KeyAnswer | Error) => void
}

export class ProofBatches {
  private readonly parts: ProofBatchesParts
  /** Those without an outcome, in the order in which they came. */
  private readonly open = new Set<Wanted>()
  /** Of these, those that have not left. */
  private waiting: Wanted[] = []
  private underWay = 0
  private flushing = false
  private closed = false

  constructor(parts: ProofBatchesParts) {
    this.parts = parts
    parts.ticker.add((nowMs) => this.look(nowMs))
  }

  /** What `replica` proves of `key` within `timeoutMs`. @throws {ClientError} `closed`. @throws the reason of `signal`. */
  ask(
    replica: ReplicaIndex,
    key: Uint8Array,
    { timeoutMs, signal }: { readonly timeoutMs: number; readonly signal?: AbortSignal | undefined },
  ): Promise<KeyAnswer> {
    if (this.closed) return Promise.reject(closedError())
    if (signal?.aborted) return Promise.reject(reasonOf(signal))
    const { ticker } = this.parts
    const asked = new Promise<KeyAnswer>((resolve, reject) => {
      const stop = () => wanted.end(reasonOf(signal))
      const wanted: Wanted = {
        ...{ replica, key, deadlineAt: ticker.now() + timeoutMs },
        end: (outcome) => {
          if (!this.open.delete(wanted)) return
          signal?.removeEventListener('abort', stop)
          if (outcome instanceof Error) reject(outcome)
          else resolve(outcome)
        },
      }
      signal?.addEventListener('abort', stop, { once: true })
      this.open.add(wanted)
      this.waiting.push(wanted)
    })
    ticker.wake()
    this.flushSoon()
    return asked
  }

  /** The positions are others now: who has not been asked is to be chosen anew. */
  moved(): void {
    for (const wanted of this.waiting.splice(0)) wanted.end('nothing')
  }

  close(): void {
    this.closed = true
    for (const wanted of this.open) wanted.end(closedError())
  }

  private flushSoon(): void {
    if (this.flushing) return
    this.flushing = true
    setImmediate(() => {
      this.flushing = false
      while (this.underWay < STALE_QUESTIONS) {
        const batch = this.next()
        if (batch.length === 0) return
        void this.send(batch)
      }
    })
  }

  /** As many as one question takes, of those that the first one's replica is asked. */
  private next(): readonly Wanted[] {
    const batch: Wanted[] = []
    const passed: Wanted[] = []
    let at = 0
    // Not to the end: tens of thousands may wait.
    for (; at < this.waiting.length && batch.length < MAX_STATE_KEYS; at++) {
      const wanted = this.waiting[at]
      if (wanted === undefined || !this.open.has(wanted)) continue
      if (wanted.replica === (batch[0] ?? wanted).replica) batch.push(wanted)
      else passed.push(wanted)
    }
    this.waiting.splice(0, at, ...passed)
    return batch
  }

  private async send(batch: readonly Wanted[]): Promise<void> {
    this.underWay++
    try {
      for (const [i, answer] of (await this.answersTo(batch)).entries()) batch[i]?.end(answer)
    } catch (error) {
      for (const wanted of batch) wanted.end(error instanceof Error ? error : new Error(String(error)))
    } finally {
      this.underWay--
      if (this.waiting.length > 0) this.flushSoon()
    }
  }

  private async answersTo(batch: readonly Wanted[]): Promise<readonly KeyAnswer[]> {
    const { questions, proofs, ticker, counters } = this.parts
    const [{ replica } = unreachable()] = batch
    const keys = batch.map(({ key }) => key)
    const timeoutMs = Math.max(...batch.map(({ deadlineAt }) => deadlineAt)) - ticker.now()
    const alike = (answer: KeyAnswer) => batch.map(() => answer)
    try {
      const [answer] = await questions.ask(replica, { kind: 'prove', keys }, { timeoutMs })
      if (answer !== undefined && answer.state === undefined) return alike('no-checkpoint')
      const checked = answer?.state === undefined ? 'wrong' : proofs.check(keys, answer.state)
      if (checked === 'old') return alike('no-checkpoint')
      if (checked !== 'wrong') return checked.values.map((proven) => ({ proven, under: checked.under }))
      counters.add('proof-wrong')
      return alike('lie')
    } catch (error) {
      if (error instanceof ClientError && error.code !== 'closed') return alike('nothing')
      throw error
    }
  }

  private look(nowMs: number): boolean {
    for (const wanted of this.open) if (wanted.deadlineAt <= nowMs) wanted.end('nothing')
    return this.open.size > 0
  }
}

function reasonOf(signal: AbortSignal | undefined): Error {
  const reason: unknown = signal?.reason
  return reason instanceof Error ? reason : new Error('aborted')
}

function unreachable(): never {
  throw new Error('an empty batch')
}
