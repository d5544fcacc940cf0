// A replica in one epoch: its core, and what the shell around it goes by. Whoever needs any of it asks for the reign at each use, since
// another one begins when the epoch is handed over.

import { type ReplicaIndex, replicaIndex } from '../../crypto/index.ts'
import type { ParsedBehaviour } from '../byzantine/index.ts'
import { type DurableRecord, type Effect, type MachinePosition, replicaVerifiers } from '../consensus/index.ts'
import { Core } from './core.ts'
import type { Counters } from './counters.ts'
import type { Place } from './epochs.ts'
import { counting, type Lies, liesOf } from './liar.ts'

export interface Reign extends Place {
  /** All members but ourselves, ascending. */
  readonly peers: readonly ReplicaIndex[]
  readonly core: Core
  readonly lies: Lies | undefined
}

export interface ReignOptions {
  readonly counters: Counters
  readonly liar: ParsedBehaviour | undefined
}

/** What a core begins from. */
export interface ReignStart {
  readonly records: readonly DurableRecord[]
  readonly machine: MachinePosition
  /** The core of the epoch before, where that ended in this process. */
  readonly old?: Core | undefined
}

/** A core in its place, and its first effects. */
export function beginReign(
  place: Place,
  { records, machine, old }: ReignStart,
  { counters, liar }: ReignOptions,
): { readonly reign: Reign; readonly effects: readonly Effect[] } {
  const { epoch, self, signer } = place
  const { membership, start, verify } = epoch
  const { clusterName, parameters, verifier } = verify
  const context = { ...verify, ...replicaVerifiers(parameters, verifier) }
  const config = { self, membership, clusterName, parameters, start, mutations: new Set<never>() }
  const { core, effects } = Core.begin(
    { ...config, signer: counting(signer, counters) },
    { context, records, machine, old },
  )
  const peers = membership.members.map((_, i) => replicaIndex(i)).filter((each) => each !== self)
  return { reign: { ...place, peers, core, lies: liar && liesOf(liar, place) }, effects }
}
