// Which epoch a proof of a lie is of (M11): it is judged by the keys and rules of that one, whoever is a member when it is shown.

import type { Digest, Slot } from '../../crypto/index.ts'
import type { EpochChain, EpochContext } from './chain.ts'
import type { Evidence } from './messages.ts'

/** The epoch whose membership the votes in it name, or whose slot the earliest of its notes is about. */
export function epochOfEvidence(evidence: Evidence, chain: EpochChain): EpochContext {
  const { membership, slot } = saidIn(evidence)
  return (membership && chain.of(membership)) ?? chain.at(slot)
}

function saidIn(evidence: Evidence): { readonly membership?: Digest; readonly slot: Slot } {
  switch (evidence.kind) {
    case 'two-votes':
      return evidence.first.statement
    case 'two-checkpoints':
      return evidence.first.slot < evidence.second.slot ? { slot: evidence.first.slot } : { slot: evidence.second.slot }
    case 'hidden-prepared':
      return evidence.accept.statement
    case 'against-new-view':
      return evidence.vote.statement
    case 'wrong-receipt':
      return evidence.receipt.statement
    case 'past-the-end':
      return evidence.late.kind === 'vote' ? evidence.late.vote.statement : { slot: evidence.end.slot }
  }
}
