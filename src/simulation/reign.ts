// A simulated replica in one epoch: its core, and what that is told.

import { bytesKey, equalBytes, type ReplicaIndex, type Signer } from '../../crypto/index.ts'
import type { Behaviour, BehaviourContext, ParsedBehaviour } from '../byzantine/index.ts'
import { type Effect, replicaVerifiers, type SignedRequest, type VerifyContext } from '../consensus/index.ts'
import type { CastKey } from './cast.ts'
import { type Core, type CoreFactory, type CoreStart, coreMutations } from './core.ts'
import { CLUSTER_NAME } from './group.ts'
import type { Random } from './kernel/index.ts'
import { Violation } from './observer.ts'
import type { World } from './world.ts'

export interface Reign {
  readonly epoch: number
  readonly core: Core
  readonly context: VerifyContext
  /** What its replica makes of the effects, where that lies. */
  readonly behaviour: Behaviour | undefined
}

export interface Place {
  readonly epoch: number
  /** Its position in that epoch. */
  readonly index: ReplicaIndex
}

/** The consensus keys of one replica: those that it has erased sign nothing more (P61). */
export class Keys {
  private readonly erased = new Set<string>()

  signer({ signer: { publicKey, sign } }: CastKey): Signer {
    const name = bytesKey(publicKey)
    return {
      publicKey,
      sign: (message) => {
        if (this.erased.has(name)) throw new Violation('I15 retired key', 'a key signs that was to be erased')
        return sign(message)
      },
    }
  }

  /** The epoch of this place is over for its replica: its key goes, unless it is a member's in the next one too. True where it went. */
  leave({ epochs }: World, { epoch, index }: Place, next: number): boolean {
    const key = epochs.context(epoch).membership.members[index]?.consensusKey
    const stays = epochs.context(next).charter.members.some(({ consensusKey }) => key && equalBytes(consensusKey, key))
    if (key === undefined || stays) return false
    this.erased.add(bytesKey(key))
    return true
  }
}

export interface ReignParts {
  readonly make: CoreFactory
  readonly keys: Keys
  readonly lies: { readonly behaviour: ParsedBehaviour; readonly random: Random } | undefined
}

/** A core in its place, and its first effects. */
export function beginReign(
  world: World,
  place: Place,
  { make, keys, lies }: ReignParts,
  start: Pick<CoreStart, 'records' | 'machine' | 'old'>,
): { readonly reign: Reign; readonly effects: readonly Effect[] } {
  const { epoch, index } = place
  const context = contextIn(world, epoch)
  const { membership, parameters, start: begun } = context
  const key = keyOf(world, place)
  const config = {
    ...{ self: index, membership, clusterName: CLUSTER_NAME, parameters, start: begun },
    signer: lies === undefined ? keys.signer(key) : key.signer,
    mutations: coreMutations(world.defects),
  }
  const { core, effects } = make({ config, context, ...start })
  const behaviour = lies?.behaviour.make(liesOf(world, place, lies.random))
  return { reign: { epoch, core, context, behaviour }, effects }
}

/** What replicas verify with in an epoch. */
function contextIn({ group, verdicts, defects, epochs }: World, epoch: number): VerifyContext {
  const context = epochs.verifies(epoch)
  const { membership, parameters } = context
  const verifier = defects.has('accept-torsion') ? group.suite.lenientVerifier : context.verifier
  const carried = defects.has('unsigned-votes-across-modes') ? replicaVerifiers(group.context.parameters, verifier) : {}
  const digest = defects.has('epoch-missing-from-statement') ? group.membership.digest : membership.digest
  return {
    ...context,
    membership: digest === membership.digest ? membership : { ...membership, digest },
    ...carried,
    ...replicaVerifiers(parameters, verifier),
    known: (request: SignedRequest) => verdicts.isGood(request),
  }
}

/** What a lying behaviour is told. */
export function liesOf(world: World, place: Place, random: Random): BehaviourContext {
  const { suite, elsewhere } = world.group
  const { membership, start, parameters } = world.epochs.verifies(place.epoch)
  const { signer, label } = keyOf(world, place)
  return {
    ...{ self: place.index, membership, start, clusterName: CLUSTER_NAME, parameters, elsewhere, random },
    ...{ signer, torsionSigner: suite.torsionSigner(label) },
  }
}

/** With which it speaks in its epoch. */
function keyOf({ group, epochs }: World, { epoch, index }: Place): CastKey {
  const member = epochs.context(epoch).membership.members[index]
  if (member === undefined) throw new Error(`epoch ${epoch} has no member ${index}`)
  return group.cast.of(member.consensusKey)
}
