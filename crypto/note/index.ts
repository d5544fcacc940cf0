// Signed notes (c2sp.org/signed-note), log checkpoints (c2sp.org/tlog-checkpoint), and the checkpoints of a cluster.

export * from './checkpoint.ts'
export * from './key.ts'
export {
  formatNote,
  MAX_NOTE_BYTES,
  MAX_NOTE_SIGNATURES,
  type Note,
  type NoteFault,
  type NoteSignature,
  parseNote,
} from './note.ts'
export * from './stable-checkpoint.ts'
export * from './tree-head.ts'
export { type NotePolicy, type NoteRefusal, type SignedText, signNote, verifyNote } from './verify.ts'
