// A simulated replica in one epoch: its core, and what that is told.

import type { ReplicaIndex, Signer } from '../../crypto/index.ts'
import type { BehaviourContext } from '../byzantine/index.ts'
import { type Effect, replicaVerifiers, type SignedRequest, type VerifyContext } from '../consensus/index.ts'
import { type Core, type CoreFactory, type CoreStart, coreMutations } from './core.ts'
import { CLUSTER_NAME } from './group.ts'
import type { Random } from './kernel/index.ts'
import type { World } from './world.ts'

export interface Reign {
  readonly epoch: number
  readonly core: Core
}

export interface Place {
  readonly epoch: number
  /** Its position in that epoch. */
  readonly index: ReplicaIndex
  /** Its number among all that are ever members. */
  readonly identity: number
}

/** A core in its place, and its first effects. */
export function beginReign(
  world: World,
  { epoch, index, identity }: Place,
  make: CoreFactory,
  start: Pick<CoreStart, 'records' | 'machine' | 'old'>,
): { readonly reign: Reign; readonly effects: readonly Effect[] } {
  const context = contextIn(world, epoch)
  const { membership, parameters, start: begun } = context
  const config = {
    ...{ self: index, membership, clusterName: CLUSTER_NAME, parameters, start: begun },
    signer: signerOf(world, identity),
    mutations: coreMutations(world.defects),
  }
  const { core, effects } = make({ config, context, ...start })
  return { reign: { epoch, core }, effects }
}

/** What replicas verify with in an epoch. */
export function contextIn({ group, verdicts, defects, epochs }: World, epoch: number): VerifyContext {
  const context = epochs.verifies(epoch)
  const verifier = defects.has('accept-torsion') ? group.suite.lenientVerifier : context.verifier
  return {
    ...context,
    ...replicaVerifiers(context.parameters, verifier),
    known: (request: SignedRequest) => verdicts.isGood(request),
  }
}

/** What a lying behaviour is told. */
export function liesOf(world: World, { epoch, index, identity }: Place, random: Random): BehaviourContext {
  const { suite, elsewhere } = world.group
  const { membership, start, parameters } = world.epochs.verifies(epoch)
  return {
    ...{ self: index, membership, start, clusterName: CLUSTER_NAME, parameters, elsewhere, random },
    signer: signerOf(world, identity),
    torsionSigner: suite.torsionSigner(`replica ${identity}`),
  }
}

function signerOf({ group: { signers, candidates } }: World, identity: number): Signer {
  const signer = signers[identity] ?? candidates[identity - signers.length]
  if (signer === undefined) throw new Error(`no signer for replica ${identity}`)
  return signer
}
