// What a core is told once: who it is, who the others are, where its epoch begins, and the parameters of the genesis. A core is of
// one epoch and is thrown away with it.

import {
  checkpointOf,
  checkpointText,
  type Digest,
  EMPTY_ROOT,
  handOverDigest,
  type Membership,
  markVerified,
  type ReplicaIndex,
  type Signer,
  type Slot,
  slot,
  utf8,
  type Verified,
  ZERO_DIGEST,
} from '../../crypto/index.ts'
import type { ProtocolParameters } from './limits.ts'
import type { Message, StableCheckpoint } from './messages.ts'
import type { Mutation } from './mutants.ts'

/** What an epoch begins with: to its slots what slot 0 is to those of the first epoch. */
export interface EpochStart {
  /** The last slot of the epoch before; the slots of this one begin after it. */
  readonly slot: Slot
  /** Root of the log up to that slot. */
  readonly logRoot: Digest
  /** Root of the state after that slot. */
  readonly stateRoot: Digest
  /** Digest of what opened the epoch: what votes in its view 0 rely on. */
  readonly justification: Digest
}

type CheckpointContent = Pick<StableCheckpoint, 'slot' | 'logRoot' | 'stateRoot' | 'next'>

export interface CoreConfig {
  readonly self: ReplicaIndex
  readonly membership: Membership
  /** Part of the origin of checkpoint notes. */
  readonly clusterName: string
  readonly parameters: ProtocolParameters
  /** Holds this replica's consensus key; deterministic. */
  readonly signer: Signer
  readonly start: EpochStart
  /** Defects that a test build switches on so that the checkers can show that they see them; none otherwise. */
  readonly mutations: ReadonlySet<Mutation>
}

/** The start of the first epoch: an empty log, the state of the genesis, and nothing to rely on. */
export function genesisStart(stateRoot: Digest): EpochStart {
  return Object.freeze({ slot: slot(0), logRoot: EMPTY_ROOT, stateRoot, justification: ZERO_DIGEST })
}

/** The start of the epoch to which `membership` handed over with this checkpoint. */
export function startAfter(checkpoint: CheckpointContent, membership: Membership, clusterName: string): EpochStart {
  const { slot: at, logRoot, stateRoot } = checkpoint
  const justification = handOverDigest(checkpointText(checkpointOf(checkpoint, membership, clusterName)))
  return Object.freeze({ slot: at, logRoot, stateRoot, justification })
}

/** The bytes that a replica signs for a checkpoint: the text of its C2SP note. */
export function checkpointBytes(content: CheckpointContent, membership: Membership, clusterName: string): Uint8Array {
  return utf8(checkpointText(checkpointOf(content, membership, clusterName)))
}

/** A part of a message whose signatures were all checked with it. */
export function partOf<Part>(_message: Verified<Message>, part: Part): Verified<Part> {
  return markVerified(part)
}
