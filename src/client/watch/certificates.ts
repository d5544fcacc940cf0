// Checks the certificates of entries, each once, however many watches see the entry.

import { hex, type Slot, verifyCertificate } from '../../../crypto/index.ts'
import { headerDigest, unsignedVotesReason } from '../../consensus/index.ts'
import type { WatchedSlot } from '../../wire/index.ts'
import type { ClusterView } from '../cluster-view.ts'
import { CHECKED_CERTIFICATES } from '../limits.ts'

export class Certificates {
  private readonly view: ClusterView
  private readonly good = new Map<string, WatchedSlot['certificate']>()

  constructor(view: ClusterView) {
    this.view = view
  }

  /** Whether certificates of the epoch that decided this slot prove anything. */
  provable(slot: Slot): boolean {
    return unsignedVotesReason(this.view.chain.at(slot).charter.parameters) === undefined
  }

  /** Slots may be of other epochs than was thought. */
  moved(): void {
    this.good.clear()
  }

  /** A good certificate of this entry: the given one, or one that was checked before; undefined where the given one is bad. */
  check({ slot, header, certificate }: WatchedSlot): WatchedSlot['certificate'] | undefined {
    const digest = headerDigest(header)
    const name = hex(digest)
    const known = this.good.get(name)
    if (known !== undefined) return known
    const expected = { kind: 'accept', slot, digest } as const
    const { membership, verifier } = this.view.chain.at(slot).verify
    if (!verifyCertificate(certificate, expected, membership, verifier).ok) return undefined
    this.good.set(name, certificate)
    const [oldest] = this.good.keys()
    if (this.good.size > CHECKED_CERTIFICATES && oldest !== undefined) this.good.delete(oldest)
    return certificate
  }
}
