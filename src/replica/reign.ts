// A replica in one epoch: its core, and what the shell around it goes by. Whoever needs any of it asks for the reign at each use, since
// another one begins when the epoch is handed over.

import { type Epoch, type ReplicaIndex, replicaIndex } from '../../crypto/index.ts'
import { peerIdOf } from '../../keys/index.ts'
import type { ParsedBehaviour } from '../byzantine/index.ts'
import { type DurableRecord, type Effect, type MachinePosition, replicaVerifiers } from '../consensus/index.ts'
import { Core } from './core.ts'
import type { Counters } from './counters.ts'
import type { Place } from './epochs.ts'
import { counting, type Lies, liesOf } from './liar.ts'

export interface Reign extends Place {
  /** Who stands at each position: the peer ids of the members. */
  readonly seats: readonly Peer[]
  /** All members but ourselves, ascending. */
  readonly peers: readonly ReplicaIndex[]
  readonly core: Core
  readonly lies: Lies | undefined
}

/** Who somebody is whatever the epoch: a peer id, as libp2p writes it. */
export type Peer = string

/** The epoch in office, and the one before, which serves who is behind. */
export class Reigns {
  private present: Reign
  private past: Reign | undefined

  constructor(first: Reign) {
    this.present = first
  }

  get current(): Reign {
    return this.present
  }

  get former(): Reign | undefined {
    return this.past
  }

  /** That of an epoch; undefined for those of which there is no core here. */
  of(epoch: Epoch): Reign | undefined {
    return [this.present, this.past].find((each) => each?.core.epoch === epoch)
  }

  /** False for one that was left. */
  isHeld(reign: Reign): boolean {
    return reign === this.present || reign === this.past
  }

  /** From now on `next` is in office; `former` is undefined where there is nobody to serve in it. */
  succeed(next: Reign, former: Reign | undefined): void {
    this.present = next
    this.past = former
  }

  /** Nobody needs the epoch before any more. */
  forgetFormer(): void {
    this.past = undefined
  }

  /** What counters call a peer: its position in the epoch in office. */
  nameOf(peer: Peer): string {
    const position = this.present.seats.indexOf(peer)
    return position < 0 ? 'former' : String(position)
  }
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
  const seats = epoch.charter.members.map(({ transportKey }) => peerIdOf(transportKey))
  const peers = membership.members.map((_, i) => replicaIndex(i)).filter((each) => each !== self)
  return { reign: { ...place, seats, peers, core, lies: liar && liesOf(liar, place) }, effects }
}
