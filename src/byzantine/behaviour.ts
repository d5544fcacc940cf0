// What a lying replica is made of. A behaviour wraps an honest core: it sees what goes in and what comes out, and decides what
// leaves instead. It signs with its own key and nobody else's, and may keep and send again whatever it saw. The core inside stays
// honest and keeps its records, so a liar can go on lying for as long as it likes without getting lost itself.

import { type Membership, type ReplicaIndex, replicaIndex, type Signer, type Slot } from '../../crypto/index.ts'
import type {
  ChosenEntry,
  Effect,
  EpochStart,
  HandOver,
  Input,
  Message,
  ProtocolParameters,
} from '../consensus/index.ts'

/** Reproducible chance; the simulator's Random is one. */
export interface Chance {
  /** An integer from 0 to `bound` - 1. */
  below(bound: number): number
  chance(probability: number): boolean
  /** @throws {RangeError} where `items` is empty. */
  pick<Item>(items: readonly Item[]): Item
  /** An independent stream for one part. */
  fork(part: string | number): Chance
}

export interface BehaviourContext {
  readonly self: ReplicaIndex
  readonly membership: Membership
  readonly start: EpochStart
  /** Part of the origin of checkpoint notes. */
  readonly clusterName: string
  readonly parameters: ProtocolParameters
  /** This replica's own. */
  readonly signer: Signer
  /** The same key, with signatures that only a lenient verifier takes (pitfall P33). */
  readonly torsionSigner: Signer
  /** What a cluster with the same keys and another id decided for a slot: an archive that a liar may hold. None unless given. */
  readonly elsewhere?: (slot: Slot) => ChosenEntry
  /** A stream of this liar alone. */
  readonly random: Chance
}

/** The effects to carry out in place of the core's; `input` is undefined for those of the start. */
export type Behaviour = (effects: readonly Effect[], input: Input | undefined) => readonly Effect[]

/** What a liar hands out in place of a chunk of a snapshot; undefined where it stays silent. */
export type ChunkLie = (chunk: Uint8Array) => Uint8Array | undefined

/** What a liar shows in place of the hand-overs that led from somebody's epoch to the newest. */
export type ChainLie = (links: readonly HandOver[]) => readonly HandOver[]

/** One row of the table of behaviours. */
export interface BehaviourKind {
  /** One sentence for people: what it does, and what it preys on. */
  readonly describe: string
  /** What may stand after the colon, for people; none where undefined. */
  readonly argument?: string
  /** @throws {BehaviourError} where the argument makes no sense. */
  make(context: BehaviourContext, argument: string | undefined): Behaviour
  /** For the shell that serves snapshots, which are no effects; it tells the truth where undefined. */
  readonly chunk?: (context: BehaviourContext) => ChunkLie
  /** For the shell that shows others the chain of epochs; it tells the truth where undefined. */
  readonly chain?: (context: BehaviourContext) => ChainLie
  /** Lies about changes of the members alone, and tells the truth while there is none. */
  readonly aboutEpochs?: true
}

/** A behaviour or argument that does not exist; the message is one sentence for the user. */
export class BehaviourError extends Error {
  override readonly name = 'BehaviourError'
}

/** What one peer is sent in place of `message`: the same, others, or nothing. */
export type Rewrite = (to: ReplicaIndex, message: Message) => readonly Message[]

/** Every member but the liar, ascending. */
export function peersOf({ self, membership }: BehaviourContext): ReplicaIndex[] {
  return membership.members.flatMap((_, i) => (i === self ? [] : [replicaIndex(i)]))
}

/** The effects with every message rewritten for every receiver; what is no message stays. */
export function rewrite(context: BehaviourContext, effects: readonly Effect[], change: Rewrite): Effect[] {
  return effects.flatMap((effect): readonly Effect[] => {
    if (effect.kind === 'send') return sends(effect.to, change(effect.to, effect.message))
    if (effect.kind !== 'broadcast') return [effect]
    return peersOf(context).flatMap((to) => sends(to, change(to, effect.message)))
  })
}

/** The same message to every peer. */
export function toAll(context: BehaviourContext, ...messages: readonly Message[]): Effect[] {
  return messages.flatMap((message) => peersOf(context).map((to): Effect => ({ kind: 'send', to, message })))
}

export function sends(to: ReplicaIndex, messages: readonly Message[]): Effect[] {
  return messages.map((message): Effect => ({ kind: 'send', to, message }))
}

type Send = Effect & { readonly kind: 'send' }

/** A message that is to leave in a frame of this epoch, to its receiver's position there; others leave in frames of the core's own. */
export function inEpoch(epoch: number, send: Send): Effect {
  const misplaced: Send & { readonly epoch: number } = { ...send, epoch }
  return misplaced
}

/** The epoch in whose frame a liar wants this to leave, if not that of its core. */
export function frameEpoch(effect: Effect): number | undefined {
  return 'epoch' in effect && typeof effect.epoch === 'number' ? effect.epoch : undefined
}
