// How a simulated client reads beside the log: what q replicas say alike, or what a leader with a lease says alone. What comes of
// neither in time is asked through the log.

import { bytesKey, type QuorumSystem, type ReplicaIndex } from '../../crypto/index.ts'
import type { ReadAnswer } from './packets.ts'
import type { ClientSettings } from './scenario.ts'

/** A read as it was answered. */
export interface Settled {
  readonly result: Uint8Array
  readonly asOf: number
}

/** Who says something, in an epoch of these quorums. */
export interface Reader {
  readonly epoch: number
  readonly replica: ReplicaIndex
  readonly quorums: QuorumSystem
}

interface Tally {
  readonly result: Uint8Array
  readonly slots: Map<ReplicaIndex, number>
}

/** The revision of the store: replicas that are a few writes to other keys apart agree on everything else. */
const REVISION_BYTES = 8

export class ClientReads {
  private readonly mode: NonNullable<ClientSettings['reads']>
  private readonly open = new Map<number, Map<string, Tally>>()

  constructor(mode: NonNullable<ClientSettings['reads']>) {
    this.mode = mode
  }

  begin(id: number): void {
    this.open.set(id, new Map())
  }

  /** False where it was settled or given up before. */
  giveUp(id: number): boolean {
    return this.open.delete(id)
  }

  /** The read, once enough of one epoch say the same. Nobody is believed alone where members may lie. */
  take({ epoch, replica, quorums }: Reader, id: number, answer: ReadAnswer): Settled | undefined {
    const tallies = this.open.get(id)
    if (tallies === undefined || answer === undefined) return undefined
    const { result, slot } = answer
    const name = `${epoch}/${bytesKey(result.subarray(REVISION_BYTES))}`
    const need = this.mode === 'lease' && quorums.crashMode ? 1 : quorums.quorum
    const tally = tallies.get(name) ?? { result, slots: new Map() }
    tallies.set(name, tally)
    if (!tally.slots.has(replica)) tally.slots.set(replica, slot)
    if (tally.slots.size < need) return undefined
    this.open.delete(id)
    const slots = [...tally.slots.values()].sort((a, b) => b - a)
    return { result: tally.result, asOf: slots[quorums.trust - 1] ?? 0 }
  }
}
