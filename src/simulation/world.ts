// What a simulated replica or client has around it.

import type { ReplicaIndex } from '../../crypto/index.ts'
import type { HandOver, StableCheckpoint } from '../consensus/index.ts'
import type { Defect } from './core.ts'
import type { Epochs } from './epochs.ts'
import type { Group } from './group.ts'
import type { Random, TraceHash } from './kernel/index.ts'
import type { Announce } from './observer.ts'
import type { Packet } from './packets.ts'
import type { Scenario } from './scenario.ts'
import type { Verdicts } from './verdicts.ts'

export interface World {
  readonly scenario: Scenario
  readonly group: Group
  readonly epochs: Epochs
  /** Every position of the newest epoch. */
  readonly members: readonly ReplicaIndex[]
  readonly defects: ReadonlySet<Defect>
  /** Draw from a fork of it, named after whoever draws. */
  readonly random: Random
  readonly trace: TraceHash
  readonly announce: Announce
  readonly verdicts: Verdicts
  /** Microseconds since the run began. */
  readonly nowUs: number
  at(atUs: number, run: () => void): void
  /** Hands a packet to the network. */
  transmit(from: number, to: number, packet: Packet): void
  /** Where the copies of a member of the newest epoch are: one, or two for a twin. */
  addressesOf(index: ReplicaIndex): readonly number[]
  /** A replica has ended its epoch. */
  handOver(link: HandOver): void
  /** False for those that are switched off for good at the healing. */
  stays(replica: { readonly address: number; readonly honest: boolean }): boolean
  /** The newest checkpoint that an honest replica in the newest epoch takes for stable. */
  readonly stable: StableCheckpoint | undefined
  /** True from the end of the safety phase on. */
  readonly healed: boolean
}

/** Addresses of clients begin here; replicas and twins are below. */
export const FIRST_CLIENT_ADDRESS = 1000
