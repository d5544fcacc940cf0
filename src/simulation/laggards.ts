// Who has not come to an epoch that others are in: shown the hand-overs by anybody who hears it speak in an older one (M8), it fetches the state
// of the end from those that still serve its epoch, or leaves its core for the newest epoch where that comes to nothing (M9).

import type { ReplicaIndex } from '../../crypto/index.ts'
import type { ChainLie } from '../byzantine/index.ts'
import { AHEAD_PER_PEER, type HandOver } from '../consensus/index.ts'
import type { Packet } from './packets.ts'
import type { World } from './world.ts'

/** Base time-outs without a slot executed, after which what was shown is followed at once. */
const PATIENCE_TIMEOUTS = 8

/** Of a member of its epoch. */
export type Frame = Packet & { readonly kind: 'message'; readonly from: ReplicaIndex }

export class Laggards {
  private readonly world: World
  private readonly address: number
  private readonly lie: ChainLie | undefined
  private readonly shownUs = new Map<number, number>()
  private askedUs = -Infinity
  private early: Frame[] = []
  private stuck: { readonly sinceUs: number; readonly executed: number } | undefined

  constructor(world: World, address: number, lie: ChainLie | undefined) {
    this.world = world
    this.address = address
    this.lie = lie
  }

  /** M8. Who is at this address knows no later epoch than this one; at most once a quarter time-out each. */
  show(epoch: number, to: number, newest: number): void {
    const { world } = this
    const { viewTimeoutMs } = world.scenario.parameters
    if (epoch >= newest || world.nowUs - (this.shownUs.get(to) ?? -Infinity) < 250 * viewTimeoutMs) return
    this.shownUs.set(to, world.nowUs)
    const links = world.epochs.links.slice(epoch, newest)
    const shown = this.lie === undefined ? links : this.lie(links)
    world.transmit(this.address, to, { kind: 'chain', address: this.address, links: shown })
  }

  /** M8. Somebody speaks in a later epoch than this one, in which we are; at most once a quarter time-out. */
  ask(epoch: number, newer: number, of: ReplicaIndex): void {
    const { world } = this
    if (world.nowUs - this.askedUs < 250 * world.scenario.parameters.viewTimeoutMs) return
    this.askedUs = world.nowUs
    for (const address of world.epochs.addressesOf(newer, of))
      world.transmit(this.address, address, { kind: 'chain-ask', epoch, from: this.address })
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
