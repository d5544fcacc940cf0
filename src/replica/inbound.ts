// What comes from peers: frame -> of an epoch that we are in -> message -> of any use? -> signatures -> core. Peers are heard in turn, and
// each pays for what it makes us check, so that none can keep us from the others (pitfalls P51, P53). What is of another epoch is never
// held against its sender: it is late, or we are.

import { type Epoch, type ReplicaIndex, replicaIndex, type Verified } from '../../crypto/index.ts'
import type { Message } from '../consensus/index.ts'
import {
  type ChainMessage,
  decodeMessage,
  type FrameHead,
  frameHead,
  type PeerMessage,
  type StartMessage,
} from '../wire/index.ts'
import type { Counters } from './counters.ts'
import { type Drained, FairQueue } from './fair-queue.ts'
import { Fetches } from './fetches.ts'
import {
  BAD_FRAME_FACTOR,
  BYTES_PER_CHECK,
  FETCH_COST,
  PEER_CHECKS_BURST,
  PEER_CHECKS_PER_SECOND,
  PEER_QUEUE_BYTES,
} from './limits.ts'
import type { Peer, Reign, Reigns } from './reign.ts'
import type { CachingVerifier } from './verify-cache.ts'

export interface InboundOptions {
  readonly reigns: Pick<Reigns, 'current' | 'of' | 'nameOf'>
  readonly verifier: CachingVerifier
  readonly counters: Counters
  /** The message without what clients' door would not let in; undefined where nothing is left. */
  readonly admissible: (message: Message) => Message | undefined
  readonly deliver: (reign: Reign, from: ReplicaIndex, message: Verified<Message>) => void
  readonly following: InboundFollowing
  readonly startCheck: InboundStartCheck
  /** Milliseconds that never go back. */
  readonly clock: () => number
}

/** What is made of other epochs. */
export interface InboundFollowing {
  /** Somebody speaks in an epoch that is over here. */
  hearOlder(from: Peer, epoch: number, nowMs: number): void
  /** Somebody speaks in an epoch that has not begun here. */
  hearNewer(from: Peer, epoch: number, frame: Uint8Array, nowMs: number): void
  /** What it has cost, in signature checks. */
  take(from: Peer, message: ChainMessage, nowMs: number): number
  /** A proof of a lie, of an epoch that has no core here; likewise. */
  takeEvidence(message: Message & { readonly kind: 'evidence' }): number
}

/** What is made of what replicas ask before they vote. */
export interface InboundStartCheck {
  /** What it has cost, in signature checks. */
  take(from: Peer, epoch: Epoch, message: StartMessage): number
}

export class Inbound {
  private readonly options: InboundOptions
  private readonly queue = new FairQueue<Peer, Uint8Array>({
    sourceBytes: PEER_QUEUE_BYTES,
    costPerSecond: PEER_CHECKS_PER_SECOND,
    costBurst: PEER_CHECKS_BURST,
  })

  private readonly fetches: Fetches

  constructor(options: InboundOptions) {
    this.options = options
    this.fetches = new Fetches(options.clock)
  }

  /** Frames that found no room. */
  get dropped(): number {
    return this.queue.dropped
  }

  push(from: Peer, frame: Uint8Array): void {
    this.queue.push(from, frame, frame.length)
  }

  drain(nowMs: number, over: () => boolean): Drained {
    return this.queue.drain(nowMs, over, (from, frame) => this.take(from, frame, nowMs))
  }

  /** What the frame has cost, in signature checks. */
  private take(from: Peer, frame: Uint8Array, nowMs: number): number {
    const { reigns, counters, following } = this.options
    const size = frame.length / BYTES_PER_CHECK
    counters.messages++
    const head = frameHead(frame)
    if (head === undefined) return this.blame(from, 'malformed-frame', size)
    const reign = reigns.of(head.epoch)
    if (head.epoch < reigns.current.core.epoch) following.hearOlder(from, head.epoch, nowMs)
    if (head.epoch > reigns.current.core.epoch) following.hearNewer(from, head.epoch, frame, nowMs)
    if (reign === undefined && !head.anyEpoch) {
      counters.ignore('other-epoch')
      return size
    }
    // Those who check less than the rest of the cluster does now would be blamed for what was right when it was sent.
    const decoded = decodeMessage(frame, reign?.core.parameters)
    if (!decoded.ok) return this.blame(from, 'malformed-frame', size)
    return size + this.takeMessage(from, head, decoded.value.message, nowMs)
  }

  private takeMessage(from: Peer, head: FrameHead, message: PeerMessage, nowMs: number): number {
    const { reigns, counters, following, startCheck } = this.options
    if (message.kind === 'fetch-chain' || message.kind === 'chain') return following.take(from, message, nowMs)
    if (message.kind === 'what-of-me' || message.kind === 'held-of-you') {
      return startCheck.take(from, head.epoch, message)
    }
    const reign = reigns.of(head.epoch)
    if (reign === undefined) return message.kind === 'evidence' ? following.takeEvidence(message) : 0
    const index = reign.seats.indexOf(from)
    if (index >= 0) return this.hear(reign, replicaIndex(index), from, message)
    counters.ignore('no-member')
    return 0
  }

  private hear(reign: Reign, index: ReplicaIndex, from: Peer, heard: Message): number {
    const { verifier, counters, admissible, deliver } = this.options
    const { core } = reign
    const ignored = core.ignoreReason(index, heard)
    const message = ignored === undefined ? admissible(heard) : undefined
    if (message === undefined) {
      counters.ignore(ignored ?? 'nothing-new')
      return 0
    }
    const before = verifier.checks
    const verified = core.verify(message)
    const cost = verifier.checks - before
    if (!verified.ok) {
      if (verified.fault.class === 'blame') return this.blame(from, verified.fault.code, cost + 1)
      counters.ignore(verified.fault.code)
      return cost
    }
    const answer = () => deliver(reign, index, verified.value)
    if (!isFetch(message)) answer()
    else if (this.fetches.serve(from, answer)) return cost + FETCH_COST
    else counters.ignore('fetch-too-often')
    return cost
  }

  private blame(from: Peer, code: string, cost: number): number {
    const { reigns, counters } = this.options
    counters.blame(reigns.nameOf(from), code)
    return cost * BAD_FRAME_FACTOR
  }
}

function isFetch({ kind }: Message): boolean {
  return kind === 'fetch-entries' || kind === 'fetch-bodies'
}
