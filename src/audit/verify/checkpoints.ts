// The checks on checkpoints: a note as other tools read it, at a slot where this cluster makes one, by the epoch whose slot that is.

import {
  checkpointKeys,
  type Digest,
  equalBytes,
  frontierRoot,
  parseCheckpoint,
  parseNote,
  type ReplicaIndex,
  replicaIndex,
  SIGNATURE_BYTES,
  signature,
  utf8,
  verifyConsistency,
  verifyStableCheckpoint,
} from '../../../crypto/index.ts'
import { type EpochContext, type StableCheckpoint, verifyMessage } from '../../consensus/index.ts'
import type { ArchivedCheckpoint } from '../../wire/index.ts'
import type { CheckContext } from './context.ts'
import { type AuditFault, fault } from './fault.ts'
import type { CheckpointItem } from './items.ts'

/** A checkpoint as entries are held against it. */
export interface LogPosition {
  readonly slot: number
  readonly logRoot: Digest
}

/** A checkpoint note as other tools read it, at a slot where this cluster makes one, and the frontier of its log. */
export function checkpointItemFault(item: CheckpointItem, context: CheckContext): AuditFault | undefined {
  const { note, frontier, consistency } = item
  const { membership, clusterName, verifier } = epochOfNote(note, context).verify
  const checked = verifyStableCheckpoint(utf8(note), membership, clusterName, verifier)
  if (!checked.ok) return fault('checkpoint', checked.fault.code, `the checkpoint note is bad: ${checked.fault.code}`)
  const stable = stableOf(note, checked.value.signers)
  if (stable === undefined) return fault('checkpoint', 'malformed', 'the checkpoint note is malformed')
  return (
    endFault(stable, context) ??
    stableFault(stable, context) ??
    frontierFault(frontier, stable) ??
    consistencyFault(stable, consistency, context)
  )
}

/** The epoch ends with the slot of this note if and only if the note is the hand-over that the chain has. */
function endFault(
  { slot, logRoot, stateRoot, next }: StableCheckpoint,
  { chain }: CheckContext,
): AuditFault | undefined {
  const after = chain.after(slot)
  if (after === undefined && next === undefined) return undefined
  if (after === undefined) {
    return fault('checkpoint', 'epoch-ended', 'the checkpoint note ends the epoch, and the bundle names none after it')
  }
  const { start, membership } = after
  const same =
    next !== undefined &&
    equalBytes(next, membership.digest) &&
    equalBytes(logRoot, start.logRoot) &&
    equalBytes(stateRoot, start.stateRoot)
  return same
    ? undefined
    : fault('checkpoint', 'other-hand-over', 'the checkpoint note is not the one that handed over to the next epoch')
}

/** That the log of the checkpoint is a beginning of the one that the last epoch began with. */
function consistencyFault(
  { slot, logRoot }: LogPosition,
  proof: readonly Digest[] | undefined,
  { chain }: CheckContext,
): AuditFault | undefined {
  if (proof === undefined) return undefined
  const { slot: newSize, logRoot: newRoot } = chain.last.start
  if (slot >= newSize) {
    return fault(
      'checkpoint',
      'needless-proof',
      'it is not below the last epoch, and has a proof that its log leads there',
    )
  }
  return verifyConsistency({ oldSize: slot, oldRoot: logRoot, newSize, newRoot }, proof)
    ? undefined
    : fault(
        'checkpoint',
        'not-in-log',
        `its log does not lead to that of slot ${newSize}, with which the last epoch began`,
      )
}

/** What a note of verified signers says, in the form of src/consensus. */
export function stableOf(note: string, signers: readonly ReplicaIndex[]): StableCheckpoint | undefined {
  const parsed = parseNote(utf8(note))
  const content = parsed.ok ? parseCheckpoint(parsed.value.text) : parsed
  if (!parsed.ok || !content.ok) return undefined
  const { slot, logRoot, stateRoot, next } = content.value
  const signatures = parsed.value.signatures.flatMap(({ signature: bytes }, i) => {
    const replica = signers[i]
    return replica === undefined || bytes.length !== SIGNATURE_BYTES ? [] : [{ replica, signature: signature(bytes) }]
  })
  return { slot, logRoot, stateRoot, next, signatures }
}

/** The epoch whose slot the note is about; the last one where it is about none. */
function epochOfNote(note: string, { chain }: CheckContext): EpochContext {
  const parsed = parseNote(utf8(note))
  const content = parsed.ok ? parseCheckpoint(parsed.value.text) : parsed
  return content.ok ? chain.at(content.value.slot) : chain.last
}

/** The members that a verified note's lines name, ascending. */
export function noteSigners(note: string, context: CheckContext): ReplicaIndex[] {
  const { membership, clusterName } = epochOfNote(note, context).verify
  const parsed = parseNote(utf8(note))
  const names = parsed.ok ? parsed.value.signatures.map(({ name }) => name) : []
  const keys = checkpointKeys(membership, clusterName).map(({ name }) => name)
  return names.flatMap((name) => (keys.includes(name) ? [replicaIndex(keys.indexOf(name))] : []))
}

/** A stable checkpoint and the frontier of the log under its root. */
export function verifyArchivedCheckpoint(
  { checkpoint, frontier }: ArchivedCheckpoint,
  context: CheckContext,
): AuditFault | undefined {
  return stableFault(checkpoint, context) ?? frontierFault(frontier, checkpoint)
}

function stableFault(checkpoint: ArchivedCheckpoint['checkpoint'], context: CheckContext): AuditFault | undefined {
  const { verify } = context.chain.at(checkpoint.slot)
  const checked = verifyMessage({ kind: 'stable', checkpoint }, verify)
  if (checked.ok) return undefined
  const { code } = checked.fault
  return fault('checkpoint', code, `the checkpoint of slot ${checkpoint.slot} is bad: ${code}`)
}

function frontierFault(frontier: ArchivedCheckpoint['frontier'], { slot, logRoot }: LogPosition) {
  return frontier.size === slot && equalBytes(frontierRoot(frontier), logRoot)
    ? undefined
    : fault('checkpoint', 'wrong-frontier', `the frontier is not that of the log of checkpoint ${slot}`)
}
