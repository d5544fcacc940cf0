// Who has not come to an epoch that others are in: shown the hand-overs by anybody who hears it speak in an older one (M8), it fetches the state
// of the end from those that still serve its epoch, or leaves its core for the newest epoch where that comes to nothing (M9).

import type { ReplicaIndex } from '../../crypto/index.ts'
import { AHEAD_PER_PEER, type HandOver } from '../consensus/index.ts'
import type { Packet } from './packets.ts'
import type { Place } from './reign.ts'
import type { World } from './world.ts'

/** Base time-outs without a slot executed, after which what was shown is followed at once. */
const PATIENCE_TIMEOUTS = 8

type Frame = Packet & { readonly kind: 'message' }

export class Laggards {
  private readonly world: World
  private readonly address: number
  private readonly shownUs = new Map<string, number>()
  private askedUs = -Infinity
  private early: Frame[] = []
  private stuck: { readonly sinceUs: number; readonly executed: number } | undefined

  constructor(world: World, address: number) {
    this.world = world
    this.address = address
  }

  /** M8. Somebody speaks in an epoch that is over; at most once a quarter time-out each. */
  show(epoch: number, to: ReplicaIndex, newest: number): void {
    const { world } = this
    const key = `${epoch}/${to}`
    const { viewTimeoutMs } = world.scenario.parameters
    if (epoch >= newest || world.nowUs - (this.shownUs.get(key) ?? -Infinity) < 250 * viewTimeoutMs) return
    this.shownUs.set(key, world.nowUs)
    const links = world.epochs.links.slice(epoch, newest)
    for (const address of world.epochs.addressesOf(epoch, to))
      world.transmit(this.address, address, { kind: 'chain', address: this.address, links })
  }

  /** M8. Somebody speaks in a later epoch than that in which we have this place; at most once a quarter time-out. */
  ask({ epoch, index }: Place, newer: number, of: ReplicaIndex): void {
    const { world } = this
    if (world.nowUs - this.askedUs < 250 * world.scenario.parameters.viewTimeoutMs) return
    this.askedUs = world.nowUs
    for (const address of world.epochs.addressesOf(newer, of))
      world.transmit(this.address, address, { kind: 'chain-ask', epoch, from: index })
  }

  /** M8. Holds a frame of the next epoch until that begins here; false where its sender has sent too many. */
  keep(frame: Frame): boolean {
    if (this.early.filter(({ from }) => from === frame.from).length >= AHEAD_PER_PEER) return false
    this.early.push(frame)
    return true
  }

  /** The frames that were held, in the order in which they came. */
  release(): readonly Frame[] {
    return this.early.splice(0)
  }

  /** M9. Whether to leave for the newest of `links`, which follow on the epoch that we are in. */
  leaves(links: readonly HandOver[], executed: number): boolean {
    if (links.length > 1) return true
    const { nowUs, scenario } = this.world
    if (this.stuck?.executed !== executed) this.stuck = { sinceUs: nowUs, executed }
    return nowUs - this.stuck.sinceUs > 1000 * PATIENCE_TIMEOUTS * scenario.parameters.viewTimeoutMs
  }
}
