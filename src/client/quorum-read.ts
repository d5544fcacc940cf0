// One read under way: who said what, and whether as many as it takes still can agree.

import { equalBytes, type ReplicaIndex } from '../../crypto/index.ts'
import type { Outcome } from '../machine/index.ts'
import { READ_DEADLINE_SHARE } from './limits.ts'
import type { QuorumResult } from './quorum-reads.ts'

/** The part of a result that replicas must agree on. */
export type Same = (result: Uint8Array) => Uint8Array

/** One answer, and the slot of each replica that gave it. */
export interface Tally {
  readonly outcome: Outcome
  readonly result: Uint8Array
  readonly slots: Map<ReplicaIndex, number>
}

/** `bytes`: those that are now kept on account of the speaker. */
export type Heard = { readonly bytes: number } & (
  | { readonly kind: 'waiting' | 'hopeless' }
  | { readonly kind: 'agreed'; readonly tally: Tally }
)

export interface QuorumReadOptions {
  readonly command: Uint8Array
  readonly same: Same
  readonly nowMs: number
  readonly timeoutMs: number
  /** Equal answers that settle it. */
  readonly need: number
}

export class QuorumRead {
  readonly command: Uint8Array
  readonly same: Same
  readonly deadlineAt: number
  /** From then on it goes through the log, so that this has time too. */
  readonly giveUpAt: number
  readonly outcome: Promise<QuorumResult>
  /** Number of the question that it is in. */
  group: number | undefined
  ended = false
  signal: AbortSignal | undefined
  /** Bytes kept on account of each replica. */
  readonly held = new Map<ReplicaIndex, number>()
  /** Replicas that may still be heard, at most: when they all were, and do not agree, there is nothing to wait for. */
  voters = Number.POSITIVE_INFINITY
  private need: number
  private readonly heard = new Set<ReplicaIndex>()
  private tallies: Tally[] = []
  private resolve: (result: QuorumResult | Promise<QuorumResult>) => void = () => {}
  private reject: (error: Error) => void = () => {}
  private unlisten: (() => void) | undefined

  constructor({ command, same, nowMs, timeoutMs, need }: QuorumReadOptions) {
    this.command = command
    this.same = same
    this.need = need
    this.deadlineAt = nowMs + timeoutMs
    this.giveUpAt = nowMs + timeoutMs * READ_DEADLINE_SHARE
    this.outcome = new Promise((resolve, reject) => {
      this.resolve = resolve
      this.reject = reject
    })
  }

  /** Others are asked from now on, and what was said so far counts for nothing. */
  restart(need: number): void {
    this.need = need
    this.heard.clear()
    this.tallies = []
    this.held.clear()
  }

  listen(signal: AbortSignal | undefined, stop: () => void): void {
    if (signal === undefined) return
    this.signal = signal
    signal.addEventListener('abort', stop, { once: true })
    this.unlisten = () => signal.removeEventListener('abort', stop)
  }

  /**
   * The first word of each replica counts; with nothing said it has none. What is longer than `room`, and not said by another
   * before, counts as nothing.
   */
  hear(
    from: ReplicaIndex,
    said: { readonly slot: number; readonly outcome: Outcome; readonly result: Uint8Array } | undefined,
    room: number,
  ): Heard {
    if (this.heard.has(from)) return { kind: 'waiting', bytes: 0 }
    this.heard.add(from)
    let bytes = 0
    if (said !== undefined) {
      const { slot, outcome } = said
      const result = this.same(said.result)
      let tally = this.tallies.find((each) => each.outcome === outcome && equalBytes(each.result, result))
      if (tally === undefined && result.length <= room) {
        tally = { outcome, result, slots: new Map() }
        this.tallies.push(tally)
        bytes = result.length
        this.held.set(from, bytes)
      }
      tally?.slots.set(from, slot)
      if (tally !== undefined && tally.slots.size >= this.need) return { kind: 'agreed', bytes, tally }
    }
    const most = Math.max(0, ...this.tallies.map(({ slots }) => slots.size))
    const missing = this.voters - this.heard.size
    return { kind: most + missing < this.need ? 'hopeless' : 'waiting', bytes }
  }

  /** False where it had ended before. */
  end(outcome: QuorumResult | Promise<QuorumResult> | Error): boolean {
    if (this.ended) return false
    this.ended = true
    this.unlisten?.()
    if (outcome instanceof Error) this.reject(outcome)
    else this.resolve(outcome)
    return true
  }
}
