// One life of a simulated process, from a start to a power cut: what goes with the power.

import type { Door } from './door.ts'
import type { Laggards } from './laggards.ts'
import type { MachineHost } from './machine-host.ts'
import type { Reads } from './reads.ts'
import type { Reign } from './reign.ts'
import type { SnapshotService } from './snapshots.ts'
import type { Storage } from './storage.ts'

export interface Life {
  /** Of the epoch in office, and the one before, which serves who is behind. */
  reign: Reign
  former: Reign | undefined
  readonly laggards: Laggards
  /** Until the hand-overs are on disk with which it goes to a later epoch. */
  leaving: boolean
  readonly host: MachineHost
  readonly door: Door
  readonly reads: Reads
  readonly storage: Storage
  readonly snapshots: SnapshotService
  executeFreeUs: number
  /** Counts installed snapshots: executions planned before one are void. */
  installs: number
}
