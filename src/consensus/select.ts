// The value selection of a NewView: the one function that leader, followers and auditors run alike (pitfalls P09-P13).
//
//   N1  start     = the highest stable checkpoint among the q ViewChanges
//   N2  a slot above start with a prepare certificate gets the digest of the one with the highest view
//   N3  a slot above start without one, below the last with one, gets the no-op
//   N4  nothing is proposed above the last slot with a certificate
//
// Why it is safe: were d chosen at slot s in view w, q replicas sent Accept(w, s, d), each holding a prepare certificate for d of
// view >= w ever after. Any q ViewChanges for a later view share an honest replica with those q, so N2 sees a certificate of view
// >= w at s, unless a stable checkpoint covers s. By induction over views no certificate of a view above w names another digest.
// Ref: Castro and Liskov 1999, section 4.4; Lamport, "Byzantizing Paxos by refinement", 2011.

import { type Certificate, type Digest, type Epoch, equalBytes, type Slot, slot } from '../../crypto/index.ts'
import { noopEntry } from './entry.ts'
import type { StableCheckpoint, ViewChange } from './messages.ts'

export interface Selection {
  readonly start: StableCheckpoint
  /** For every slot from start + 1 to the last with a certificate, ascending. */
  readonly values: readonly SelectedValue[]
}

export interface SelectedValue {
  readonly slot: Slot
  readonly digest: Digest
  /** The certificate that the digest was taken from; none for a no-op. */
  readonly certificate: Certificate | undefined
}

/** What a test build may get wrong on purpose. */
export type SelectionDefect = 'skip-prepared' | 'first-certificate' | 'noop-over-certificate'

/**
 * The values that `viewChanges` justify. Requires that each was verified and that they come from distinct replicas; says nothing
 * about whether they are enough.
 */
export function select(viewChanges: readonly ViewChange[], epoch: Epoch, defect?: SelectionDefect): Selection {
  const start = highestStable(viewChanges)
  const best = new Map<number, Certificate>()
  for (const { prepared } of viewChanges) {
    for (const certificate of defect === 'skip-prepared' ? [] : prepared) {
      const { slot: at, view } = certificate.statement
      if (at <= start.slot) continue
      const known = best.get(at)
      const better = known === undefined || (defect !== 'first-certificate' && view > known.statement.view)
      if (better) best.set(at, certificate)
    }
  }
  const last = Math.max(start.slot, ...best.keys())
  const values: SelectedValue[] = []
  for (let at = start.slot + 1; at <= last; at++) {
    const certificate = defect === 'noop-over-certificate' && at < last ? undefined : best.get(at)
    const digest = certificate?.statement.digest ?? noopEntry(slot(at), epoch).digest
    values.push({ slot: slot(at), digest, certificate })
  }
  return { start, values }
}

/**
 * Two prepare certificates of one view and slot for different digests: possible only where more than b replicas lied, and then the
 * proof against those who signed both.
 */
export function conflictingCertificates(
  viewChanges: readonly ViewChange[],
): readonly [Certificate, Certificate] | undefined {
  const seen = new Map<string, Certificate>()
  for (const certificate of viewChanges.flatMap(({ prepared }) => prepared)) {
    const key = `${certificate.statement.view}/${certificate.statement.slot}`
    const known = seen.get(key)
    if (known !== undefined && !equalBytes(known.statement.digest, certificate.statement.digest))
      return [known, certificate]
    seen.set(key, certificate)
  }
  return undefined
}

function highestStable(viewChanges: readonly ViewChange[]): StableCheckpoint {
  const [first, ...rest] = viewChanges
  if (first === undefined) throw new RangeError('view changes: expected at least one, got none')
  return rest.reduce((best, { stable }) => (stable.slot > best.slot ? stable : best), first.stable)
}
