// What comes from peers: frame -> message -> of our epoch, and of any use? -> signatures -> core. Peers are heard in turn, and each pays for what it
// makes us check, so that none can keep us from the others (pitfalls P51, P53).

import type { ReplicaIndex, Verified } from '../../crypto/index.ts'
import type { Message } from '../consensus/index.ts'
import { decodeMessage } from '../wire/index.ts'
import type { Core } from './core.ts'
import type { Counters } from './counters.ts'
import { type Drained, FairQueue } from './fair-queue.ts'
import {
  BAD_FRAME_FACTOR,
  BYTES_PER_CHECK,
  FETCH_COST,
  PEER_CHECKS_BURST,
  PEER_CHECKS_PER_SECOND,
  PEER_QUEUE_BYTES,
} from './limits.ts'
import type { CachingVerifier } from './verify-cache.ts'

export interface InboundOptions {
  readonly core: () => Core
  readonly verifier: CachingVerifier
  readonly counters: Counters
  /** The message without what clients' door would not let in; undefined where nothing is left. */
  readonly admissible: (message: Message) => Message | undefined
  readonly deliver: (from: ReplicaIndex, message: Verified<Message>) => void
}

export class Inbound {
  private readonly options: InboundOptions
  private readonly queue = new FairQueue<ReplicaIndex, Uint8Array>({
    sourceBytes: PEER_QUEUE_BYTES,
    costPerSecond: PEER_CHECKS_PER_SECOND,
    costBurst: PEER_CHECKS_BURST,
  })

  constructor(options: InboundOptions) {
    this.options = options
  }

  /** Frames that found no room. */
  get dropped(): number {
    return this.queue.dropped
  }

  push(from: ReplicaIndex, frame: Uint8Array): void {
    this.queue.push(from, frame, frame.length)
  }

  drain(nowMs: number, over: () => boolean): Drained {
    return this.queue.drain(nowMs, over, (from, frame) => this.take(from, frame))
  }

  /** What the frame has cost, in signature checks. */
  private take(from: ReplicaIndex, frame: Uint8Array): number {
    const { verifier, counters, admissible, deliver } = this.options
    const core = this.options.core()
    const size = frame.length / BYTES_PER_CHECK
    counters.messages++
    const decoded = decodeMessage(frame, core.parameters)
    if (!decoded.ok) return this.blame(from, 'malformed-frame', size)
    // The sender has not come to our epoch, or we have not come to its: honest both.
    const ignored = decoded.value.epoch === core.epoch ? core.ignoreReason(from, decoded.value.message) : 'other-epoch'
    if (ignored !== undefined) {
      counters.ignore(ignored)
      return size
    }
    const message = admissible(decoded.value.message)
    if (message === undefined) {
      counters.ignore('nothing-new')
      return size
    }
    const before = verifier.checks
    const verified = core.verify(message)
    const cost = size + verifier.checks - before
    if (!verified.ok) {
      if (verified.fault.class === 'blame') return this.blame(from, verified.fault.code, cost + 1)
      counters.ignore(verified.fault.code)
      return cost
    }
    deliver(from, verified.value)
    return cost + answerCost(message)
  }

  private blame(from: ReplicaIndex, code: string, cost: number): number {
    this.options.counters.blame(from, code)
    return cost * BAD_FRAME_FACTOR
  }
}

function answerCost({ kind }: Message): number {
  return kind === 'fetch-entries' || kind === 'fetch-bodies' ? FETCH_COST : 0
}
