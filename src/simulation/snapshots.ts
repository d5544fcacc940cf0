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

  /** Fetches the state of `checkpoint`, from `sources` first and then from anybody; gives up what it was fetching before. */
  begin(checkpoint: Verified<StableCheckpoint>, sources: readonly ReplicaIndex[]): void {
    const others = this.world.epochs
      .members(this.self.epoch)
      .filter((each) => each !== this.self.index && !sources.includes(each))
    const patienceUs = 1000 * this.world.scenario.parameters.viewTimeoutMs
    this.transfer = new Transfer(checkpoint, [...sources, ...others], patienceUs)
    this.follow(this.transfer.tick(this.world.nowUs))
  }

  tick(): void {
    if (this.transfer !== undefined) this.follow(this.transfer.tick(this.world.nowUs))
  }

  /** Gives a peer the chunk that it asks for, if the snapshot is still here. */
  answer({ epoch, from, slot, path }: Ask): void {
    const kept = this.host.snapshotAt(slot)
    const self = this.world.epochs.positionOf(epoch, this.self.address)
    if (kept === undefined || self === undefined) return
    const { bytes } = kept.state.chunk(path)
    const chunk = this.lie === undefined ? bytes : this.lie(bytes)
    if (chunk === undefined) return
    this.send(epoch, from, { kind: 'snapshot-chunk', from: self, slot, path, frontier: kept.frontier, chunk })
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
    const { epoch, index: from } = this.self
    this.send(epoch, step.of, { kind: 'snapshot-ask', epoch, from, slot: step.slot, path: step.path })
  }

  private send(epoch: number, to: ReplicaIndex, packet: Packet): void {
    for (const address of this.world.epochs.addressesOf(epoch, to))
      this.world.transmit(this.self.address, address, packet)
  }
}
