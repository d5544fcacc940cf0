// Members, clients and admins as part of the state, and the commands that change them.

export { decodeSystemAnswer, encodeSystemAnswer, type SystemAnswer } from './answer.ts'
export {
  type ChangeCommand,
  type ClientCommand,
  type Edit,
  isSystemCommand,
  type NewMember,
  SYSTEM_TAG,
  type SystemCommand,
} from './command.ts'
export { decodeSystemCommand, encodeSystemCommand } from './command-codec.ts'
export * from './limits.ts'
export { proposalId } from './proposals.ts'
export {
  addressesStateKey,
  CHARTER_STATE_KEY,
  decodeAddresses,
  type Founding,
  foundingOf,
  MembershipRecords,
} from './records.ts'
export type { Refusal } from './refusal.ts'
export { SystemCommands } from './system.ts'
