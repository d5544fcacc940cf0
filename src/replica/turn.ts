// The loop of a replica. Whatever arrives in one turn of the event loop is handled together: inputs of our own, frames of peers,
// frames of clients; then all records of the turn go to the store as one append, and entries are executed while the disk works.
// The core decides what leaves and when; nothing here sends what the core has not released.

import { performance } from 'node:perf_hooks'
import { epoch as epochNumber, type ReplicaIndex, replicaIndex, type Verified } from '../../crypto/index.ts'
import type { ReplicaTransport } from '../../net/index.ts'
import { frameEpoch } from '../byzantine/index.ts'
import type { Effect, Input, Message, StableCheckpoint } from '../consensus/index.ts'
import { encodeMessage } from '../wire/index.ts'
import type { Counters } from './counters.ts'
import type { Door } from './door.ts'
import type { Inbound } from './inbound.ts'
import type { Journal } from './journal.ts'
import { EXECUTE_SLICE_MS, INBOUND_SLICE_MS, READ_SLICE_MS } from './limits.ts'
import type { MachineHost } from './machine-host.ts'
import type { Network } from './network.ts'
import type { Notices } from './notices.ts'
import type { Reads } from './reads.ts'
import type { Peer, Reign, Reigns } from './reign.ts'
import type { Retirement } from './retirement.ts'
import type { Snapshots } from './snapshots.ts'
import type { Succession } from './succession.ts'
import type { Watches } from './watches.ts'

export interface TurnParts {
  readonly reigns: Reigns
  readonly network: Network
  readonly succession: Succession
  readonly retirement: Retirement
  readonly inbound: Inbound
  readonly door: Door
  readonly reads: Reads
  readonly journal: Journal
  readonly host: MachineHost
  readonly snapshots: Snapshots
  readonly transport: ReplicaTransport
  readonly counters: Counters
  readonly notices: Notices
  readonly watches: Watches
}

/** Own votes that complete a quorum bring new records, and these new votes: a handful of times a slot. */
const SETTLE_ROUNDS = 8

type Execute = Effect & { readonly kind: 'execute' }

/** Something that a core is told, or that is done, in the next turn. */
type Task = () => void

export class Turn {
  private readonly parts: TurnParts
  private tasks: Task[] = []
  private executions: { readonly reign: Reign; readonly effect: Execute }[] = []
  private stable: Verified<StableCheckpoint>[] = []
  private scheduled = false
  private running = false
  private settling = false
  /** Up to which record of each core everything is durable, where it was not told yet. */
  private durables = new Map<Reign, number>()
  /** The message encoded last: a broadcast, or the same to several peers. */
  private encoded: { readonly message: Message; readonly epoch: number; readonly frame: Uint8Array } | undefined

  constructor(parts: TurnParts) {
    this.parts = parts
  }

  /** Carries out the effects of the start. */
  begin(effects: readonly Effect[]): void {
    this.running = true
    this.guarded(() => {
      this.enter(this.parts.reigns.current, effects)
      this.settle()
    })
    this.wake()
  }

  /** Carries out the first effects of a core, and tells it the time, without which a leader would propose for a time long past. */
  enter(reign: Reign, effects: readonly Effect[]): void {
    this.carryOut(reign, effects, undefined)
    this.step(reign, tickNow())
  }

  /** The last one: what came of the slots executed last goes to the store too. */
  finish(): void {
    this.guarded(() => this.parts.journal.flush())
    this.end()
  }

  /** Nothing is handled from here on. */
  end(): void {
    this.running = false
    this.tasks = []
    this.executions = []
    this.stable = []
  }

  /** Does something within the next turn. */
  later(task: Task): void {
    this.tasks.push(task)
    this.wake()
  }

  /** The channel to a peer ended, or is there again. A core that begins takes all for connected, so before that it need not hear of it. */
  link(peer: Peer, up: boolean): void {
    if (!this.running) return
    this.later(() => {
      const { current, former } = this.parts.reigns
      for (const reign of former === undefined ? [current] : [former, current]) {
        const seat = reign.seats.indexOf(peer)
        if (seat >= 0 && seat !== reign.self) this.step(reign, { kind: 'link', peer: replicaIndex(seat), up })
      }
    })
  }

  tick(): void {
    this.later(() => this.takeTick())
  }

  /** What was handed over for execution is void: the state that it would be executed on is given up. */
  forgetExecutions(): void {
    this.executions = []
  }

  /** Every record of this core up to this number is durable. */
  private durable(reign: Reign, number: number): void {
    this.durables.set(reign, Math.max(number, this.durables.get(reign) ?? 0))
    if (!this.settling) this.wake()
  }

  /** Something came: there will be a turn. */
  wake(): void {
    if (this.scheduled || !this.running) return
    this.scheduled = true
    setImmediate(() => {
      this.scheduled = false
      this.guarded(() => this.run())
    })
  }

  /** Handles one input at once; for parts that are called within a turn. Nothing is told to a core that was left. */
  step(reign: Reign, input: Input): void {
    if (this.running && this.parts.reigns.isHeld(reign)) this.carryOut(reign, reign.core.step(input), input)
  }

  private takeTick(): void {
    const { reigns, snapshots, watches, retirement } = this.parts
    const { current, former } = reigns
    const tick = tickNow()
    if (former !== undefined) this.step(former, tick)
    this.step(current, tick)
    const nowMs = performance.now()
    snapshots.tick(nowMs)
    watches.tick(nowMs)
    retirement.tick(nowMs)
  }

  private run(): void {
    const { inbound, door, reads, snapshots, watches, transport, counters } = this.parts
    counters.turns++
    const nowMs = performance.now()
    this.tellTime(nowMs)
    this.tellDurable()
    const { tasks } = this
    this.tasks = []
    for (const task of tasks) task()
    const peers = inbound.drain(nowMs, within(INBOUND_SLICE_MS))
    const clients = door.drain(nowMs, within(INBOUND_SLICE_MS))
    const transfers = snapshots.drain(nowMs, within(INBOUND_SLICE_MS))
    this.settle()
    transport.flush()
    snapshots.settle()
    const executed = this.execute()
    door.flush()
    const answered = reads.flush(nowMs, within(READ_SLICE_MS))
    const watched = watches.flush()
    if (executed || watched || [peers, clients, transfers, answered].includes('more')) this.wake()
  }

  /**
   * The records of the turn go to the store, and where that has them at once, so do those of what they held back. Then comes what relies
   * on their order: were the log cut before a checkpoint is in it, a power cut would leave neither.
   */
  private settle(): void {
    const { journal, snapshots } = this.parts
    this.settling = true
    journal.flush()
    for (let round = 1; this.durables.size > 0 && round < SETTLE_ROUNDS; round++) {
      this.tellDurable()
      journal.flush()
    }
    this.settling = false
    if (this.durables.size > 0) this.wake()
    const { stable } = this
    this.stable = []
    for (const checkpoint of stable) snapshots.stabilize(checkpoint)
    if (stable.length > 0) this.parts.succession.stabilized()
  }

  /** Before whatever this turn holds: by the ticks alone all would seem to come up to a tick sooner than it did. */
  private tellTime(nowMs: number): void {
    const { current, former } = this.parts.reigns
    const wallMs = Date.now()
    for (const reign of former === undefined ? [current] : [former, current])
      reign.core.step({ kind: 'time', nowMs, wallMs })
  }

  private tellDurable(): void {
    const { durables } = this
    this.durables = new Map()
    for (const [reign, number] of durables) this.step(reign, { kind: 'durable', number })
  }

  /** Executes for a while; true where another turn is needed, for the rest or for what came of it. */
  private execute(): boolean {
    if (this.executions.length === 0) return false
    const over = within(EXECUTE_SLICE_MS)
    while (this.running) {
      const next = this.executions.shift()
      if (next === undefined) break
      const { entry, timestampMs, certificate } = next.effect
      const { slot, resultsRoot, stateRoot } = this.parts.host.execute(
        entry,
        timestampMs,
        certificate,
        this.executions.length,
      )
      this.step(next.reign, { kind: 'executed', slot, resultsRoot, stateRoot, ...this.parts.host.outlook })
      if (over()) break
    }
    return true
  }

  private carryOut(reign: Reign, honest: readonly Effect[], input: Input | undefined): void {
    const effects = reign.lies === undefined ? honest : reign.lies.effects(honest, input)
    for (const effect of effects) this.carryOutOne(reign, effect)
  }

  private carryOutOne(reign: Reign, effect: Effect): void {
    const { journal, snapshots, notices, counters, succession } = this.parts
    switch (effect.kind) {
      case 'persist':
        return journal.add(effect.records, () => this.durable(reign, effect.number))
      case 'send':
        return this.send(reign, effect.to, effect.message, frameEpoch(effect))
      case 'broadcast':
        for (const to of reign.peers) this.send(reign, to, effect.message)
        return
      case 'execute':
        this.executions.push({ reign, effect })
        return this.wake()
      case 'receipt':
        return this.receipt(effect)
      case 'stabilize':
        this.stable.push(effect.checkpoint)
        return
      case 'transfer':
        this.forgetExecutions()
        notices.transfer(effect.checkpoint.slot, effect.reason)
        return snapshots.begin(effect.checkpoint, seatsOf(reign, effect.sources), performance.now())
      case 'alarm':
        return notices.alarm(effect.code, effect.slot)
      case 'evidence':
        return notices.evidence(effect.evidence)
      case 'view':
        counters.view(effect.reason)
        return notices.view(effect)
      case 'hand-over':
        return succession.handedOver(reign, effect.handOver)
    }
  }

  private receipt({ slot, receipt }: Effect & { readonly kind: 'receipt' }): void {
    const { journal, host, door } = this.parts
    journal.addOutcome(slot, receipt, host.resultsOf(slot)?.records() ?? [])
    door.receipt(slot, receipt)
  }

  /** `epoch`: in whose frame it leaves; a liar may want another than that of its core. */
  private send(reign: Reign, to: ReplicaIndex, message: Message, epoch: number = reign.core.epoch): void {
    const { network, counters, reigns } = this.parts
    const there = [reign, reigns.current, reigns.former].find((each) => each?.core.epoch === epoch) ?? reign
    const peer = there.seats[to]
    if (to === there.self || peer === undefined) return
    const frame = this.frameOf(reign, message, epoch)
    if (frame === undefined || !network.send(peer, 'consensus', frame)) counters.unsent++
  }

  private frameOf(reign: Reign, message: Message, epoch: number): Uint8Array | undefined {
    if (this.encoded?.message === message && this.encoded.epoch === epoch) return this.encoded.frame
    try {
      const frame = encodeMessage(message, epochNumber(epoch))
      this.encoded = { message, epoch, frame }
      return frame
    } catch (error) {
      // Some lies fit no frame, and stay unsaid.
      if (reign.lies !== undefined) return undefined
      throw error
    }
  }

  private guarded(action: () => void): void {
    if (!this.running) return
    try {
      action()
    } catch (error) {
      this.end()
      this.parts.notices.fatal(error)
    }
  }
}

function seatsOf({ seats }: Reign, positions: readonly ReplicaIndex[]): readonly Peer[] {
  return positions.flatMap((position) => seats[position] ?? [])
}

function tickNow(): Input {
  return { kind: 'tick', nowMs: performance.now(), wallMs: Date.now() }
}

/** True once so many milliseconds have passed. */
export function within(ms: number): () => boolean {
  const endMs = performance.now() + ms
  return () => performance.now() >= endMs
}
