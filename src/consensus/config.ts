// What a core is told once: who it is, who the others are, and the parameters of the genesis.

import {
  checkpointOf,
  checkpointText,
  type Digest,
  type Membership,
  markVerified,
  type ReplicaIndex,
  type Signer,
  type Slot,
  utf8,
  type Verified,
} from '../../crypto/index.ts'
import type { ProtocolParameters } from './limits.ts'
import type { Message } from './messages.ts'
import type { Mutation } from './mutants.ts'

export interface CoreConfig {
  readonly self: ReplicaIndex
  readonly membership: Membership
  /** Part of the origin of checkpoint notes. */
  readonly clusterName: string
  readonly parameters: ProtocolParameters
  /** Holds this replica's consensus key; deterministic. */
  readonly signer: Signer
  /** Root of the state before the first entry: what slot 0 stands for. */
  readonly genesisStateRoot: Digest
  /** Defects that a test build switches on so that the checkers can show that they see them; none otherwise. */
  readonly mutations: ReadonlySet<Mutation>
}

/** The bytes that a replica signs for a checkpoint: the text of its C2SP note. */
export function checkpointBytes(
  content: { readonly slot: Slot; readonly logRoot: Digest; readonly stateRoot: Digest },
  membership: Membership,
  clusterName: string,
): Uint8Array {
  return utf8(checkpointText(checkpointOf(content, membership, clusterName)))
}

/** A part of a message whose signatures were all checked with it. */
export function partOf<Part>(_message: Verified<Message>, part: Part): Verified<Part> {
  return markVerified(part)
}
