// Gives inputs to the core of a simulated replica, and carries out its effects on the simulated disk, network and machine.

import type { Digest, ReplicaIndex, Slot } from '../../crypto/index.ts'
import { frameEpoch } from '../byzantine/index.ts'
import type { DurableRecord, Effect, HandOver, Input, Message } from '../consensus/index.ts'
import type { Random } from './kernel/index.ts'
import type { Life } from './life.ts'
import type { ReplicaView } from './observer.ts'
import { kindOf, type Packet } from './packets.ts'
import type { Reign } from './reign.ts'
import type { World } from './world.ts'

/** The replica whose core it is. */
export interface Actor extends ReplicaView {
  /** What its clocks show. */
  readonly moment: { readonly nowMs: number; readonly wallMs: number }
  /** Its disk refuses the next write. */
  readonly diskFails: boolean
  /** False once that process is gone. */
  lives(life: Life): boolean
  perform(life: Life, action: () => void): void
  stop(): void
  /** The next epoch begins here. */
  succeed(life: Life, over: Reign, handOver: HandOver): void
}

export class Acting {
  private readonly world: World
  private readonly self: Actor
  private readonly random: Random

  constructor(world: World, self: Actor, random: Random) {
    this.world = world
    this.self = self
    this.random = random
  }

  input(life: Life, reign: Reign, input: Input): void {
    if (reign !== life.reign && reign !== life.former) return
    const { trace, nowUs } = this.world
    trace.number(nowUs)
    trace.number(this.self.address)
    trace.text(input.kind === 'message' ? kindOf(input.message) : input.kind)
    this.world.announce('input', this.self, input)
    reign.core.step({ kind: 'time', ...this.self.moment })
    this.carryOut(life, reign, reign.core.step(input), input)
  }

  carryOut(life: Life, reign: Reign, honest: readonly Effect[], input: Input | undefined): void {
    const effects = reign.behaviour === undefined ? honest : reign.behaviour(honest, input)
    for (const effect of effects) {
      this.world.trace.data(effect)
      this.world.announce('effect', this.self, effect)
      this.carryOutOne(life, reign, effect)
      if (!this.self.lives(life)) return
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
        return this.self.succeed(life, reign, effect.handOver)
      default:
        return
    }
  }

  private persist(life: Life, reign: Reign, number: number, records: readonly DurableRecord[]): void {
    if (this.self.diskFails) return this.self.stop()
    life.storage.append(records, () => {
      this.world.announce('durable', this.self, records)
      this.self.perform(life, () => this.input(life, reign, { kind: 'durable', number }))
    })
  }

  private send(epoch: number, to: ReplicaIndex, message: Message): void {
    const { epochs } = this.world
    const from = epochs.positionOf(epoch, this.self.address)
    if (to === from || (from === undefined && this.self.honest)) return
    this.world.announce('sent', this.self, to, message)
    const packet: Packet = { kind: 'message', epoch, from, message }
    for (const address of epochs.addressesOf(epoch, to)) this.world.transmit(this.self.address, address, packet)
  }

  private execute(life: Life, reign: Reign, { entry, timestampMs }: Effect & { readonly kind: 'execute' }): void {
    const { nowUs, scenario } = this.world
    life.executeFreeUs = Math.max(nowUs, life.executeFreeUs) + 1 + this.random.exponential(scenario.shell.executeUs)
    const { installs } = life
    this.world.at(life.executeFreeUs, () =>
      this.self.perform(life, () => {
        if (life.installs !== installs) return
        const { results, stateRoot } = life.host.execute(entry, timestampMs)
        const slot = entry.header.slot
        this.world.announce('executed', this.self, slot, results, stateRoot)
        this.executed(life, reign, slot, results.root, stateRoot)
      }),
    )
  }

  private executed(life: Life, reign: Reign, slot: Slot, resultsRoot: Digest, stateRoot: Digest | undefined): void {
    this.input(life, reign, { kind: 'executed', slot, resultsRoot, stateRoot, ...life.host.outlook })
    if (this.self.lives(life)) life.reads.flush()
  }
}
