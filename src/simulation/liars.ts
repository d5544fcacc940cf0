// Behaviours: what a liar makes of the effects of an honest core. It has its own signer and nobody else's, may keep whatever it
// saw, and may send different things to different peers. The library is src/byzantine; here is only where it plugs in.

import type { Membership, ReplicaIndex, Signer } from '../../crypto/index.ts'
import type { Effect, Input, ProtocolParameters } from '../consensus/index.ts'
import type { Random } from './kernel/index.ts'

export interface BehaviourContext {
  readonly self: ReplicaIndex
  readonly membership: Membership
  readonly clusterName: string
  readonly parameters: ProtocolParameters
  /** This replica's own. */
  readonly signer: Signer
  /** The same key, with signatures that only a lenient verifier takes. */
  readonly torsionSigner: Signer
  /** A stream of this liar alone. */
  readonly random: Random
}

/** The effects to carry out in place of the core's; `input` is undefined for those of the start. */
export type Behaviour = (effects: readonly Effect[], input: Input | undefined) => readonly Effect[]
export type BehaviourFactory = (context: BehaviourContext) => Behaviour

/** Behaviours by the names that scenarios and `--liar` use. */
export type BehaviourTable = ReadonlyMap<string, BehaviourFactory>
