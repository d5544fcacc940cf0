// The only door of src/audit/verify: what an auditor concludes from files alone. Pure; runs in a browser.

// What a reader of bundles of several epochs trusts, besides the genesis.
export { EpochChain, formatPin, type Pin, parsePin } from '../../consensus/index.ts'
export * from './blame.ts'
export * from './bundle.ts'
export {
  checkpointItemFault,
  type LogPosition,
  noteSigners,
  stableOf,
  verifyArchivedCheckpoint,
} from './checkpoints.ts'
export {
  chosenFault,
  entryItemFault,
  evidenceItemFault,
  idsOf,
  inclusionFault,
  newViewItemFault,
  signersOf,
  stateItemFault,
  verifyArchivedReceipt,
  verifyArchivedSlot,
} from './checks.ts'
export * from './context.ts'
export * from './culprits.ts'
export * from './describe.ts'
export type { Doubt, EpochTrust, Standing } from './epochs.ts'
export * from './fault.ts'
export * from './fencing.ts'
export type { BatchVerifier, SignatureJob } from './gather.ts'
export {
  answerOf,
  type CheckpointItem,
  type EntryItem,
  type EpochItem,
  type EvidenceItem,
  type NewViewItem,
  type ReceiptItem,
  type ResultAnswer,
  type StateItem,
} from './items.ts'
export * from './limits.ts'
export type { ByteSource } from './lines.ts'
export { AUDIT_LEVELS, type AuditLevel, LogWalk, type WalkedCheckpoint } from './log-walk.ts'
export { BUNDLE_FORMAT, type BundleContents, EPOCHS_BUNDLE_FORMAT } from './records.ts'
export { subtreesOf } from './subtrees.ts'
export { entryTouches } from './touches.ts'
export type { AuditOptions, AuditSummary, AuditVerdict } from './verdicts.ts'
export {
  type BundleEntry,
  type BundleReceipt,
  type BundleState,
  BundleWriter,
  encodeReceiptFile,
  encodeStateFile,
  evidenceName,
  newViewName,
} from './write.ts'
