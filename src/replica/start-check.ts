// Before a replica that starts again says anything, it asks the others what they hold of its word (P28). A store that is an older copy does
// not know of all of it: the replica would vote once more, and differently, and be a liar. It stays out then. Until it knows, its core is
// not begun, so nothing is signed, written or sent.
//
// An answer counts only for what it holds under this replica's own signature, so that nobody can keep it out with a lie; and whoever
// says less than it holds, or nothing, merely does not help: one base view time-out later the replica goes on.

import { type Digest, type Epoch, replicaIndex, slot, type Vote } from '../../crypto/index.ts'
import { nativeVerifier } from '../../keys/native/index.ts'
import {
  type CheckpointVote,
  type DurableRecord,
  type HeldStatements,
  type OwnWord,
  saidInUnknownEpoch,
  sayings,
} from '../consensus/index.ts'
import { type Store, StoreError } from '../storage/index.ts'
import { decodeMessage, encodeMessage, frameHead, type StartMessage } from '../wire/index.ts'
import type { Counters } from './counters.ts'
import type { Epochs } from './epochs.ts'
import { FETCH_COST, START_ANSWER_SHARE, START_ASK_SHARE, START_TIMEOUTS } from './limits.ts'
import type { Network } from './network.ts'
import { Pace } from './pace.ts'
import type { Peer, Reign, Reigns } from './reign.ts'

/** What is decided once. */
export interface StartVerdicts {
  /** The replica may vote. */
  clear(): void
  rolledBack(error: StoreError): void
}

export interface StartCheckOptions {
  readonly reigns: Pick<Reigns, 'current' | 'of'>
  /** The epochs that the store knows of. */
  readonly epochs: Pick<Epochs, 'chain'>
  readonly network: Pick<Network, 'send'>
  readonly counters: Counters
  readonly store: Pick<Store, 'recovered' | 'firstSlot'>
  /** As they were when the replica started. */
  readonly records: readonly DurableRecord[]
  /** Where the store is, for people. */
  readonly path: string
  /** True for one that lies on purpose: what it says stands in no record. */
  readonly lies: boolean
  readonly clock: () => number
}

/** What is known while others are being asked. */
interface Asking {
  readonly own: OwnWord
  readonly reign: Reign
  readonly verdicts: StartVerdicts
  readonly answered: Set<Peer>
  readonly timers: readonly [NodeJS.Timeout, NodeJS.Timeout]
}

export class StartCheck {
  private readonly options: StartCheckOptions
  private readonly told = new Pace()
  private asking: Asking | undefined

  constructor(options: StartCheckOptions) {
    this.options = options
  }

  /** Asks, where there is anything to have been forgotten and anybody to know; else it is clear at once. */
  begin(verdicts: StartVerdicts): void {
    const { reigns, lies, store, records } = this.options
    const reign = reigns.current
    const { recovered, firstSlot } = store
    const isNew = recovered.records.length === 0 && recovered.snapshot === undefined
    if (isNew || lies || reign.epoch.membership.quorums.quorum === 1) return verdicts.clear()
    const { view, stable } = reign.core.status()
    const own = {
      self: reign.self,
      view,
      settled: slot(Math.max(stable.slot, firstSlot - 1)),
      said: sayings(records, reign.self),
    }
    const { viewTimeoutMs } = reign.core.parameters
    const timers = [
      setTimeout(() => this.end()?.verdicts.clear(), START_TIMEOUTS * viewTimeoutMs),
      setInterval(() => this.askAll(), START_ASK_SHARE * viewTimeoutMs),
    ] as const
    this.asking = { own, reign, verdicts, answered: new Set(), timers }
    this.askAll()
  }

  /** Nothing is asked, and nothing decided, from here on. */
  stop(): void {
    this.end()
  }

  peerUp(peer: Peer): void {
    if (this.asking?.reign.seats.includes(peer)) this.ask(peer)
  }

  /** Takes what is not to wait until the replica may vote: those who start as well wait for us. False where it may wait. */
  hear(from: Peer, frame: Uint8Array): boolean {
    if (this.asking === undefined) return false
    const head = frameHead(frame)
    if (head === undefined || !head.atStart) return false
    const decoded = decodeMessage(frame)
    if (!decoded.ok) this.options.counters.ignore('malformed-at-start')
    else if (decoded.value.message.kind === 'what-of-me') this.answer(from, head.epoch)
    else if (decoded.value.message.kind === 'held-of-you') this.takeAnswer(from, decoded.value.message)
    return true
  }

  /** What it has cost, in signature checks. */
  take(from: Peer, epoch: Epoch, message: StartMessage): number {
    if (message.kind === 'what-of-me') return this.answer(from, epoch) ? FETCH_COST : 0
    // What is held of us by now, we may have said since we started.
    this.options.counters.ignore('too-late')
    return 0
  }

  /** False where it was told just now, or is nobody in that epoch. */
  private answer(from: Peer, epoch: Epoch): boolean {
    const { reigns, clock } = this.options
    const { current } = reigns
    const asked = reigns.of(epoch)
    // Who asks in an epoch that is over may have spoken in the one in office, and not know of it any more.
    const [held] = [...(current.core.epoch > epoch ? [current] : []), ...(asked === undefined ? [] : [asked])].flatMap(
      (reign) => {
        const position = reign.seats.indexOf(from)
        const found = position < 0 ? undefined : reign.core.heldOf(replicaIndex(position))
        return found === undefined || (reign !== asked && found.promise === undefined && found.vote === undefined)
          ? []
          : found
      },
    )
    if (held === undefined) return false
    if (!this.told.allows(from, clock(), START_ANSWER_SHARE * current.core.parameters.viewTimeoutMs)) return false
    this.say(from, { kind: 'held-of-you', ...held })
    return true
  }

  private takeAnswer(from: Peer, held: HeldStatements): void {
    const { asking } = this
    if (asking === undefined || !asking.reign.seats.includes(from) || asking.answered.has(from)) return
    const { reign, own, answered, verdicts } = asking
    answered.add(from)
    const { chain } = this.options.epochs
    const knows = (membership: Digest) => chain.of(membership) !== undefined
    const known = { clusterId: reign.epoch.membership.clusterId, knows }
    const key = reign.epoch.charter.members[reign.self]?.consensusKey
    const lost = reign.core.forgotten(held, own) ?? (key && saidInUnknownEpoch(held, key, known, nativeVerifier))
    if (lost !== undefined) {
      this.end()
      return verdicts.rolledBack(this.rolledBack(from, lost))
    }
    if (answered.size < reign.epoch.membership.quorums.quorum - 1) return
    this.end()
    verdicts.clear()
  }

  private rolledBack(from: Peer, lost: Vote | CheckpointVote): StoreError {
    const who = `replica ${this.options.reigns.current.seats.indexOf(from)}`
    const what =
      'statement' in lost ? `${nameOf(lost)} in view ${lost.statement.view}` : `the checkpoint of slot ${lost.slot}`
    return new StoreError(
      'rolled-back',
      `${this.options.path} is an older copy: ${who} holds what this replica has signed since, ${what}, and it would contradict itself`,
    )
  }

  private askAll(): void {
    for (const peer of this.asking?.reign.seats ?? []) this.ask(peer)
  }

  private ask(peer: Peer): void {
    const { asking } = this
    if (asking === undefined || asking.answered.has(peer) || peer === asking.reign.seats[asking.reign.self]) return
    this.say(peer, { kind: 'what-of-me' })
  }

  /** What finds no way is asked again, or not answered. */
  private say(to: Peer, message: StartMessage): void {
    const { network, reigns, counters } = this.options
    if (!network.send(to, 'consensus', encodeMessage(message, reigns.current.core.epoch))) counters.unsent++
  }

  /** What was being asked, until now. */
  private end(): Asking | undefined {
    const { asking } = this
    this.asking = undefined
    for (const timer of asking?.timers ?? []) clearTimeout(timer)
    return asking
  }
}

function nameOf({ statement: { kind, slot: at } }: Vote): string {
  const isPhase = kind === 'prepare' || kind === 'accept'
  return isPhase ? `a vote for slot ${at}` : 'a change'
}
