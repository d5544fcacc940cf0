// Who is no member yet and is to become one: asks for the chain of epochs, again and again, until that ends with an epoch that names it.

import { EMPTY_FRONTIER } from '../../crypto/index.ts'
import type { DurableRecord, HandOver } from '../consensus/index.ts'
import type { Disk } from './kernel/index.ts'
import type { KeptSnapshot } from './machine-host.ts'
import type { World } from './world.ts'

export interface JoinerParts {
  readonly address: number
  readonly disk: Disk<DurableRecord, KeptSnapshot>
  stays(): boolean
  /** What it begins with is on its disk. */
  start(): void
}

export class Joiner {
  private readonly world: World
  private readonly parts: JoinerParts
  private state: 'seeking' | 'writing' | 'done' = 'seeking'

  constructor(world: World, parts: JoinerParts) {
    this.world = world
    this.parts = parts
  }

  seek(): void {
    const { world, parts } = this
    if (this.state !== 'seeking' || !parts.stays()) return
    const from = parts.address
    // All that were ever members: those of the newest epoch may all be waiting like this one.
    for (const to of world.epochs.everybody)
      if (to !== from) world.transmit(from, to, { kind: 'chain-ask', epoch: 0, from })
    world.at(world.nowUs + 1000 * world.scenario.parameters.viewTimeoutMs, () => this.seek())
  }

  /** It was shown these. What it begins with is on disk before it says anything. */
  take(links: readonly HandOver[]): void {
    const { world, parts } = this
    const { address, disk } = parts
    if (this.state !== 'seeking' || !parts.stays()) return
    const fault = world.epochs.fault(0, links)
    if (fault !== undefined) return world.announce('chainRefused', address, fault)
    if (world.epochs.lastPlaceOf(address, links.length) === undefined) return
    this.state = 'writing'
    world.at(disk.append(handOversOf(links), world.nowUs), () => {
      if (this.state !== 'writing') return
      this.state = 'done'
      disk.confirm()
      parts.start()
    })
  }

  /** Its disk was replaced by an empty one: what was to be written is gone. */
  giveUp(): void {
    this.state = 'done'
  }
}

/** The records of these, as those have them who did not end the epochs themselves. */
export function handOversOf(links: readonly HandOver[]): readonly DurableRecord[] {
  return links.map((handOver) => ({ kind: 'hand-over', handOver, frontier: EMPTY_FRONTIER }))
}
