// A replica that lies on purpose: the same behaviours as in the simulator, around the effects of the core.

import { Point } from '@noble/ed25519'
import { hex, type Signer, signature } from '../../crypto/index.ts'
import type { Genesis, ReplicaKeys } from '../../keys/index.ts'
import type { Behaviour, BehaviourContext, ChunkLie, ParsedBehaviour } from '../byzantine/index.ts'
import type { EpochStart } from '../consensus/index.ts'
import { seededChance } from './chance.ts'

/** A point of order 8. Ref: eprint 2020/1244, table 5. */
const TORSION = Point.fromHex('26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05')

export interface Lies {
  readonly effects: Behaviour
  readonly chunk: ChunkLie | undefined
  /** As it was asked for: `equivocate`, `censor:1f`. */
  readonly name: string
}

export function liesOf(behaviour: ParsedBehaviour, genesis: Genesis, start: EpochStart, keys: ReplicaKeys): Lies {
  const { name, argument } = behaviour
  const text = argument === undefined ? name : `${name}:${argument}`
  const context: BehaviourContext = {
    self: keys.index,
    membership: genesis.membership,
    start,
    clusterName: genesis.contents.name,
    parameters: genesis.parameters,
    signer: keys.consensus,
    torsionSigner: torsionSigner(keys.consensus),
    random: seededChance(`${hex(genesis.clusterId)}/${keys.index}/${text}`),
  }
  return { effects: behaviour.make(context), chunk: behaviour.chunk?.(context), name: text }
}

/**
 * Signs with torsion in R. The secret scalar is not at hand here, so S is that of the signature without it: refused by rule S4 like
 * the genuine article, which the simulator has.
 */
function torsionSigner({ publicKey, sign }: Signer): Signer {
  return Object.freeze({
    publicKey,
    sign(message: Uint8Array) {
      const bytes = Uint8Array.from(sign(message))
      bytes.set(Point.fromBytes(bytes.subarray(0, 32)).add(TORSION).toBytes(), 0)
      return signature(bytes)
    },
  })
}
