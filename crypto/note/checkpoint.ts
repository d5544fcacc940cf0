// A cluster's checkpoint: what every replica holds after a slot. Its text, signed by each replica under `<origin>/r<index>`:
//
//   quorate/<cluster name>-<first 8 hex digits of the cluster id>     the origin
//   <slot>                                                            the log's size: one leaf for each slot from 1
//   <log root, base64>                                                RFC 6962 root of the entries 1 to slot
//   state <state root, base64>
//   epoch <epoch> <membership digest, base64>
//   next <epoch + 1> <membership digest of that, base64>              only where the epoch ends with this slot
//
// Signed by a quorum, one with the last line is the hand-over to the next epoch.
// All replicas sign the same bytes, so nothing of one replica or of one view is in them. The extension lines are covered by
// the plain Ed25519 signatures. Any text begins with "quorate/", no vote does (pitfall P37).
// Ref: c2sp.org/tlog-checkpoint.

import { type Digest, type Epoch, epoch, type Slot, slot } from '../brands.ts'
import { base64, equalBytes, hex, utf8 } from '../bytes.ts'
import { sha256Of } from '../digest.ts'
import type { Membership } from '../membership.ts'
import { failure, type Result, success } from '../result.ts'
import { isKeyName, type NoteKey, noteKey } from './key.ts'
import { fromDecimal } from './text.ts'
import { digestFromBase64, parseTreeHead, type TreeHeadFault, treeHeadText } from './tree-head.ts'

/** What a replica holds after a slot. */
export interface CheckpointContent {
  readonly slot: Slot
  /** The root of the log up to `slot`; {@link EMPTY_ROOT} for slot 0. */
  readonly logRoot: Digest
  readonly stateRoot: Digest
  /** The digest of the next epoch's membership, where `slot` is the last of this one. */
  readonly next?: Digest | undefined
}

export interface Checkpoint extends CheckpointContent {
  readonly origin: string
  readonly epoch: Epoch
  /** The digest of the epoch's membership, whose members sign. */
  readonly membership: Digest
  readonly next: Digest | undefined
}

export type CheckpointFault =
  | TreeHeadFault
  | { readonly code: 'bad-extension' }
  | { readonly code: 'wrong-origin'; readonly origin: string }
  | { readonly code: 'wrong-epoch'; readonly epoch: Epoch }
  | { readonly code: 'wrong-membership' }

const HAND_OVER_DOMAIN = utf8('\x1equorate-hand-over-v1')

/** The origin of a cluster's checkpoints. @throws {RangeError} where the name has a space, a '+' or a control character. */
export function checkpointOrigin(clusterName: string, clusterId: Digest): string {
  if (!isKeyName(clusterName)) {
    throw new RangeError(
      `cluster name: expected no space, '+' or control character, got ${JSON.stringify(clusterName)}`,
    )
  }
  return `quorate/${clusterName}-${hex(clusterId).slice(0, 8)}`
}

/** The keys under which the members sign checkpoints, in the order of their indexes. @throws {RangeError} as above. */
export function checkpointKeys(membership: Membership, clusterName: string): NoteKey[] {
  const origin = checkpointOrigin(clusterName, membership.clusterId)
  return membership.members.map((member, i) => noteKey(`${origin}/r${i}`, member.consensusKey))
}

/** The checkpoint that a member of `membership` signs for what it holds. @throws {RangeError} as above. */
export function checkpointOf(content: CheckpointContent, membership: Membership, clusterName: string): Checkpoint {
  const { slot, logRoot, stateRoot, next } = content
  const origin = checkpointOrigin(clusterName, membership.clusterId)
  return { origin, slot, logRoot, stateRoot, epoch: membership.epoch, membership: membership.digest, next }
}

/**
 * The text to sign, ending with a line feed.
 * @throws {RangeError} for slot 0 with a root other than the empty log's, and for one after the last epoch that has a number.
 */
export function checkpointText(checkpoint: Checkpoint): string {
  const { origin, slot, logRoot, stateRoot, epoch: of, membership, next } = checkpoint
  const extensions = [`state ${base64(stateRoot)}`, `epoch ${of} ${base64(membership)}`]
  if (next !== undefined) extensions.push(`next ${epoch(of + 1)} ${base64(next)}`)
  return treeHeadText({ origin, size: slot, root: logRoot, extensions })
}

/** The checkpoint in the text of a note; {@link checkpointText} gives the same text back. Whose it is, is not judged. */
export function parseCheckpoint(text: string): Result<Checkpoint, CheckpointFault> {
  const head = parseTreeHead(text)
  if (!head.ok) return head
  const { origin, size, root, extensions } = head.value
  const [, state = ''] = /^state (\S+)$/.exec(extensions[0] ?? '') ?? []
  const [, decimal = '', members = ''] = /^epoch (\S+) (\S+)$/.exec(extensions[1] ?? '') ?? []
  const stateRoot = digestFromBase64(state)
  const epochNumber = fromDecimal(decimal)
  const membership = digestFromBase64(members)
  if (extensions.length < 2 || stateRoot === undefined || epochNumber === undefined || membership === undefined) {
    return failure({ code: 'bad-extension' })
  }
  const next = extensions.length === 2 ? undefined : nextOf(extensions.slice(2), epochNumber)
  if (next === undefined && extensions.length > 2) return failure({ code: 'bad-extension' })
  return success({ origin, slot: slot(size), logRoot: root, stateRoot, epoch: epoch(epochNumber), membership, next })
}

/** What the lines after the epoch's say, where they are exactly the one that {@link checkpointText} writes. */
function nextOf(lines: readonly string[], before: number): Digest | undefined {
  const [, decimal = '', members = ''] = /^next (\S+) (\S+)$/.exec(lines[0] ?? '') ?? []
  return lines.length === 1 && fromDecimal(decimal) === before + 1 ? digestFromBase64(members) : undefined
}

/**
 * What names a hand-over: of the text and not of the note, since another quorum's signatures make another note. The next
 * epoch's first view is justified by it, and a pin holds it.
 */
export function handOverDigest(text: string): Digest {
  return sha256Of(HAND_OVER_DOMAIN, utf8(text))
}

/** What keeps `checkpoint` from being one of this cluster and membership; undefined where nothing does. */
export function checkpointFault(
  checkpoint: Checkpoint,
  membership: Membership,
  clusterName: string,
): CheckpointFault | undefined {
  const { origin, epoch } = checkpoint
  if (origin !== checkpointOrigin(clusterName, membership.clusterId)) return { code: 'wrong-origin', origin }
  if (epoch !== membership.epoch) return { code: 'wrong-epoch', epoch }
  if (!equalBytes(checkpoint.membership, membership.digest)) return { code: 'wrong-membership' }
  return undefined
}
