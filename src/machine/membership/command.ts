// Commands of the system, as the bytes of a request's command: they change who is a member, a client or an admin. They begin
// with a tag that no machine's command may begin with, and never reach the machine.

import { type Digest, equalBytes, type MemberId, type PublicKey, type Signature, utf8 } from '../../../crypto/index.ts'
import type { Parameters } from '../../../keys/genesis/index.ts'
import type { Role } from '../clients.ts'

/** First bytes of every such command. */
export const SYSTEM_TAG = utf8('\x1equorate-command-v1')

export interface NewMember {
  readonly consensusKey: PublicKey
  readonly transportKey: PublicKey
  /** The client who may replace it and its keys without the admins. */
  readonly operator: PublicKey | undefined
  readonly addresses: readonly string[]
  /** Signatures of the two keys on `memberPossessionBytes`. */
  readonly possession: { readonly consensus: Signature; readonly transport: Signature }
  /** The note of the stable checkpoint whose state it holds; empty for the state of the genesis. */
  readonly held: Uint8Array
  /** Signature of the consensus key on `joinBytes`. */
  readonly joined: Signature
}

/** One thing that a change does; those of a change are done one after another, and all or none. */
export type Edit =
  | { readonly op: 'add'; readonly member: NewMember }
  /** Closes the gap: the others keep their order. */
  | { readonly op: 'remove'; readonly id: MemberId }
  /** Another member at the same position. */
  | { readonly op: 'replace'; readonly id: MemberId; readonly member: NewMember }
  | {
      readonly op: 'rotate-key'
      readonly id: MemberId
      readonly consensusKey: PublicKey
      /** Of the new key, on `memberPossessionBytes`. */
      readonly possession: Signature
    }
  | { readonly op: 'operator'; readonly id: MemberId; readonly key: PublicKey | undefined }

/** What the next epoch is to be. What is undefined stays as it is. */
export interface ChangeCommand {
  readonly kind: 'change'
  /** The digest of the membership in office: compare and set, so that no two changes stack by accident. */
  readonly base: Digest
  readonly edits: readonly Edit[]
  readonly quorum: { readonly byzantine: number; readonly crash: number } | undefined
  readonly parameters: Parameters | undefined
  /** How many admins must agree from then on. */
  readonly threshold: number | undefined
}

export interface ClientCommand {
  readonly kind: 'client'
  readonly edit:
    | {
        readonly op: 'add'
        readonly name: string
        readonly key: PublicKey
        readonly role: Role
        /** On `clientPossessionBytes`. */
        readonly possession: Signature
      }
    | { readonly op: 'remove'; readonly key: PublicKey }
    | { readonly op: 'role'; readonly key: PublicKey; readonly role: Role }
}

export type SystemCommand =
  | ChangeCommand
  | ClientCommand
  /** The proposal is named by the leaf hash of the command that opened it. */
  | { readonly kind: 'approve' | 'withdraw'; readonly proposal: Digest }
  | { readonly kind: 'addresses'; readonly member: MemberId; readonly addresses: readonly string[] }

/** True where the command is the system's, well-formed or not. */
export function isSystemCommand(command: Uint8Array): boolean {
  return command[0] === SYSTEM_TAG[0] && equalBytes(command.subarray(0, SYSTEM_TAG.length), SYSTEM_TAG)
}
