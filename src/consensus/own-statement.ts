// The statements that this replica signs in its current view; signed nowhere else than where a record of them is made.

import type { Digest, Slot, VoteKind, VoteStatement } from '../../crypto/index.ts'
import type { CoreState } from './state.ts'

/**
 * A statement of ours in the current view, relying on the NewView that began it; a ViewChange relies on the last NewView that
 * we followed. Receipts rely on no view and are made in stability.ts.
 */
export function ownStatement<Kind extends Exclude<VoteKind, 'receipt'>>(
  state: CoreState,
  kind: Kind,
  slot: Slot,
  digest: Digest,
): VoteStatement & { readonly kind: Kind } {
  const { clusterId, digest: membership } = state.config.membership
  return { kind, clusterId, membership, view: state.view, justification: state.justification, slot, digest }
}
