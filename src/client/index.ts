// The only door of src/client: the SDK.

export {
  compareFencing,
  type FencingFacts,
  type FencingFault,
  type FencingOptions,
  verifyFencingToken,
} from '../audit/verify/index.ts'
export { connect } from './connect.ts'
export type { ClientCounter } from './counters.ts'
export { elect, type Leader, type Leadership, leaderOf, observeLeader } from './election.ts'
export { ClientError, type ClientErrorCode } from './errors.ts'
export type { GrantOptions, Lease, Leases } from './leases.ts'
export { type HeldLock, lock } from './lock.ts'
export type { FencingToken, TakeOptions } from './taking.ts'
export * from './types.ts'
export * from './watch/types.ts'
