// What checkers, witnesses and faults get to see of a run. They look and never touch: a run is the same with and without them.

import type { Digest, ReplicaIndex, Slot, Verified } from '../../crypto/index.ts'
import type { DurableRecord, Effect, Input, Message, MessageFault, StableCheckpoint } from '../consensus/index.ts'
import type { EntryResults } from '../machine/index.ts'
import type { CoreStatus } from './core.ts'
import type { Operation } from './history.ts'
import type { PowerCut } from './kernel/index.ts'

/** One running copy of a replica. */
export interface ReplicaView {
  /** Where it is on the network; its index, but for the second copy of a twin. */
  readonly address: number
  readonly index: ReplicaIndex
  /** Its number among all that are ever members: the index in the first epoch of those that are in that. */
  readonly identity: number
  /** False for liars, for twins, and from the moment that it lost its disk. */
  readonly honest: boolean
  readonly up: boolean
  status(): CoreStatus | undefined
}

export interface Observer {
  /** Simulated time went on to the next event. */
  time?(nowUs: number): void
  input?(replica: ReplicaView, input: Input): void
  /** The effect, as it is carried out: what a liar changed it to. */
  effect?(replica: ReplicaView, effect: Effect): void
  /** Once for each receiver, before the network gets it. */
  sent?(replica: ReplicaView, to: ReplicaIndex, message: Message): void
  durable?(replica: ReplicaView, records: readonly DurableRecord[]): void
  executed?(replica: ReplicaView, slot: Slot, results: EntryResults, stateRoot: Digest | undefined): void
  installed?(replica: ReplicaView, checkpoint: Verified<StableCheckpoint>): void
  started?(replica: ReplicaView, records: readonly DurableRecord[], slot: Slot): void
  stopped?(replica: ReplicaView, cut: PowerCut): void
  /** A message of the replica of this identity did not pass verification. */
  refused?(replica: ReplicaView, from: number, fault: MessageFault): void
  /** A message was of no use to it. */
  ignored?(replica: ReplicaView, message: Message): void
  /** It heard somebody speak in an epoch that it has no core of. */
  foreign?(replica: ReplicaView, fate: 'kept' | 'dropped'): void
  /** What a replica or client was shown as the epochs after its own does not follow on it. */
  chainRefused?(address: number, code: string): void
  /** It erased its consensus key, which is no member's any more. */
  retired?(replica: ReplicaView): void
  /** It left its epoch for one that was shown to it, so many further on. */
  leapt?(replica: ReplicaView, epochs: number): void
  invoked?(operation: Operation): void
  returned?(operation: Operation): void
  healed?(nowUs: number): void
  /** The run is over, and everything finished that had to. */
  finished?(): void
}

/** What observers listen to. */
export type Event = keyof Observer
type Listener<Kind extends Event> = NonNullable<Observer[Kind]>

/** Tells what happened to all that listen to it, in their order. */
export type Announce = <Kind extends Event>(event: Kind, ...details: Parameters<Listener<Kind>>) => void

/** The observers as one, with those that listen to an event found once. */
export function announcer(observers: () => readonly Observer[]): Announce {
  const listeners = new Map<Event, ((...details: never[]) => void)[]>()
  return (event, ...details) => {
    let known = listeners.get(event)
    if (known === undefined) {
      known = observers().flatMap((observer) => observer[event]?.bind(observer) ?? [])
      listeners.set(event, known)
    }
    for (const listener of known) Reflect.apply(listener, undefined, details)
  }
}

/** An invariant does not hold. */
export class Violation extends Error {
  override readonly name = 'Violation'
  /** The invariant: `I1 agreement`. */
  readonly invariant: string

  constructor(invariant: string, message: string) {
    super(message)
    this.invariant = invariant
  }
}
