// The loop of a replica. Whatever arrives in one turn of the event loop is handled together: inputs of our own, frames of peers,
// frames of clients; then all records of the turn go to the store as one append, and entries are executed while the disk works.
// The core decides what leaves and when; nothing here sends what the core has not released.

import { performance } from 'node:perf_hooks'
import type { ReplicaIndex, Verified } from '../../crypto/index.ts'
import type { ReplicaTransport } from '../../net/index.ts'
import type { Effect, Evidence, Input, Message, StableCheckpoint } from '../consensus/index.ts'
import { encodeMessage } from '../wire/index.ts'
import type { Counters } from './counters.ts'
import type { Door } from './door.ts'
import type { Inbound } from './inbound.ts'
import type { Journal } from './journal.ts'
import { EXECUTE_SLICE_MS, INBOUND_SLICE_MS, READ_SLICE_MS } from './limits.ts'
import type { MachineHost } from './machine-host.ts'
import type { Reads } from './reads.ts'
import type { Reign } from './reign.ts'
import type { Snapshots } from './snapshots.ts'
import type { Watches } from './watches.ts'

export interface TurnParts {
  /** In the epoch that this replica is in now. */
  readonly reign: () => Reign
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

/** What people are told. */
export interface Notices {
  alarm(code: string, slot: number): void
  evidence(evidence: Evidence): void
  view(effect: Effect & { readonly kind: 'view' }): void
  transfer(slot: number, reason: string): void
  /** The replica must not go on. */
  fatal(error: unknown): void
}

/** Own votes that complete a quorum bring new records, and these new votes: a handful of times a slot. */
const SETTLE_ROUNDS = 8

type Execute = Effect & { readonly kind: 'execute' }

export class Turn {
  private readonly parts: TurnParts
  private inputs: Input[] = []
  private executions: Execute[] = []
  private stable: Verified<StableCheckpoint>[] = []
  private scheduled = false
  private running = false
  private settling = false
  private durableNow: number | undefined
  /** The message encoded last: a broadcast, or the same to several peers. */
  private encoded: { readonly message: Message; readonly frame: Uint8Array } | undefined

  constructor(parts: TurnParts) {
    this.parts = parts
  }

  /** Carries out the effects of the start; then the time comes first, or a leader would propose for a time long past. */
  begin(effects: readonly Effect[]): void {
    this.running = true
    this.guarded(() => {
      this.carryOut(effects, undefined)
      this.step(tickNow())
      this.settle()
    })
    this.wake()
  }

  /** The last one: what came of the slots executed last goes to the store too. */
  finish(): void {
    this.guarded(() => this.parts.journal.flush())
    this.end()
  }

  /** Nothing is handled from here on. */
  end(): void {
    this.running = false
    this.inputs = []
    this.executions = []
    this.stable = []
  }

  /** Queues an input for the next turn. */
  put(input: Input): void {
    this.inputs.push(input)
    this.wake()
  }

  tick(): void {
    this.put(tickNow())
  }

  /** Every record up to this number is durable. */
  durable(number: number): void {
    if (this.settling) this.durableNow = number
    else this.put({ kind: 'durable', number })
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

  /** Handles one input at once; for parts that are called within a turn. */
  step(input: Input): void {
    if (this.running) this.carryOut(this.parts.reign().core.step(input), input)
  }

  private run(): void {
    const { inbound, door, reads, snapshots, watches, transport, counters } = this.parts
    counters.turns++
    const nowMs = performance.now()
    const { inputs } = this
    this.inputs = []
    for (const input of inputs) {
      this.step(input)
      if (input.kind !== 'tick') continue
      snapshots.tick(nowMs)
      watches.tick(nowMs)
    }
    const peers = inbound.drain(nowMs, within(INBOUND_SLICE_MS))
    const clients = door.drain(nowMs, within(INBOUND_SLICE_MS))
    const transfers = snapshots.drain(nowMs, within(INBOUND_SLICE_MS))
    this.settle()
    transport.flush()
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
    for (let round = 1; this.durableNow !== undefined && round < SETTLE_ROUNDS; round++) {
      const number = this.durableNow
      this.durableNow = undefined
      this.step({ kind: 'durable', number })
      journal.flush()
    }
    this.settling = false
    if (this.durableNow !== undefined) this.put({ kind: 'durable', number: this.durableNow })
    this.durableNow = undefined
    const { stable } = this
    this.stable = []
    for (const checkpoint of stable) snapshots.stabilize(checkpoint)
  }

  /** Executes for a while; true where another turn is needed, for the rest or for what came of it. */
  private execute(): boolean {
    if (this.executions.length === 0) return false
    const over = within(EXECUTE_SLICE_MS)
    while (this.running) {
      const next = this.executions.shift()
      if (next === undefined) break
      const { slot, resultsRoot, stateRoot } = this.parts.host.execute(next.entry, next.timestampMs, next.certificate)
      this.step({ kind: 'executed', slot, resultsRoot, stateRoot, ...this.parts.host.outlook })
      if (over()) break
    }
    return true
  }

  private carryOut(honest: readonly Effect[], input: Input | undefined): void {
    const { lies } = this.parts.reign()
    const effects = lies === undefined ? honest : lies.effects(honest, input)
    for (const effect of effects) this.carryOutOne(effect)
  }

  private carryOutOne(effect: Effect): void {
    const { journal, snapshots, notices, counters } = this.parts
    switch (effect.kind) {
      case 'persist':
        return journal.add(effect.number, effect.records)
      case 'send':
        return this.send(effect.to, effect.message)
      case 'broadcast':
        for (const to of this.parts.reign().peers) this.send(to, effect.message)
        return
      case 'execute':
        this.executions.push(effect)
        return this.wake()
      case 'receipt':
        return this.receipt(effect)
      case 'stabilize':
        this.stable.push(effect.checkpoint)
        return
      case 'transfer':
        // What was handed over for execution is void: the state that it would be executed on is given up.
        this.executions = []
        notices.transfer(effect.checkpoint.slot, effect.reason)
        return snapshots.begin(effect.checkpoint, effect.sources, performance.now())
      case 'alarm':
        return notices.alarm(effect.code, effect.slot)
      case 'evidence':
        return notices.evidence(effect.evidence)
      case 'view':
        counters.view(effect.reason)
        return notices.view(effect)
      case 'hand-over': {
        const { slot } = effect.handOver.checkpoint
        return notices.fatal(new Error(`the epoch ended with slot ${slot}; this replica can't begin the next one`))
      }
    }
  }

  private receipt({ slot, receipt }: Effect & { readonly kind: 'receipt' }): void {
    const { journal, host, door } = this.parts
    journal.addOutcome(slot, receipt, host.resultsOf(slot)?.records ?? [])
    door.receipt(slot, receipt)
  }

  private send(to: ReplicaIndex, message: Message): void {
    const { reign, transport, counters } = this.parts
    if (to === reign().self) return
    const frame = this.frameOf(message)
    if (frame === undefined || !transport.send(to, 'consensus', frame)) counters.unsent++
  }

  private frameOf(message: Message): Uint8Array | undefined {
    if (this.encoded?.message === message) return this.encoded.frame
    try {
      const frame = encodeMessage(message, this.parts.reign().core.epoch)
      this.encoded = { message, frame }
      return frame
    } catch (error) {
      // Some lies fit no frame, and stay unsaid.
      if (this.parts.reign().lies !== undefined) return undefined
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

function tickNow(): Input {
  return { kind: 'tick', nowMs: performance.now(), wallMs: Date.now() }
}

/** True once so many milliseconds have passed. */
export function within(ms: number): () => boolean {
  const endMs = performance.now() + ms
  return () => performance.now() >= endMs
}
