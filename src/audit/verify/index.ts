// The only door of src/audit/verify: what an auditor concludes from files alone. Pure; runs in a browser.

export * from './blame.ts'
export * from './bundle.ts'
export {
  checkpointItemFault,
  chosenFault,
  entryItemFault,
  epochOfEvidence,
  evidenceItemFault,
  inclusionFault,
  type LogPosition,
  newViewItemFault,
  noteSigners,
  signersOf,
  stableOf,
  stateItemFault,
  verifyArchivedCheckpoint,
  verifyArchivedReceipt,
  verifyArchivedSlot,
} from './checks.ts'
export * from './context.ts'
export * from './culprits.ts'
export * from './describe.ts'
export * from './fault.ts'
export * from './fencing.ts'
export type { BatchVerifier, SignatureJob } from './gather.ts'
export {
  answerOf,
  type CheckpointItem,
  type EntryItem,
  type EvidenceItem,
  type NewViewItem,
  type ReceiptItem,
  type ResultAnswer,
  type StateItem,
} from './items.ts'
export * from './limits.ts'
export type { ByteSource } from './lines.ts'
export { AUDIT_LEVELS, type AuditLevel, LogWalk, type WalkedCheckpoint } from './log-walk.ts'
export { BUNDLE_FORMAT, type BundleContents } from './records.ts'
export { subtreesOf } from './subtrees.ts'
export { entryTouches } from './touches.ts'
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
