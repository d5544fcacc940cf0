// The shell around one core, simulated: verifies what comes, steps the core, and carries out its effects on a simulated disk,
// network and machine. It can lose power at any moment, stand still, or be wrapped by a lying behaviour.

import { type Digest, type ReplicaIndex, replicaIndex, type Slot } from '../../crypto/index.ts'
import { frameEpoch, type ParsedBehaviour } from '../byzantine/index.ts'
import type { DurableRecord, Effect, HandOver, Input, Message } from '../consensus/index.ts'
import type { Core, CoreFactory, CoreStatus } from './core.ts'
import { Door } from './door.ts'
import { handOversOf, Joiner } from './joiner.ts'
import { Clock, Disk, type Random } from './kernel/index.ts'
import { type Frame, Laggards } from './laggards.ts'
import type { Life } from './life.ts'
import { type KeptSnapshot, MachineHost } from './machine-host.ts'
import type { ReplicaView } from './observer.ts'
import { kindOf, type Packet } from './packets.ts'
import { Reads } from './reads.ts'
import { beginReign, Keys, liesOf, type Place, type Reign } from './reign.ts'
import type { Damage } from './scenario.ts'
import { SnapshotService } from './snapshots.ts'
import { Storage } from './storage.ts'
import type { World } from './world.ts'

export interface ReplicaSetup {
  readonly address: number
  readonly identity: number
  readonly coreFactory: CoreFactory
  readonly behaviour: ParsedBehaviour | undefined
  readonly honest: boolean
  /** It is no member of the first epoch. */
  readonly joins: boolean
}

export class SimulatedReplica implements ReplicaView {
  readonly address: number
  readonly identity: number
  /** Its position in the epoch that it is in. */
  index: ReplicaIndex
  epoch = 0
  /** The newest epoch that it knows of: a later one where it is no member any more. */
  private followed = 0
  honest: boolean
  readonly clock: Clock
  readonly disk: Disk<DurableRecord, KeptSnapshot>
  private readonly setup: ReplicaSetup
  private readonly world: World
  private readonly random: Random
  private life: Life | undefined
  private paused = false
  private diskFails = false
  /** It found its disk damaged in a way that may hide a promise of its own. */
  private staysOut = false
  private readonly joiner: Joiner | undefined
  private keys = new Keys()
  private backlog: (() => void)[] = []

  constructor(world: World, setup: ReplicaSetup) {
    const { clocks, disk } = world.scenario
    this.world = world
    this.setup = setup
    this.address = setup.address
    this.identity = setup.identity
    this.index = replicaIndex(setup.identity)
    this.honest = setup.honest
    this.random = world.random.fork(`replica ${setup.address}`)
    this.clock = new Clock(clocks[setup.address] ?? { offsetMs: 0, driftPpm: 0 })
    this.disk = new Disk(disk, this.random.fork('disk'))
    const parts = {
      ...{ address: this.address, disk: this.disk },
      stays: () => world.stays(this),
      start: () => this.start(),
    }
    this.joiner = setup.joins ? new Joiner(world, parts) : undefined
  }

  get up(): boolean {
    return this.life !== undefined
  }

  status(): CoreStatus | undefined {
    return this.life?.reign.core.status()
  }

  /** What the core remembers, for measuring. */
  get memory(): object | undefined {
    return this.life?.reign.core.memory
  }

  private get place(): Place {
    return { epoch: this.epoch, index: this.index }
  }

  start(): void {
    if (this.life !== undefined || this.staysOut) return
    const { world, random } = this
    const { records, snapshot } = this.disk.read()
    if (!this.findPlace(records)) return
    this.clock.restart(world.nowUs)
    this.paused = false
    this.backlog = []
    const host = new MachineHost(world, snapshot)
    host.replay(records)
    const { reign, effects } = this.reignFrom(records, host, undefined)
    const { behaviour } = this.setup
    const life: Life = {
      reign,
      former: undefined,
      laggards: new Laggards(world, this.address, behaviour?.chain?.(liesOf(world, this.place, random.fork('lies')))),
      leaving: false,
      host,
      door: new Door(world, this, host, () => life.reign),
      reads: new Reads({ world, self: this, core: () => life.reign.core, host }),
      storage: new Storage(world, this.disk, host, () => this.life === life),
      snapshots: new SnapshotService(
        world,
        this,
        host,
        behaviour?.chunk?.(liesOf(world, this.place, random.fork('lies'))),
      ),
      executeFreeUs: world.nowUs,
      installs: 0,
    }
    this.life = life
    world.announce('started', this, records, host.position.slot)
    this.carryOut(life, reign, effects, undefined)
    // The time comes first: a leader that proposed without knowing it would propose for a time long past.
    this.tell(life)
    world.at(world.nowUs + random.below(1000 * world.scenario.shell.tickMs), () =>
      this.perform(life, () => this.tick(life)),
    )
  }

  /** Who is to join looks for the epoch that names it. */
  seek(): void {
    this.joiner?.seek()
  }

  /** The power goes. */
  stop(): void {
    if (this.life === undefined) return
    this.life = undefined
    this.backlog = []
    const cut = this.disk.powerCut(this.world.nowUs)
    this.world.announce('stopped', this, cut)
  }

  /** Bits flip on its disk while it is off; true where they hit something. */
  damage(what: Damage): boolean {
    if (what === 'snapshot') return this.disk.damageSnapshot()
    const hit = this.disk.damageRecord(({ kind }) => kind === what)
    // A decision is proved by others as well; what else is lost may be a promise that others hold of us.
    if (hit && what !== 'chosen') this.staysOut = true
    return hit
  }

  /** The disk refuses the next write. */
  failDisk(fails: boolean): void {
    this.diskFails = fails
  }

  /** A new, empty disk is put in while it is off. From here on nothing binds it to what it said: it counts as a liar. */
  wipe(): void {
    this.disk.wipe()
    this.staysOut = false
    this.honest = false
    this.joiner?.giveUp()
    this.keys = new Keys()
  }

  pause(): void {
    this.paused = true
  }

  resume(): void {
    this.paused = false
    for (const action of this.backlog.splice(0)) action()
  }

  receive(packet: Packet): void {
    const { life } = this
    if (life !== undefined) this.perform(life, () => this.take(life, packet))
    else if (packet.kind === 'chain') this.joiner?.take(packet.links)
  }

  /** Runs `action` unless the process that wanted it is gone; where it stands still, when it goes on. */
  private perform(life: Life, action: () => void): void {
    if (this.life !== life) return
    if (this.paused) this.backlog.push(() => this.perform(life, action))
    else action()
  }

  private tell(life: Life): void {
    const { world, clock } = this
    const nowMs = clock.monotonicMs(world.nowUs)
    const tick = { kind: 'tick', nowMs, wallMs: clock.wallMs(world.nowUs) } as const
    if (life.former !== undefined) this.input(life, life.former, tick)
    this.input(life, life.reign, tick)
  }

  private tick(life: Life): void {
    const { world } = this
    this.tell(life)
    life.snapshots.tick()
    world.at(world.nowUs + 1000 * world.scenario.shell.tickMs, () => this.perform(life, () => this.tick(life)))
  }

  private take(life: Life, packet: Packet): void {
    switch (packet.kind) {
      case 'message':
        if (isOfMember(packet)) return this.takeMessage(life, packet)
        // Of former members data are asked for, and nothing else is heard.
        return this.world.announce('foreign', this, 'dropped')
      case 'chain':
        return this.takeChain(life, packet)
      case 'link':
        return this.takeLink(life, packet)
      case 'chain-ask':
        return life.laggards.show(packet.epoch, packet.from, this.followed)
      case 'requests': {
        const requests = life.door.take(packet.requests)
        if (requests.length > 0) this.input(life, life.reign, { kind: 'requests', requests })
        return
      }
      case 'read': {
        const { nowUs } = this.world
        return life.reads.ask(packet.client, packet.read, this.clock.monotonicMs(nowUs), this.clock.wallMs(nowUs))
      }
      case 'snapshot-ask':
        return life.snapshots.answer(packet)
      case 'snapshot-chunk': {
        const installed = life.snapshots.take(packet)
        if (installed === undefined) return
        life.installs++
        this.world.announce('installed', this, installed.checkpoint)
        const { checkpoint, kept } = installed
        const { frontier, timestampMs } = kept
        this.input(life, life.reign, { kind: 'installed', checkpoint, frontier, timestampMs, ...life.host.outlook })
        if (this.life === life) life.reads.flush()
        return
      }
      default:
        return
    }
  }

  private takeLink(life: Life, { address, up }: Packet & { readonly kind: 'link' }): void {
    for (const reign of life.former === undefined ? [life.reign] : [life.former, life.reign]) {
      const peer = this.world.epochs.positionOf(reign.epoch, address)
      if (peer !== undefined && this.life === life) this.input(life, reign, { kind: 'link', peer, up })
    }
  }

  private takeMessage(life: Life, packet: Frame): void {
    const { epoch, from, message } = packet
    const reign = [life.reign, life.former].find((each) => each?.epoch === epoch)
    if (reign === undefined) return this.takeForeign(life, packet)
    if (reign.core.ignoreReason(from, message) !== undefined) return this.world.announce('ignored', this, message)
    const verified = this.world.verdicts.message(life.door.admissible(message), reign.epoch, reign.core)
    if (verified.ok) this.input(life, reign, { kind: 'message', from, message: verified.value })
    else this.world.announce('refused', this, this.world.epochs.identityOf(epoch, from), verified.fault)
  }

  /** M8. Somebody speaks in an epoch in which we are not. */
  private takeForeign(life: Life, packet: Frame): void {
    const { epoch, from } = packet
    const kept = epoch === this.epoch + 1 && life.laggards.keep(packet)
    this.world.announce('foreign', this, kept ? 'kept' : 'dropped')
    const { epochs } = this.world
    if (epoch > this.epoch) return life.laggards.ask(this.epoch, epoch, from)
    for (const address of epochs.addressesOf(epoch, from)) life.laggards.show(epoch, address, this.followed)
  }

  /** What came early for the epoch that has just begun here. */
  private takeKept(life: Life): void {
    for (const packet of life.laggards.release()) this.perform(life, () => this.takeMessage(life, packet))
  }

  private takeChain(life: Life, { address, links }: Packet & { readonly kind: 'chain' }): void {
    const { world } = this
    const news = links.filter(({ charter }) => charter.epoch > this.epoch)
    const [next] = news
    const { phase, executed } = life.reign.core.status()
    if (next === undefined || phase === 'over' || life.leaving) return
    const fault = world.epochs.fault(this.epoch, news)
    if (fault !== undefined) return world.announce('chainRefused', this.address, fault)
    if (life.laggards.leaves(news, executed)) return this.leave(life, news)
    const message = { kind: 'stable', checkpoint: next.checkpoint } as const
    const verified = life.reign.core.verify(message)
    // Shown by somebody who is no member of our epoch, it is as if we had found it ourselves.
    const from = world.epochs.positionOf(this.epoch, address) ?? this.index
    if (verified.ok) this.input(life, life.reign, { kind: 'message', from, message: verified.value })
  }

  /** M9. Into the newest of epochs that it is shown, or out of the last one of which it is a member. */
  private leave(life: Life, news: readonly HandOver[]): void {
    for (const link of news) this.world.handOver(link)
    life.leaving = true
    const records = handOversOf(news)
    life.storage.append(records, () => this.perform(life, () => this.leap(life, records)))
  }

  /** From wherever the machine is. */
  private leap(life: Life, records: readonly DurableRecord[]): void {
    const { world } = this
    const newest = this.epoch + records.length
    world.announce('leapt', this, records.length)
    this.retire(newest)
    this.followed = newest
    Object.assign(this, world.epochs.lastPlaceOf(this.address, newest))
    life.leaving = false
    // What the core that is left had executed or asked for is void.
    life.installs++
    life.former = undefined
    const { reign, effects } = this.reignFrom(records, life.host, undefined)
    life.reign = reign
    this.carryOut(life, reign, effects, undefined)
    if (this.life === life) this.takeKept(life)
  }

  private input(life: Life, reign: Reign, input: Input): void {
    if (reign !== life.reign && reign !== life.former) return
    const { trace, nowUs } = this.world
    trace.number(nowUs)
    trace.number(this.address)
    trace.text(input.kind === 'message' ? kindOf(input.message) : input.kind)
    this.world.announce('input', this, input)
    this.carryOut(life, reign, reign.core.step(input), input)
  }

  private carryOut(life: Life, reign: Reign, honest: readonly Effect[], input: Input | undefined): void {
    const effects = reign.behaviour === undefined ? honest : reign.behaviour(honest, input)
    for (const effect of effects) {
      this.world.trace.data(effect)
      this.world.announce('effect', this, effect)
      this.carryOutOne(life, reign, effect)
      if (this.life !== life) return
    }
    // After the records of the same step: were the log cut before the checkpoint is on disk, a power cut would leave neither.
    for (const effect of effects) if (effect.kind === 'stabilize') life.storage.stabilize(effect.checkpoint.slot)
  }

  private carryOutOne(life: Life, reign: Reign, effect: Effect): void {
    switch (effect.kind) {
      case 'persist':
        return this.persist(life, reign, effect.number, effect.records)
      case 'send':
        return this.send(frameEpoch(effect) ?? reign.epoch, effect.to, effect.message)
      case 'broadcast':
        for (const to of this.world.epochs.members(reign.epoch)) this.send(reign.epoch, to, effect.message)
        return
      case 'execute':
        return this.execute(life, reign, effect)
      case 'receipt':
        return life.door.receipt(effect.slot, effect.receipt)
      case 'transfer':
        return life.snapshots.begin(effect.checkpoint, effect.sources)
      case 'hand-over':
        return this.succeed(life, reign, effect.handOver)
      default:
        return
    }
  }

  private persist(life: Life, reign: Reign, number: number, records: readonly DurableRecord[]): void {
    if (this.diskFails) return this.stop()
    life.storage.append(records, () => {
      this.world.announce('durable', this, records)
      this.perform(life, () => this.input(life, reign, { kind: 'durable', number }))
    })
  }

  private send(epoch: number, to: ReplicaIndex, message: Message): void {
    const { epochs } = this.world
    const from = epochs.positionOf(epoch, this.address)
    if (to === from || (from === undefined && this.honest)) return
    this.world.announce('sent', this, to, message)
    const packet: Packet = { kind: 'message', epoch, from, message }
    for (const address of epochs.addressesOf(epoch, to)) this.world.transmit(this.address, address, packet)
  }

  private execute(life: Life, reign: Reign, { entry, timestampMs }: Effect & { readonly kind: 'execute' }): void {
    const { nowUs, scenario } = this.world
    life.executeFreeUs = Math.max(nowUs, life.executeFreeUs) + 1 + this.random.exponential(scenario.shell.executeUs)
    const { installs } = life
    this.world.at(life.executeFreeUs, () =>
      this.perform(life, () => {
        if (life.installs !== installs) return
        const { results, stateRoot } = life.host.execute(entry, timestampMs)
        const slot = entry.header.slot
        this.world.announce('executed', this, slot, results, stateRoot)
        this.executed(life, reign, slot, results.root, stateRoot)
      }),
    )
  }

  private executed(life: Life, reign: Reign, slot: Slot, resultsRoot: Digest, stateRoot: Digest | undefined): void {
    this.input(life, reign, { kind: 'executed', slot, resultsRoot, stateRoot, ...life.host.outlook })
    if (this.life === life) life.reads.flush()
  }

  /** The next epoch begins here; who is no member of it goes on serving those of the one that is over. */
  private succeed(life: Life, over: Reign, handOver: HandOver): void {
    const { world } = this
    world.handOver(handOver)
    const { epoch } = handOver.charter
    const index = world.epochs.positionOf(epoch, this.address)
    this.followed = Math.max(this.followed, epoch)
    if (over.epoch !== this.epoch) return
    this.retire(epoch)
    if (index === undefined) return
    this.epoch = epoch
    this.index = index
    const { reign, effects } = this.reignFrom([], life.host, over.core)
    life.former = over
    life.reign = reign
    this.carryOut(life, reign, effects, undefined)
    if (this.life === life) this.takeKept(life)
  }

  private retire(next: number): void {
    if (this.keys.leave(this.world, this.place, next)) this.world.announce('retired', this)
  }

  /** The newest epoch that its disk knows of and in which it is a member; false where there is none. */
  private findPlace(records: readonly DurableRecord[]): boolean {
    const { epochs } = this.world
    const links = records.flatMap((record) => (record.kind === 'hand-over' ? [record.handOver] : []))
    for (const link of links) this.world.handOver(link)
    this.followed = links.length
    const place = epochs.lastPlaceOf(this.address, links.length)
    if (place !== undefined) Object.assign(this, place)
    return place !== undefined
  }

  private reignFrom(records: readonly DurableRecord[], host: MachineHost, old: Core | undefined) {
    const { keys, random } = this
    const { coreFactory: make, behaviour } = this.setup
    const lies = behaviour && { behaviour, random: random.fork('lies') }
    return beginReign(this.world, this.place, { make, keys, lies }, { records, machine: host.position, old })
  }
}

function isOfMember(packet: Packet & { readonly kind: 'message' }): packet is Frame {
  return packet.from !== undefined
}
