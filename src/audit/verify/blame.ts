// Who forked the log: from two accept certificates for different entries of one slot, and the NewViews that were kept, the
// signatures that convict. Pure, and every piece of it is evidence that stands alone.
//
// Let d be chosen in view w and d' in a later view v (in one view the same replicas signed two Accepts). Walk through the NewViews
// of the views after w, in order:
//   - one whose selection for the slot is not d lacks the certificate that d's acceptors held. Its q ViewChanges share 2q - n >=
//     b + 1 signers with the acceptors; each of them reports no certificate of view >= w, and so hides one (hidden-prepared), or
//     reports one for another digest;
//   - such a certificate of view w has 2q - n signers in common with the acceptors of d, who prepared one thing and accepted another
//     (two-votes); one of a later view x was signed against the selection of x's NewView, which was d (against-new-view);
//   - if every NewView selects d, the acceptors of d' voted against the one that they name (against-new-view).
// An honest replica never does any of these, so no honest replica is ever named.
// Ref: Sheng et al., "BFT protocol forensics", 2021, on PBFT with proofs of prepared values in the view change.

import { type Certificate, equalBytes, hex, type ReplicaIndex, type Vote } from '../../../crypto/index.ts'
import {
  amnesiaOf,
  conflictOf,
  disobedienceOf,
  type Evidence,
  evidenceFault,
  type NewView,
  newViewFault,
  select,
  type VerifyContext,
} from '../../consensus/index.ts'

export interface Blame {
  /** Each piece convicts its accused on its own. */
  readonly evidence: readonly Evidence[]
  /** Ascending; at least 2q - n >= b + 1 of them where every NewView between the two certificates is at hand. */
  readonly guilty: readonly ReplicaIndex[]
  /** Digests of NewViews that signatures name and that are missing here, in hexadecimal. */
  readonly missing: readonly string[]
}

/**
 * Finds who lied. Requires two verified accept certificates of one slot with different digests; NewViews that do not verify are
 * passed over.
 * @throws {RangeError} where the certificates do not contradict each other.
 */
export function blameFork(
  one: Certificate,
  other: Certificate,
  newViews: readonly NewView[],
  context: VerifyContext,
): Blame {
  const [first, second] = one.statement.view <= other.statement.view ? [one, other] : [other, one]
  if (first.statement.slot !== second.statement.slot || equalBytes(first.statement.digest, second.statement.digest)) {
    throw new RangeError('certificates: expected two of one slot for different digests')
  }
  const search = new Search(
    first,
    newViews.filter((each) => newViewFault(each, context) === undefined),
    context,
  )
  if (first.statement.view === second.statement.view) search.compare(second)
  else search.walk(second)
  return search.result()
}

class Search {
  private readonly first: Certificate
  private readonly byDigest: ReadonlyMap<string, NewView>
  private readonly context: VerifyContext
  private readonly evidence: Evidence[] = []
  private readonly missing = new Set<string>()

  constructor(first: Certificate, newViews: readonly NewView[], context: VerifyContext) {
    this.first = first
    this.byDigest = new Map(newViews.map((each) => [hex(each.vote.statement.digest), each]))
    this.context = context
  }

  /** Signers of both certificates, where one vote excludes the other. */
  compare(certificate: Certificate): void {
    const votes = new Map(votesOf(certificate).map((vote) => [vote.replica, vote]))
    for (const vote of votesOf(this.first)) {
      const opposed = votes.get(vote.replica)
      if (opposed !== undefined) this.add(conflictOf(vote, opposed))
    }
  }

  walk(second: Certificate): void {
    const { view: from } = this.first.statement
    const between = [...this.byDigest.values()]
      .filter((each) => each.view > from && each.view <= second.statement.view)
      .sort((a, b) => a.view - b.view)
    for (const newView of between) this.judge(newView)
    this.obeys(second)
  }

  result(): Blame {
    const sound = this.evidence.filter((each) => evidenceFault(each, this.context) === undefined)
    const guilty = [...new Set(sound.map((each) => each.accused))].sort((a, b) => a - b)
    return { evidence: sound, guilty, missing: [...this.missing] }
  }

  /** The ViewChanges of a NewView whose selection for the slot is not d. */
  private judge(newView: NewView): void {
    const { slot, digest } = this.first.statement
    const { start, values } = select(newView.viewChanges, this.context.membership.epoch)
    const selected = values.find((value) => value.slot === slot)
    if (start.slot >= slot || (selected !== undefined && equalBytes(selected.digest, digest))) return
    const acceptors = new Map(votesOf(this.first).map((vote) => [vote.replica, vote]))
    for (const viewChange of newView.viewChanges) {
      const accept = acceptors.get(viewChange.vote.replica)
      if (accept === undefined) continue
      this.add(amnesiaOf(accept, viewChange))
      const reported = viewChange.prepared.find((certificate) => certificate.statement.slot === slot)
      if (reported !== undefined && !equalBytes(reported.statement.digest, digest)) this.rival(reported)
    }
  }

  /** A prepare certificate for another digest, of view w or later. */
  private rival(certificate: Certificate): void {
    if (certificate.statement.view === this.first.statement.view) this.compare(certificate)
    else if (certificate.statement.view > this.first.statement.view) this.obeys(certificate)
  }

  /** Signers of a certificate against the selection of the NewView that they name. */
  private obeys(certificate: Certificate): void {
    const named = hex(certificate.statement.justification)
    const newView = this.byDigest.get(named)
    if (newView === undefined) {
      this.missing.add(named)
      return
    }
    for (const vote of votesOf(certificate)) this.add(disobedienceOf(vote, newView, this.context.membership.epoch))
  }

  private add(evidence: Evidence | undefined): void {
    if (evidence !== undefined) this.evidence.push(evidence)
  }
}

/** A certificate's signatures as the votes that they are. */
function votesOf({ statement, signatures }: Certificate): Vote[] {
  return signatures.map(({ replica, signature }) => ({ statement, replica, signature }))
}
