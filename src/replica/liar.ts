// A replica that lies on purpose: the same behaviours as in the simulator, around the effects of the core.

import { Point } from '@noble/ed25519'
import { hex, type Signer, signature } from '../../crypto/index.ts'
import type { Behaviour, BehaviourContext, ChainLie, ChunkLie, ParsedBehaviour } from '../byzantine/index.ts'
import { seededChance } from './chance.ts'
import type { Counters } from './counters.ts'
import type { Place } from './epochs.ts'

/** A point of order 8. Ref: eprint 2020/1244, table 5. */
const TORSION = Point.fromHex('26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05')

export interface Lies {
  readonly effects: Behaviour
  readonly chunk: ChunkLie | undefined
  readonly chain: ChainLie | undefined
  /** As it was asked for: `equivocate`, `censor:1f`. */
  readonly name: string
}

/** What a replica does in an epoch that lies like this. */
export function liesOf(behaviour: ParsedBehaviour, { epoch, self, signer }: Place): Lies {
  const { name, argument } = behaviour
  const text = argument === undefined ? name : `${name}:${argument}`
  const { membership, start, verify } = epoch
  const { clusterName, parameters } = verify
  const context: BehaviourContext = {
    ...{ self, membership, start, clusterName, parameters, signer },
    torsionSigner: torsionSigner(signer),
    random: seededChance(`${hex(membership.clusterId)}/${self}/${text}`),
  }
  const [chunk, chain] = [behaviour.chunk?.(context), behaviour.chain?.(context)]
  return { effects: behaviour.make(context), chunk, chain, name: text }
}

/** The same signer, which counts what it signs. */
export function counting({ publicKey, sign }: Signer, counters: Counters): Signer {
  return Object.freeze({
    publicKey,
    sign(message: Uint8Array) {
      counters.signatures++
      return sign(message)
    },
  })
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
