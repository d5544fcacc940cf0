// The state of checkpoints, given to peers and fetched from them, on behalf of one simulated replica.

import type { ReplicaIndex, Verified } from '../../crypto/index.ts'
import type { ChunkLie } from '../byzantine/index.ts'
import type { StableCheckpoint } from '../consensus/index.ts'
import type { KeptSnapshot, MachineHost } from './machine-host.ts'
import type { Packet } from './packets.ts'
import { Transfer, type TransferStep } from './transfer.ts'
import type { World } from './world.ts'

type Ask = Packet & { readonly kind: 'snapshot-ask' }
type Chunk = Packet & { readonly kind: 'snapshot-chunk' }

export interface Installed {
  readonly checkpoint: Verified<StableCheckpoint>
  readonly kept: KeptSnapshot
}

export class SnapshotService {
  private readonly world: World
  private readonly self: { readonly address: number; readonly index: ReplicaIndex; readonly epoch: number }
  private readonly host: MachineHost
  private readonly lie: ChunkLie | undefined
  private transfer: Transfer | undefined

  constructor(world: World, self: SnapshotService['self'], host: MachineHost, lie: ChunkLie | undefined) {
    this.world = world
    this.self = self
    this.host = host
    this.lie = lie
  }

  /**
   * Fetches the state of `checkpoint`, from `sources` first, then from anybody in its epoch and those that were in the one before: all
   * that have the state with which an epoch begins may have left with the one before. Gives up what it was fetching before.
   */
  begin(checkpoint: Verified<StableCheckpoint>, sources: readonly ReplicaIndex[]): void {
    const { epochs, scenario, nowUs } = this.world
    const { address, epoch } = this.self
    const of = (number: number, index: ReplicaIndex) => epochs.addressesOf(number, index)
    const others = [epoch, epoch - 1].flatMap((each) => epochs.members(each).flatMap((index) => of(each, index)))
    const all = new Set([...sources.flatMap((index) => of(epoch, index)), ...others])
    all.delete(address)
    this.transfer = new Transfer(checkpoint, [...all], 1000 * scenario.parameters.viewTimeoutMs)
    this.follow(this.transfer.tick(nowUs))
  }

  tick(): void {
    if (this.transfer !== undefined) this.follow(this.transfer.tick(this.world.nowUs))
  }

  /** Gives a peer the chunk that it asks for, if the snapshot is still here. */
  answer({ from, slot, path }: Ask): void {
    const kept = this.host.snapshotAt(slot)
    if (kept === undefined) return
    const { bytes } = kept.state.chunk(path)
    const chunk = this.lie === undefined ? bytes : this.lie(bytes)
    if (chunk === undefined) return
    const { address } = this.self
    this.world.transmit(address, from, {
      kind: 'snapshot-chunk',
      from: address,
      slot,
      path,
      frontier: kept.frontier,
      chunk,
    })
  }

  /** Takes a chunk; after the last one the machine is in the new state. */
  take(chunk: Chunk): Installed | undefined {
    const { transfer } = this
    if (transfer === undefined) return undefined
    const step = transfer.take(chunk, this.world.nowUs)
    if (step.kind !== 'done') {
      this.follow(step)
      return undefined
    }
    this.transfer = undefined
    return { checkpoint: transfer.checkpoint, kept: this.host.install(step.map, step.frontier) }
  }

  private follow(step: TransferStep): void {
    if (step.kind !== 'ask') return
    const { address } = this.self
    this.world.transmit(address, step.of, { kind: 'snapshot-ask', from: address, slot: step.slot, path: step.path })
  }
}
