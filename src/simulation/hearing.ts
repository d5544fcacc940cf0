// What a simulated replica makes of the packets that reach it: verified, and given to the core of the epoch that they are of.

import type { HandOver, Input } from '../consensus/index.ts'
import type { Clock } from './kernel/index.ts'
import type { Frame } from './laggards.ts'
import type { Life } from './life.ts'
import type { ReplicaView } from './observer.ts'
import type { Packet } from './packets.ts'
import type { Reign } from './reign.ts'
import type { World } from './world.ts'

/** The replica that hears. */
export interface Hearer extends ReplicaView {
  readonly epoch: number
  /** The newest epoch that it knows of. */
  readonly followed: number
  readonly clock: Clock
  /** False once that process is gone. */
  lives(life: Life): boolean
  input(life: Life, reign: Reign, input: Input): void
  perform(life: Life, action: () => void): void
  /** Goes over to the newest of these epochs. */
  leave(life: Life, news: readonly HandOver[]): void
}

export class Hearing {
  private readonly world: World
  private readonly self: Hearer

  constructor(world: World, self: Hearer) {
    this.world = world
    this.self = self
  }

  take(life: Life, packet: Packet): void {
    switch (packet.kind) {
      case 'message':
        if (isOfMember(packet)) return this.takeMessage(life, packet)
        // Of former members data are asked for, and nothing else is heard.
        return this.world.announce('foreign', this.self, 'dropped')
      case 'chain':
        return this.takeChain(life, packet)
      case 'link':
        return this.takeLink(life, packet)
      case 'chain-ask':
        return life.laggards.show(packet.epoch, packet.from, this.self.followed)
      case 'requests': {
        const requests = life.door.take(packet.requests)
        if (requests.length > 0) this.self.input(life, life.reign, { kind: 'requests', requests })
        return
      }
      case 'read': {
        const { nowUs } = this.world
        return life.reads.ask(
          packet.client,
          packet.read,
          this.self.clock.monotonicMs(nowUs),
          this.self.clock.wallMs(nowUs),
        )
      }
      case 'snapshot-ask':
        return life.snapshots.answer(packet)
      case 'snapshot-chunk': {
        const installed = life.snapshots.take(packet)
        if (installed === undefined) return
        life.installs++
        this.world.announce('installed', this.self, installed.checkpoint)
        const { checkpoint, kept } = installed
        const { frontier, timestampMs } = kept
        this.self.input(life, life.reign, {
          kind: 'installed',
          checkpoint,
          frontier,
          timestampMs,
          ...life.host.outlook,
        })
        if (this.self.lives(life)) life.reads.flush()
        return
      }
      default:
        return
    }
  }

  private takeLink(life: Life, { address, up }: Packet & { readonly kind: 'link' }): void {
    for (const reign of life.former === undefined ? [life.reign] : [life.former, life.reign]) {
      const peer = this.world.epochs.positionOf(reign.epoch, address)
      if (peer !== undefined && this.self.lives(life)) this.self.input(life, reign, { kind: 'link', peer, up })
    }
  }

  private takeMessage(life: Life, packet: Frame): void {
    const { epoch, from, message } = packet
    const reign = [life.reign, life.former].find((each) => each?.epoch === epoch)
    if (reign === undefined) return this.takeForeign(life, packet)
    if (reign.core.ignoreReason(from, message) !== undefined) return this.world.announce('ignored', this.self, message)
    const verified = this.world.verdicts.message(life.door.admissible(message), reign.epoch, reign.core)
    if (verified.ok) this.self.input(life, reign, { kind: 'message', from, message: verified.value })
    else this.world.announce('refused', this.self, this.world.epochs.identityOf(epoch, from), verified.fault)
  }

  /** M8. Somebody speaks in an epoch in which we are not. */
  private takeForeign(life: Life, packet: Frame): void {
    const { epoch, from } = packet
    const kept = epoch === this.self.epoch + 1 && life.laggards.keep(packet)
    this.world.announce('foreign', this.self, kept ? 'kept' : 'dropped')
    const { epochs } = this.world
    if (epoch > this.self.epoch) return life.laggards.ask(this.self.epoch, epoch, from)
    for (const address of epochs.addressesOf(epoch, from)) life.laggards.show(epoch, address, this.self.followed)
  }

  /** What came early for the epoch that has just begun here. */
  takeKept(life: Life): void {
    for (const packet of life.laggards.release()) this.self.perform(life, () => this.takeMessage(life, packet))
  }

  private takeChain(life: Life, { address, links }: Packet & { readonly kind: 'chain' }): void {
    const { world } = this
    const news = links.filter(({ charter }) => charter.epoch > this.self.epoch)
    const [next] = news
    const { phase, executed } = life.reign.core.status()
    if (next === undefined || phase === 'over' || life.leaving) return
    const fault = world.epochs.fault(this.self.epoch, news)
    if (fault !== undefined) return world.announce('chainRefused', this.self.address, fault)
    if (life.laggards.leaves(news, executed)) return this.self.leave(life, news)
    const message = { kind: 'stable', checkpoint: next.checkpoint } as const
    const verified = life.reign.core.verify(message)
    // Shown by somebody who is no member of our epoch, it is as if we had found it ourselves.
    const from = world.epochs.positionOf(this.self.epoch, address) ?? this.self.index
    if (verified.ok) this.self.input(life, life.reign, { kind: 'message', from, message: verified.value })
  }
}

function isOfMember(packet: Packet & { readonly kind: 'message' }): packet is Frame {
  return packet.from !== undefined
}
