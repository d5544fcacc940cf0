// The only door of src/consensus: the protocol as one deterministic state machine. README.md is its specification.

export { type BundlePart, newBundle, openBundle, requestKey } from './bundle.ts'
export * from './chain.ts'
export {
  isOfEpoch,
  type MessageFault,
  newViewFault,
  replicaVerifiers,
  unsignedVotesReason,
  type VerifyContext,
} from './checks.ts'
export { SafetyViolation } from './chosen.ts'
export { type CoreConfig, checkpointBytes, type EpochStart, genesisStart, startAfter } from './config.ts'
export * from './digests.ts'
export * from './entry.ts'
export { amnesiaOf, checkpointConflictOf, conflictOf, disobedienceOf, evidenceFault, pastTheEndOf } from './evidence.ts'
export { epochOfEvidence } from './evidence-epoch.ts'
export { forgotten, type HeldStatements, heldOf, type OwnWord, saidInUnknownEpoch, sayings } from './held.ts'
export * from './io.ts'
export { leaseIndex, leaseMs } from './lease.ts'
export * from './limits.ts'
export * from './messages.ts'
export { MUTATIONS, type Mutation } from './mutants.ts'
export { packEntry } from './packed-entry.ts'
export * from './pin.ts'
export { originOf } from './reach.ts'
export { init } from './recover.ts'
export * from './request.ts'
export * from './select.ts'
export { type CoreState, leads, type Phase, startCheckpoint } from './state.ts'
export { type CoreStatus, readIndex, status } from './status.ts'
export { ignoreReason, step } from './step.ts'
export { succeed } from './succeed.ts'
export { requestFault, verifyMessage, verifyRequest } from './verify.ts'
