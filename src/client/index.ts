// The only door of src/client: the SDK.

export { connect } from './connect.ts'
export type { ClientCounter } from './counters.ts'
export { ClientError, type ClientErrorCode } from './errors.ts'
export * from './types.ts'
export * from './watch/types.ts'
