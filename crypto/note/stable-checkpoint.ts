// A stable checkpoint: a note with exactly q signature lines, one for each of q members in the order of their indexes. A
// quorum holds what it says, so the log below it may go, and a replica that lags may start from it.
//
// Exactly q, each verified before it goes in, because existing tools refuse a note in which one known key's line is bad: one
// liar's line would spoil the note for all of them. Exactly q and in order also leaves nobody a line to add, drop or move:
// given who signed, the note has one form. With a witness's cosignature appended it is a note for other tools, not for us.

import { type ReplicaIndex, replicaIndex, type Verified } from '../brands.ts'
import { copyOf, utf8 } from '../bytes.ts'
import type { CertificateSignature } from '../certificate.ts'
import type { SignatureVerifier } from '../ed25519.ts'
import type { Membership } from '../membership.ts'
import { failure, type Result, success } from '../result.ts'
import { markVerified } from '../verified.ts'
import {
  type Checkpoint,
  type CheckpointContent,
  type CheckpointFault,
  checkpointFault,
  checkpointKeys,
  checkpointOf,
  checkpointText,
  parseCheckpoint,
} from './checkpoint.ts'
import { formatNote, type NoteSignature, parseNote } from './note.ts'
import { keyTable, type NoteRefusal, verifySignatures } from './verify.ts'

export interface StableCheckpoint {
  readonly checkpoint: Checkpoint
  /** The members that signed, ascending; q of them. */
  readonly signers: readonly ReplicaIndex[]
  /** The whole note. To name a checkpoint hash its text instead: another quorum's signatures make another note. */
  readonly note: Uint8Array
}

export type StableCheckpointFault =
  | NoteRefusal
  | CheckpointFault
  | { readonly code: 'wrong-number-of-lines'; readonly have: number; readonly need: number }
  | { readonly code: 'unsorted-signers' }

export interface Assembled {
  readonly stable: Verified<StableCheckpoint>
  /** Looked at and not the named member's on this text, so they did not go in. */
  readonly rejected: readonly CertificateSignature[]
}

export interface NotYetStable {
  readonly code: 'too-few-signers'
  readonly have: number
  readonly need: number
  readonly rejected: readonly CertificateSignature[]
}

/**
 * The stable checkpoint for `content` out of members' signatures: those of the q lowest indexes that are good. Signatures
 * beyond the quorum are not looked at.
 * @throws {RangeError} where `clusterName` is no key name, or slot 0 has a root other than the empty log's.
 */
export function assembleStableCheckpoint(
  content: CheckpointContent,
  signatures: readonly CertificateSignature[],
  membership: Membership,
  clusterName: string,
  verifier: SignatureVerifier,
): Result<Assembled, NotYetStable> {
  const checkpoint = checkpointOf(content, membership, clusterName)
  const text = checkpointText(checkpoint)
  const message = utf8(text)
  const keys = checkpointKeys(membership, clusterName)
  const need = membership.quorums.quorum
  const lines = new Map<ReplicaIndex, NoteSignature>()
  const rejected: CertificateSignature[] = []
  for (const candidate of [...signatures].sort((a, b) => a.replica - b.replica)) {
    if (lines.size === need) break
    if (lines.has(candidate.replica)) continue
    const key = keys[candidate.replica]
    if (key === undefined || !verifier.verify(key.publicKey, message, candidate.signature)) rejected.push(candidate)
    else lines.set(candidate.replica, { name: key.name, id: key.id, signature: candidate.signature })
  }
  if (lines.size < need) return failure({ code: 'too-few-signers', have: lines.size, need, rejected })
  const note = formatNote({ text, signatures: [...lines.values()] })
  return success({ stable: markVerified({ checkpoint, signers: [...lines.keys()], note }), rejected })
}

/**
 * The stable checkpoint in `noteBytes`: of this cluster, epoch and membership, signed by exactly q members, in order. A fault
 * says what is wrong otherwise; the cheap checks come first, and no more than q signatures are checked.
 * @throws {RangeError} where `clusterName` is no key name.
 */
export function verifyStableCheckpoint(
  noteBytes: Uint8Array,
  membership: Membership,
  clusterName: string,
  verifier: SignatureVerifier,
): Result<Verified<StableCheckpoint>, StableCheckpointFault> {
  const need = membership.quorums.quorum
  const keys = checkpointKeys(membership, clusterName)
  const note = parseNote(noteBytes)
  if (!note.ok) return note
  const checkpoint = parseCheckpoint(note.value.text)
  if (!checkpoint.ok) return checkpoint
  const fault = checkpointFault(checkpoint.value, membership, clusterName)
  if (fault !== undefined) return failure(fault)
  const have = note.value.signatures.length
  if (have !== need) return failure({ code: 'wrong-number-of-lines', have, need })

  const signed = verifySignatures(note.value, keyTable({ keys, threshold: need }), need, verifier)
  if (!signed.ok) return signed
  const signers = signed.value.signers.map((key) => replicaIndex(keys.indexOf(key)))
  if (signers.some((signer, i) => i > 0 && signer < (signers[i - 1] ?? 0))) return failure({ code: 'unsorted-signers' })
  return success(markVerified({ checkpoint: checkpoint.value, signers, note: copyOf(noteBytes) }))
}
