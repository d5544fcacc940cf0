// What keys sign that are listed after the genesis, so that nobody can list somebody else's as theirs.
//
// A member's keys sign for the membership that the change begins from, so that what was signed once is of no use later; a
// client's signs for the cluster, since clients are no matter of an epoch. A position is not signed for, unlike in a genesis:
// those who join with one change make ready without knowing of one another.

import { type Digest, type PublicKey, sha256, sha256Of, statementBytes, utf8 } from '../../crypto/index.ts'

const MEMBER_DOMAIN = utf8('\x1equorate-member-key-v1')
const CLIENT_DOMAIN = utf8('\x1equorate-client-key-v1')

/** A change's cluster and the digest of the membership in office. */
export interface ChangeBase {
  readonly clusterId: Digest
  readonly membership: Digest
}

/** The bytes that a key of a new member signs to prove that it is held. */
export function memberPossessionBytes(
  purpose: 'consensus' | 'transport',
  key: PublicKey,
  { clusterId, membership }: ChangeBase,
): Uint8Array {
  const binding = sha256Of(MEMBER_DOMAIN, clusterId, membership)
  return statementBytes({ kind: 'possession', purpose, binding, index: 0, key })
}

/** The bytes that the key of a new client signs to prove that it is held. */
export function clientPossessionBytes(key: PublicKey, clusterId: Digest): Uint8Array {
  const binding = sha256Of(CLIENT_DOMAIN, clusterId)
  return statementBytes({ kind: 'possession', purpose: 'client', binding, index: 0, key })
}

/**
 * The bytes that a new member's consensus key signs to say that it holds the state of a checkpoint: of this text, or of the
 * genesis where there is none yet.
 */
export function joinBytes(key: PublicKey, base: ChangeBase, checkpointText: string): Uint8Array {
  return statementBytes({ kind: 'join', ...base, key, checkpoint: sha256(utf8(checkpointText)) })
}
