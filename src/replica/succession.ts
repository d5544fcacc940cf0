// From one epoch to the next (M5, M9). A hand-over that is durable ends the core of its epoch; where a key of ours is a member's in the next
// one, its core begins at once. The core that is over goes on beside it, for those who are behind, until they can get all they need
// from this epoch alone. A replica that is epochs behind leaves its core for that of the last one.

import type { Effect, EpochChain, EpochContext, HandOver } from '../consensus/index.ts'
import type { Epochs, Place, Seat } from './epochs.ts'
import type { Inbound } from './inbound.ts'
import type { Journal } from './journal.ts'
import type { Keyring } from './keyring.ts'
import type { MachineHost } from './machine-host.ts'
import type { Network } from './network.ts'
import type { NextFrames } from './next-frames.ts'
import type { Notices } from './notices.ts'
import type { Reign, ReignStart, Reigns } from './reign.ts'
import type { Retirement } from './retirement.ts'
import type { Snapshots } from './snapshots.ts'
import type { Turn } from './turn.ts'

export interface SuccessionParts {
  readonly epochs: Epochs
  readonly reigns: Reigns
  readonly host: MachineHost
  readonly network: Pick<Network, 'refresh'>
  readonly journal: Pick<Journal, 'add'>
  readonly snapshots: Pick<Snapshots, 'abandon'>
  readonly inbound: Pick<Inbound, 'push'>
  readonly next: NextFrames
  readonly turn: () => Pick<Turn, 'enter' | 'later' | 'forgetExecutions'>
  readonly notices: Pick<Notices, 'epoch' | 'fatal'>
  readonly retirement: Retirement
  readonly keyring: Keyring
  readonly begin: (place: Place, start: ReignStart) => { readonly reign: Reign; readonly effects: readonly Effect[] }
}

/** Checkpoint intervals of an epoch after which nobody is served in the one before. */
const SERVED_INTERVALS = 2

export class Succession {
  private readonly parts: SuccessionParts
  /** Hand-overs are on their way to the disk, with which this epoch is left. */
  private leaving = false

  constructor(parts: SuccessionParts) {
    this.parts = parts
  }

  /** M5. The core of `reign` is over, and that is durable. */
  handedOver(reign: Reign, handOver: HandOver): void {
    const { epochs, reigns, network, retirement } = this.parts
    const fault = epochs.follow([handOver])
    if (fault !== undefined) throw new Error(`its own hand-over does not end the epoch: ${fault.code}`)
    if (reign !== reigns.current) return
    const next = epochs.chain.epochs[reign.core.epoch + 1]
    if (next === undefined) throw new Error('unreachable: the hand-over was followed')
    const seat = epochs.seatIn(next)
    if (seat !== undefined) return this.sit(seat, reign)
    retirement.linger(next)
    network.refresh()
  }

  /** M9. Goes on in the last epoch of a chain that was verified. */
  follow(chain: EpochChain): void {
    const { journal, reigns, turn, host } = this.parts
    if (this.leaving) return
    this.leaving = true
    const { frontier } = host.position
    const records = chain.links
      .slice(reigns.current.core.epoch)
      .map((handOver) => ({ kind: 'hand-over', handOver, frontier }) as const)
    journal.add(records, () => turn().later(() => this.leave(chain)))
  }

  /** A checkpoint of the epoch in office is stable. */
  stabilized(): void {
    const { reigns, network } = this.parts
    const { current, former } = reigns
    const { start, charter } = current.epoch
    const served = start.slot + SERVED_INTERVALS * charter.parameters.checkpointInterval
    if (former !== undefined && current.core.status().stable.slot >= served) reigns.forgetFormer()
    network.refresh()
  }

  private leave(chain: EpochChain): void {
    const { epochs, reigns, retirement, snapshots, turn } = this.parts
    this.leaving = false
    epochs.adopt(chain)
    const { last } = epochs.chain
    if (last.charter.epoch <= reigns.current.core.epoch) return
    const seat = epochs.seatIn(last)
    if (seat === undefined) return retirement.leave(this.afterTheLast())
    // What the core that is left had executed or asked for is void.
    turn().forgetExecutions()
    snapshots.abandon()
    this.sit(seat, undefined)
  }

  /** The epoch after the last one of which this replica is a member. */
  private afterTheLast(): EpochContext {
    const { epochs, reigns } = this.parts
    const last = epochs.lastSeat()?.epoch ?? reigns.current.epoch
    return epochs.chain.epochs[last.charter.epoch + 1] ?? epochs.chain.last
  }

  /** Enters an epoch once the key is there, and the only one, that it is entered with. */
  private sit(seat: Seat, over: Reign | undefined): void {
    const { keyring, turn, notices, reigns } = this.parts
    const signer = keyring.find(seat.key)
    if (signer !== undefined) return this.enter({ ...seat, signer }, over)
    const before = reigns.current
    keyring.replace(seat.key).then(
      (next) =>
        turn().later(() => {
          if (reigns.current === before) this.enter({ ...seat, signer: next }, over)
        }),
      notices.fatal,
    )
  }

  private enter(place: Place, over: Reign | undefined): void {
    const { reigns, host, network, inbound, next, turn, notices, begin } = this.parts
    const { reign, effects } = begin(place, { records: [], machine: host.position, old: over?.core })
    reigns.succeed(reign, over)
    host.beginEpoch()
    network.refresh()
    notices.epoch(reign)
    turn().enter(reign, effects)
    for (const [peer, frame] of next.take()) inbound.push(peer, frame)
  }
}
