// What replicas of different epochs say to one another (M8, M9). Who speaks in an epoch that is over is shown how it ended; who speaks in
// one that has not begun here is asked how it did. What is shown is verified link by link, on from the epoch that is known last:
//
//   one epoch ahead      the checkpoint goes to the core, which gets to the end of its epoch as always
//   more, or stuck       the core is left for that of the last epoch, once the hand-overs are on disk

import {
  failure,
  publicKey,
  type ReplicaIndex,
  type Result,
  replicaIndex,
  success,
  type Verified,
} from '../../crypto/index.ts'
import { decodeCharter, encodeCharter } from '../../keys/charter/index.ts'
import {
  type EpochChain,
  type Evidence,
  epochOfEvidence,
  evidenceFault,
  type Message,
  verifyMessage,
} from '../consensus/index.ts'
import { type ChainMessage, encodeMessage, MAX_LINKS, type ShownLink } from '../wire/index.ts'
import type { Counters } from './counters.ts'
import type { Epochs } from './epochs.ts'
import type { InboundFollowing } from './inbound.ts'
import { BAD_FRAME_FACTOR, CHAIN_BYTES, CHAIN_GAP_SHARE, STUCK_TIMEOUTS } from './limits.ts'
import { NextFrames } from './next-frames.ts'
import { Pace } from './pace.ts'
import type { Peer, Reign, Reigns } from './reign.ts'
import type { Retirement } from './retirement.ts'
import type { CachingVerifier } from './verify-cache.ts'

export interface FollowingOptions {
  readonly epochs: Pick<Epochs, 'chain' | 'newest'>
  readonly reigns: Reigns
  readonly verifier: CachingVerifier
  readonly counters: Counters
  readonly retirement: Pick<Retirement, 'lingers' | 'see'>
  readonly send: (to: Peer, frame: Uint8Array) => void
  readonly deliver: (reign: Reign, from: ReplicaIndex, message: Verified<Message>) => void
  /** A chain that goes on after the known one; to be followed once it is on disk. */
  readonly follow: (chain: EpochChain) => void
  /** A new proof of a lie. False where it is known. */
  readonly evidence: (evidence: Evidence) => boolean
}

type Shown = ChainMessage & { readonly kind: 'chain' }

export class Following implements InboundFollowing {
  /** Of the epoch that is next, for when it begins. */
  readonly next = new NextFrames()
  private readonly options: FollowingOptions
  private readonly shown = new Pace()
  private readonly asked = new Pace()
  private stuck: { readonly sinceMs: number; readonly executed: number } | undefined

  constructor(options: FollowingOptions) {
    this.options = options
  }

  /** Whether these, who may be ahead of us, have gone on; each at most once a quarter view time-out. */
  ask(peers: readonly Peer[], nowMs: number): void {
    const message = { kind: 'fetch-chain', from: this.options.reigns.current.core.epoch } as const
    for (const peer of peers) if (this.asked.allows(peer, nowMs, this.gapMs)) this.say(peer, message)
  }

  hearOlder(from: Peer, epoch: number, nowMs: number): void {
    this.show(from, epoch, nowMs)
  }

  hearNewer(from: Peer, epoch: number, frame: Uint8Array, nowMs: number): void {
    const { reigns, retirement } = this.options
    const { current } = reigns
    if (epoch === current.core.epoch + 1 && !retirement.lingers) this.next.keep(from, frame)
    this.ask([from], nowMs)
  }

  take(from: Peer, message: ChainMessage, nowMs: number): number {
    if (message.kind === 'chain') return this.takeChain(from, message, nowMs)
    this.show(from, message.from, nowMs)
    return 0
  }

  takeEvidence({ evidence }: Message & { readonly kind: 'evidence' }): number {
    const { epochs, verifier, counters } = this.options
    const before = verifier.checks
    const fault = evidenceFault(evidence, epochOfEvidence(evidence, epochs.chain).verify)
    const cost = verifier.checks - before
    // It may be of an epoch that we have not heard of.
    if (fault === undefined && this.options.evidence(evidence)) return cost
    counters.ignore(fault === undefined ? 'known' : 'other-epoch')
    return fault === undefined ? cost : cost * BAD_FRAME_FACTOR
  }

  /** The hand-overs on from the one that ended `epoch`, as one frame; undefined where there are none. */
  chainFrame(epoch: number): Uint8Array | undefined {
    const { epochs, reigns } = this.options
    const links: ShownLink[] = []
    let bytes = 0
    const told = epochs.chain.links.slice(epoch, epoch + MAX_LINKS)
    const { lies } = reigns.current
    for (const { checkpoint, charter } of lies?.chain?.(told) ?? told) {
      const encoded = encodeCharter(charter)
      bytes += encoded.length
      if (links.length > 0 && bytes > CHAIN_BYTES) break
      links.push({ checkpoint, charter: encoded })
    }
    if (links.length === 0) return undefined
    const { core, epoch: present } = reigns.current
    const { stable } = core.status()
    const newest = stable.slot > present.start.slot ? stable : undefined
    return encodeMessage({ kind: 'chain', links, stable: newest }, core.epoch)
  }

  private get gapMs(): number {
    return this.options.reigns.current.core.parameters.viewTimeoutMs * CHAIN_GAP_SHARE
  }

  /** M8. */
  private show(to: Peer, epoch: number, nowMs: number): void {
    if (epoch >= this.options.epochs.newest || !this.shown.allows(to, nowMs, this.gapMs)) return
    const frame = this.chainFrame(epoch)
    if (frame !== undefined) this.options.send(to, frame)
  }

  private say(to: Peer, message: ChainMessage): void {
    this.options.send(to, encodeMessage(message, this.options.reigns.current.core.epoch))
  }

  /** What it has cost, in signature checks. */
  private takeChain(from: Peer, { links, stable }: Shown, nowMs: number): number {
    const { epochs, reigns, retirement, verifier, counters, follow } = this.options
    const before = verifier.checks
    const judged = this.judge(links)
    if (!judged.ok) {
      const cost = verifier.checks - before
      // Whoever made it may stand elsewhere than we think; who makes up many pays for them.
      counters.ignore(judged.fault)
      return (cost + 1) * BAD_FRAME_FACTOR
    }
    if (stable !== undefined && retirement.lingers) retirement.see(judged.value, stable)
    const cost = verifier.checks - before
    const { core } = reigns.current
    const ahead = judged.value.links.length - core.epoch
    if (ahead <= 0) return cost
    const [next] = judged.value.links.slice(core.epoch)
    if (next === undefined) return cost
    if (ahead > 1 || this.isStuck(core.status().executed, nowMs)) {
      if (judged.value.links.length > epochs.newest) follow(judged.value)
      return cost
    }
    const message = { kind: 'stable', checkpoint: next.checkpoint } as const
    const { seats, self } = reigns.current
    const position = seats.indexOf(from)
    // Shown by somebody who is no member of our epoch, it is as if we had found it ourselves.
    const shower = position < 0 ? self : replicaIndex(position)
    if (core.ignoreReason(shower, message) !== undefined) return cost
    const verified = core.verify(message)
    if (verified.ok) this.options.deliver(reigns.current, shower, verified.value)
    return verifier.checks - before
  }

  /** The known chain with what is news in `links`. Keys in a charter are admitted only after a quorum was seen to have signed for it. */
  private judge(links: readonly ShownLink[]): Result<EpochChain, string> {
    let { chain } = this.options.epochs
    for (const { checkpoint, charter: bytes } of links) {
      const { verify, start } = chain.last
      if (checkpoint.slot <= start.slot) continue
      const checked = verifyMessage({ kind: 'stable', checkpoint }, verify)
      if (!checked.ok) return failure('bad-chain')
      const charter = decodeCharter(bytes, (key) => verify.admit(publicKey(key)))
      const longer = charter && chain.extend({ checkpoint, charter })
      if (!longer?.ok) return failure('bad-chain')
      chain = longer.value
    }
    return success(chain)
  }

  /** M9. True where nothing was executed for long while the next epoch was known to have begun. */
  private isStuck(executed: number, nowMs: number): boolean {
    if (this.stuck?.executed !== executed) this.stuck = { sinceMs: nowMs, executed }
    const { viewTimeoutMs } = this.options.reigns.current.core.parameters
    return nowMs - this.stuck.sinceMs > STUCK_TIMEOUTS * viewTimeoutMs
  }
}
