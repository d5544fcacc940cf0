// The statements that this replica signs in its current view; signed nowhere else than where a record of them is made.

import {
  type Digest,
  type Slot,
  signVote,
  unsignedSigner,
  type Verified,
  type Vote,
  type VoteKind,
  type VoteStatement,
} from '../../crypto/index.ts'
import type { CoreState } from './state.ts'

/** What replicas say to one another; receipts are for clients. */
type InnerKind = Exclude<VoteKind, 'receipt'>

/**
 * A statement of ours in the current view, relying on the NewView that began it; a ViewChange relies on the last NewView that
 * we followed. Receipts rely on no view and are made in stability.ts.
 */
export function ownStatement<Kind extends InnerKind>(
  state: CoreState,
  kind: Kind,
  slot: Slot,
  digest: Digest,
): VoteStatement & { readonly kind: Kind } {
  const { clusterId, digest: membership } = state.config.membership
  return { kind, clusterId, membership, view: state.view, justification: state.justification, slot, digest }
}

/** Our vote for `statement`: signed, unless the genesis leaves votes unsigned. */
export function ownVote(state: CoreState, statement: VoteStatement & { readonly kind: InnerKind }): Verified<Vote> {
  const { self, signer, parameters } = state.config
  return signVote(statement, self, parameters.signedVotes ? signer : unsignedSigner(signer))
}
