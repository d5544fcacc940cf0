// The shell around one core, simulated: its process, which can lose power at any moment or stand still, its disk, and its way from epoch
// to epoch. What it hears and what its core does about that: hearing.ts and acting.ts.

import { type ReplicaIndex, replicaIndex } from '../../crypto/index.ts'
import type { ParsedBehaviour } from '../byzantine/index.ts'
import type { DurableRecord, HandOver, Input } from '../consensus/index.ts'
import { Acting } from './acting.ts'
import type { Core, CoreFactory, CoreStatus } from './core.ts'
import { Door } from './door.ts'
import { Hearing } from './hearing.ts'
import { handOversOf, Joiner } from './joiner.ts'
import { Clock, Disk, type Random } from './kernel/index.ts'
import { Laggards } from './laggards.ts'
import type { Life } from './life.ts'
import { type KeptSnapshot, MachineHost } from './machine-host.ts'
import type { ReplicaView } from './observer.ts'
import type { Packet } from './packets.ts'
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
  followed = 0
  honest: boolean
  readonly clock: Clock
  readonly disk: Disk<DurableRecord, KeptSnapshot>
  private readonly setup: ReplicaSetup
  private readonly world: World
  private readonly random: Random
  private life: Life | undefined
  private paused = false
  diskFails = false
  /** It found its disk damaged in a way that may hide a promise of its own. */
  private staysOut = false
  private readonly joiner: Joiner | undefined
  private readonly hearing: Hearing
  private readonly acting: Acting
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
    this.hearing = new Hearing(world, this)
    this.acting = new Acting(world, this, this.random)
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

  /** Its core of this epoch, while it has one. */
  coreIn(epoch: number): Core | undefined {
    return [this.life?.reign, this.life?.former].find((reign) => reign?.epoch === epoch)?.core
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
    this.acting.carryOut(life, reign, effects, undefined)
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
    if (life !== undefined) this.perform(life, () => this.hearing.take(life, packet))
    else if (packet.kind === 'chain') this.joiner?.take(packet.links)
  }

  lives(life: Life): boolean {
    return this.life === life
  }

  input(life: Life, reign: Reign, input: Input): void {
    this.acting.input(life, reign, input)
  }

  /** Runs `action` unless the process that wanted it is gone; where it stands still, when it goes on. */
  perform(life: Life, action: () => void): void {
    if (this.life !== life) return
    if (this.paused) this.backlog.push(() => this.perform(life, action))
    else action()
  }

  get moment(): { readonly nowMs: number; readonly wallMs: number } {
    const { world, clock } = this
    return { nowMs: clock.monotonicMs(world.nowUs), wallMs: clock.wallMs(world.nowUs) }
  }

  private tell(life: Life): void {
    const tick = { kind: 'tick', ...this.moment } as const
    if (life.former !== undefined) this.input(life, life.former, tick)
    this.input(life, life.reign, tick)
  }

  private tick(life: Life): void {
    const { world } = this
    this.tell(life)
    life.snapshots.tick()
    world.at(world.nowUs + 1000 * world.scenario.shell.tickMs, () => this.perform(life, () => this.tick(life)))
  }

  /** M9. Into the newest of epochs that it is shown, or out of the last one of which it is a member. */
  leave(life: Life, news: readonly HandOver[]): void {
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
    this.acting.carryOut(life, reign, effects, undefined)
    if (this.life === life) this.hearing.takeKept(life)
  }

  /** The next epoch begins here; who is no member of it goes on serving those of the one that is over. */
  succeed(life: Life, over: Reign, handOver: HandOver): void {
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
    this.acting.carryOut(life, reign, effects, undefined)
    if (this.life === life) this.hearing.takeKept(life)
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
