// The only door of src/machine/: replicated state machines, pure and deterministic. See README.md.

export * from './authenticated-map/index.ts'
export type { Client, Role } from './clients.ts'
export * from './counter.ts'
export * from './execution.ts'
export * from './executor.ts'
export { machineStateKey, SESSION_SPACE } from './keyspace.ts'
export * from './kv/index.ts'
export * from './limits.ts'
export {
  addressesStateKey,
  CHARTER_STATE_KEY,
  type ChangeCommand,
  type ClientCommand,
  decodeAddresses,
  decodeSystemAnswer,
  decodeSystemCommand,
  type Edit,
  encodeSystemAnswer,
  encodeSystemCommand,
  type Founding,
  isSystemCommand,
  MAX_HELD_BYTES,
  MAX_MEMBER_ADDRESSES,
  type NewMember,
  proposalId,
  type Refusal,
  SYSTEM_TAG,
  type SystemAnswer,
  type SystemCommand,
} from './membership/index.ts'
export { decodePosition, POSITION_STATE_KEY, type StatePosition } from './position.ts'
export * from './result-record.ts'
export * from './state-machine.ts'
export * from './state-proof.ts'
export { changeBytes, type StateChange } from './transaction.ts'
