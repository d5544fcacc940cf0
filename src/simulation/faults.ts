// Carries out the faults of a scenario: begins each when its condition holds, ends it when the other one does, and keeps the
// ledger of what was really done, so that a run in which nothing happened is not taken for a proof.

import type { Effect, Message } from '../consensus/index.ts'
import type { Channels } from './channels.ts'
import type { Network } from './kernel/index.ts'
import type { Observer, ReplicaView } from './observer.ts'
import { kindOf, placeOf } from './packets.ts'
import type { SimulatedReplica } from './replica.ts'
import type { Condition, Fault, Link, MessageFilter } from './scenario.ts'

/** What a fault may take hold of. */
export interface FaultTargets {
  readonly network: Network
  readonly channels: Channels
  readonly clock: { readonly nowUs: number }
  at(atUs: number, run: () => void): void
  /** Every copy of the replica of this identity. */
  replicas(identity: number): readonly SimulatedReplica[]
}

/** What becomes of one message: lost, or so many microseconds late. */
export type Fate = 'lost' | number

/** What a condition may wait for, besides a time. */
type EventKind = 'message' | 'record' | 'view' | 'executed'

interface Armed {
  readonly fault: Fault
  state: 'waiting' | 'active' | 'over'
  /** Matches so far of the condition it waits for. */
  seen: number
}

export class FaultEngine implements Observer {
  /** How often each kind of fault was really done. */
  readonly ledger = new Map<string, number>()
  private readonly targets: FaultTargets
  private readonly armed: readonly Armed[]
  /** Those that lose or delay messages, and those that wait for something of a kind: what an event need not look at is most. */
  private readonly filters: readonly Armed[]
  private readonly waiting: Readonly<Record<EventKind, readonly Armed[]>>
  private healedAlready = false

  constructor(faults: readonly Fault[], targets: FaultTargets) {
    this.targets = targets
    this.armed = faults.map((fault) => ({ fault, state: 'waiting', seen: 0 }))
    this.filters = this.armed.filter(({ fault }) => fault.do === 'drop' || fault.do === 'delay')
    const waitingFor = (kind: EventKind) =>
      this.armed.filter(({ fault: { when, until } }) =>
        [when, until].some((each) => each !== undefined && kind in each),
      )
    this.waiting = {
      message: waitingFor('message'),
      record: waitingFor('record'),
      view: waitingFor('view'),
      executed: waitingFor('executed'),
    }
  }

  start(): void {
    for (const armed of this.armed) {
      const { when } = armed.fault
      if (when === undefined) this.begin(armed)
      else if ('atMs' in when) this.targets.at(1000 * when.atMs, () => this.begin(armed))
    }
  }

  /** Ends all faults for good. */
  healed(): void {
    this.healedAlready = true
    for (const armed of this.armed) {
      if (armed.state === 'active') this.end(armed)
      armed.state = 'over'
    }
  }

  /** Looks at a message before the network gets it. */
  fate(from: number, to: number, message: Message): Fate {
    if (this.healedAlready) return 0
    this.meet('message', (condition) => 'message' in condition && matches(condition.message, from, to, message))
    let late = 0
    for (const { fault, state } of this.filters) {
      if (state !== 'active' || (fault.do !== 'drop' && fault.do !== 'delay')) continue
      if (!matches(fault.messages, from, to, message)) continue
      this.count(fault.do === 'drop' ? 'message dropped' : 'message delayed')
      if (fault.do === 'drop') return 'lost'
      late += 1000 * fault.byMs
    }
    return late
  }

  effect(replica: ReplicaView, effect: Effect): void {
    if (this.healedAlready) return
    if (effect.kind === 'persist') this.meetRecords(replica, effect.records, false)
    if (effect.kind === 'view' && effect.active) {
      const { view } = effect
      this.meet(
        'view',
        (condition) => 'view' in condition && condition.of === replica.identity && view >= condition.view,
      )
    }
  }

  durable(replica: ReplicaView, records: readonly { readonly kind: string }[]): void {
    if (!this.healedAlready) this.meetRecords(replica, records, true)
  }

  executed(replica: ReplicaView, slot: number): void {
    if (this.healedAlready) return
    this.meet(
      'executed',
      (condition) => 'executed' in condition && condition.of === replica.identity && slot >= condition.executed,
    )
  }

  private meetRecords(replica: ReplicaView, records: readonly { readonly kind: string }[], durable: boolean): void {
    for (const { kind } of records) {
      this.meet(
        'record',
        (condition) =>
          'record' in condition &&
          condition.of === replica.identity &&
          condition.record === kind &&
          (condition.durable ?? false) === durable,
      )
    }
  }

  /** Counts an event for every condition that it meets. What follows happens after the event, not in the middle of it. */
  private meet(kind: EventKind, holds: (condition: Condition) => boolean): void {
    for (const armed of this.waiting[kind]) {
      const { fault, state } = armed
      const condition = state === 'waiting' ? fault.when : state === 'active' ? fault.until : undefined
      if (condition === undefined || 'atMs' in condition || !holds(condition)) continue
      armed.seen++
      const nth = 'nth' in condition ? (condition.nth ?? 1) : 1
      if (armed.seen !== nth) continue
      if (fault.do === 'drop' || fault.do === 'delay') this.turn(armed)
      else this.targets.at(this.targets.clock.nowUs, () => this.turn(armed))
    }
  }

  private turn(armed: Armed): void {
    if (armed.state === 'waiting') this.begin(armed)
    else if (armed.state === 'active') this.end(armed)
  }

  private begin(armed: Armed): void {
    if (armed.state !== 'waiting' || this.healedAlready) return
    armed.state = 'active'
    armed.seen = 0
    this.count(armed.fault.do)
    this.apply(armed.fault)
    const { until } = armed.fault
    const { nowUs } = this.targets.clock
    if (until !== undefined && 'atMs' in until) this.targets.at(1000 * until.atMs, () => this.end(armed))
    if (until !== undefined && 'afterMs' in until) this.targets.at(nowUs + 1000 * until.afterMs, () => this.end(armed))
  }

  private end(armed: Armed): void {
    if (armed.state !== 'active') return
    armed.state = 'over'
    this.revoke(armed.fault)
  }

  private apply(fault: Fault): void {
    const { network, channels } = this.targets
    if (stops(fault) && fault.told) channels.notice(fault.replica, true)
    switch (fault.do) {
      case 'cut':
        return this.eachLink(fault.links, (from, to) => {
          network.cut(from, to)
          if (fault.told) this.eachEnd(from, to, (one, other) => channels.breakOff(one, other))
        })
      case 'clog':
        return this.eachLink(fault.links, (from, to) => network.clog(from, to))
      case 'crash':
        for (const replica of this.targets.replicas(fault.replica)) {
          replica.stop()
          if (fault.wiped) replica.wipe()
          if (fault.damaged !== undefined && replica.damage(fault.damaged)) this.count(`damaged ${fault.damaged}`)
        }
        return
      case 'fail-disk':
        for (const replica of this.targets.replicas(fault.replica)) replica.failDisk(true)
        return
      case 'pause':
        for (const replica of this.targets.replicas(fault.replica)) replica.pause()
        return
      case 'slow-disk':
        for (const replica of this.targets.replicas(fault.replica)) replica.disk.slowDown(fault.factor)
        return
      case 'clock':
        for (const replica of this.targets.replicas(fault.replica)) replica.clock.jump(fault.byMs)
        return
      default:
        return
    }
  }

  private revoke(fault: Fault): void {
    const { network, channels, clock } = this.targets
    if (stops(fault) && fault.told) channels.notice(fault.replica, false)
    switch (fault.do) {
      case 'cut':
        return this.eachLink(fault.links, (from, to) => {
          network.mend(from, to)
          if (fault.told) this.eachEnd(from, to, (one, other) => channels.make(one, other))
        })
      case 'clog':
        return this.eachLink(fault.links, (from, to) => network.unclog(from, to, clock.nowUs))
      case 'crash':
        for (const replica of this.targets.replicas(fault.replica)) replica.start()
        return
      case 'fail-disk':
        for (const replica of this.targets.replicas(fault.replica)) {
          replica.failDisk(false)
          replica.start()
        }
        return
      case 'pause':
        for (const replica of this.targets.replicas(fault.replica)) replica.resume()
        return
      case 'slow-disk':
        for (const replica of this.targets.replicas(fault.replica)) replica.disk.slowDown(1)
        return
      case 'clock':
        for (const replica of this.targets.replicas(fault.replica)) replica.clock.jump(-fault.byMs)
        return
      default:
        return
    }
  }

  private eachEnd(one: number, other: number, act: (from: number, at: number) => void): void {
    act(one, other)
    act(other, one)
  }

  private eachLink(links: readonly Link[], act: (from: number, to: number) => void): void {
    for (const [from, to] of links) act(from, to)
  }

  private count(what: string): void {
    this.ledger.set(what, (this.ledger.get(what) ?? 0) + 1)
  }
}

function stops(fault: Fault): fault is Fault & { readonly do: 'crash' | 'fail-disk' } {
  return fault.do === 'crash' || fault.do === 'fail-disk'
}

function matches(filter: MessageFilter, from: number, to: number, message: Message): boolean {
  if (filter.from !== undefined && filter.from !== from) return false
  if (filter.to !== undefined && filter.to !== to) return false
  if (filter.kind !== undefined && filter.kind !== kindOf(message)) return false
  if (filter.view === undefined && filter.slot === undefined) return true
  const { view, slot } = placeOf(message)
  return (filter.view === undefined || filter.view === view) && (filter.slot === undefined || filter.slot === slot)
}
