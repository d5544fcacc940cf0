// Small things for tests of watches.

import type { Membership } from '../../crypto/index.ts'
import { type Certificate, replicaIndex, signVote, view, ZERO_DIGEST } from '../../crypto/index.ts'
import type { Entry } from '../../src/consensus/index.ts'
import { signerNamed } from '../keys/sample.ts'

/** An accept certificate for `entry`: of those named, or of nobody, for tests that do not look at it. */
export function certificateOf(
  { header, digest }: Entry,
  { clusterId, digest: membership }: Pick<Membership, 'clusterId' | 'digest'> = {
    clusterId: ZERO_DIGEST,
    digest: ZERO_DIGEST,
  },
  signers: readonly number[] = [],
  keyAt: (position: number) => number = (position) => position,
): Certificate {
  const statement = {
    ...({ kind: 'accept', clusterId, membership, view: view(0), justification: ZERO_DIGEST } as const),
    ...{ slot: header.slot, digest },
  }
  const signatures = signers.map((index) => {
    const { replica, signature } = signVote(statement, replicaIndex(index), signerNamed(`consensus ${keyAt(index)}`))
    return { replica, signature }
  })
  return { statement, signatures }
}
