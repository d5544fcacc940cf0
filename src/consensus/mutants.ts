// Deliberate defects of a test build, each a bug that a system of this kind has really had. The simulator must catch every one
// (`npm run mutants`): that is how we know that it sees. A shipped replica has none: its set is empty.

import {
  type Certificate,
  certificateThreshold,
  type Membership,
  type SignatureVerifier,
  statementBytes,
  view,
} from '../../crypto/index.ts'

export type Mutation =
  /** q - 1 votes decide (pitfall P01). */
  | 'quorum-one-short'
  /** A NewView carries nothing over. */
  | 'skip-prepared'
  /** A NewView takes the first certificate that it sees, not the one with the highest view (P10). */
  | 'first-certificate'
  /** A NewView fills with a no-op where there is a certificate (P11). */
  | 'noop-over-certificate'
  /** A certificate may name a signer twice (P06). */
  | 'count-duplicate-signer'
  /** A certificate's votes may be of an earlier view than it claims (P03). */
  | 'ignore-view'
  /** A certificate may be of another cluster or membership (P05). */
  | 'ignore-membership'
  /** Messages leave before their records are durable (P27). */
  | 'send-before-durable'
  /** t notes make a checkpoint stable and free memory (P56). */
  | 'collect-garbage-at-trust'
  /** A ViewChange is sent once (P15). */
  | 'no-view-change-resend'
  /** Who has sent an Accept stays in its view (P16). */
  | 'accept-blocks-view-change'
  /** Prepare certificates are not remembered (P08). */
  | 'forget-prepared'
  /** Time stands still while nobody asks for anything: what is due never happens (E1). */
  | 'no-clock-entries'
  /** Slots are voted for that may be after the last one of the epoch (M1, P60). */
  | 'vote-past-the-end'
  /** View and promises of an epoch go on in the next one (P60). */
  | 'carry-votes-over'
  /** t notes hand an epoch over (P60). */
  | 'hand-over-at-trust'
  /** An epoch is handed over by the members of the next one (P60). */
  | 'self-admission'
  /** Crash mode: a leader reads alone though its lease is over (P45). */
  | 'lease-without-end'
  /** Crash mode: who promised a lease leaves all the same (A4). */
  | 'break-lease-promise'

export const MUTATIONS: readonly Mutation[] = [
  'quorum-one-short',
  'skip-prepared',
  'first-certificate',
  'noop-over-certificate',
  'count-duplicate-signer',
  'ignore-view',
  'ignore-membership',
  'send-before-durable',
  'collect-garbage-at-trust',
  'no-view-change-resend',
  'accept-blocks-view-change',
  'forget-prepared',
  'no-clock-entries',
  'vote-past-the-end',
  'carry-votes-over',
  'hand-over-at-trust',
  'self-admission',
  'lease-without-end',
  'break-lease-promise',
]

/** The membership that a core or verifier with `mutations` goes by; the same one where there are none. */
export function mutatedMembership(membership: Membership, mutations: ReadonlySet<Mutation>): Membership {
  if (!mutations.has('quorum-one-short')) return membership
  const { quorum, prepare, crashMode } = membership.quorums
  return {
    ...membership,
    quorums: { ...membership.quorums, quorum: quorum - 1, prepare: crashMode ? prepare : prepare - 1 },
  }
}

/** Whether a broken verifier would take `certificate`; false where none of `mutations` concerns certificates. */
export function wronglyAccepted(
  certificate: Certificate,
  kind: 'prepare' | 'accept' | 'receipt',
  membership: Membership,
  verifier: SignatureVerifier,
  mutations: ReadonlySet<Mutation>,
): boolean {
  const { statement, signatures } = certificate
  const twice = mutations.has('count-duplicate-signer')
  const anyView = mutations.has('ignore-view')
  const anywhere = mutations.has('ignore-membership')
  if ((!twice && !anyView && !anywhere) || statement.kind !== kind) return false
  if (signatures.length < certificateThreshold(kind, membership)) return false
  if (!twice && new Set(signatures.map(({ replica }) => replica)).size !== signatures.length) return false
  const oldest = anyView ? Math.max(0, statement.view - 8) : statement.view
  return signatures.every(({ replica, signature }) => {
    const key = membership.members[replica]?.consensusKey
    for (let v = oldest; key !== undefined && v <= statement.view; v++) {
      if (verifier.verify(key, statementBytes({ ...statement, view: view(v) }), signature)) return true
    }
    return false
  })
}
