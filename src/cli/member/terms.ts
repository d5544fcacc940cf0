// What a charter says, for people and for programs.

import { hex, quorumSystem } from '../../../crypto/index.ts'
import type { Charter } from '../../../keys/charter/index.ts'
import type { SystemAnswer } from '../../machine/index.ts'
import type { Outcome } from '../command.ts'

/** For programs: who decides under a charter. */
export function termsOf({ members, quorum: { byzantine, crash }, admins }: Charter): object {
  const { quorum, trust } = quorumSystem({ replicas: members.length, byzantine, crash })
  return {
    ...{ n: members.length, b: byzantine, c: crash, q: quorum, t: trust, agree: admins.threshold },
    members: members.map(({ id, consensusKey, transportKey, operator }) => ({
      ...{ id, consensusKey: hex(consensusKey), transportKey: hex(transportKey) },
      operator: operator === undefined ? null : hex(operator),
    })),
  }
}

export function termsText({ members, quorum: { byzantine, crash } }: Charter): string {
  const { quorum } = quorumSystem({ replicas: members.length, byzantine, crash })
  const lie = byzantine === 0 ? 'none may lie' : `up to ${byzantine} may lie`
  return `members ${members.map(({ id }) => id).join(', ')}; ${lie}, up to ${crash} more may stop; ${quorum} decide`
}

/** What came of a change that was accepted. */
export function acceptedOf(
  { charter, lastSlot }: Extract<SystemAnswer, { readonly kind: 'accepted' }>,
  inOffice: boolean,
): Outcome {
  const when = inOffice ? 'began' : 'begins'
  const more = inOffice ? '' : '; quorate epochs shows when it did'
  return {
    status: 'done',
    value: { outcome: 'accepted', lastSlot, epoch: charter.epoch, inOffice, ...termsOf(charter) },
    text: `accepted: epoch ${charter.epoch} ${when} after slot ${lastSlot}: ${termsText(charter)}${more}`,
  }
}
