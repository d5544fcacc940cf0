// What a charter must be by itself, whoever made it: the machine asks before it accepts a change, everybody else before they
// follow a hand-over. What it must be beside the charter before it, and that a quorum signed, is not judged here.

import { equalBytes, hex, quorumFault, ZERO_DIGEST } from '../../crypto/index.ts'
import { MAX_CLIENTS, parameterBoundFaults, parameterFaults } from '../genesis/index.ts'
import type { Charter } from './charter.ts'

/** The last epoch that a cluster may have: who joins it verifies one hand-over for each. */
export const MAX_EPOCH = 4096

export interface CharterFault {
  readonly code:
    | 'too-many-epochs'
    | 'bad-start'
    | 'quorum-rule'
    | 'repeated-key'
    | 'repeated-id'
    | 'threshold'
    | 'bad-parameter'
  /** Such as `members[2].consensusKey`. */
  readonly path: string
  /** The rest of the sentence. */
  readonly message: string
}

/** Every fault found; none in the charter of a genesis. */
export function charterFaults(charter: Charter): CharterFault[] {
  const { epoch, members, quorum, parameters, admins } = charter
  const unfit = quorumFault({ replicas: members.length, ...quorum })
  const bounds = parameterBoundFaults(parameters)
  // Their relations mean nothing for parameters that are out of their bounds.
  const ofParameters = bounds.length > 0 ? bounds : parameterFaults(parameters, quorum.byzantine === 0)
  const faults: CharterFault[] = []
  const refuse = (code: CharterFault['code'], path: string, message: string) => faults.push({ code, path, message })
  if (epoch > MAX_EPOCH)
    refuse('too-many-epochs', 'epoch', `${epoch} is above ${MAX_EPOCH}, the last that there may be`)
  if (!startsWhereItMay(charter)) refuse('bad-start', 'start', 'epoch 0 alone begins with slot 0 and after no other')
  if (unfit !== undefined) refuse('quorum-rule', 'quorum', unfit)
  faults.push(...keyFaults(charter))
  for (const [i, { id }] of members.entries()) {
    const first = members.findIndex((other) => other.id === id)
    if (first < i) refuse('repeated-id', `members[${i}].id`, `repeats members[${first}].id`)
  }
  if (!Number.isInteger(admins.threshold) || admins.threshold < 1 || admins.threshold > MAX_CLIENTS) {
    refuse('threshold', 'admins.threshold', `must be a whole number from 1 to ${MAX_CLIENTS} (admins)`)
  }
  for (const { path, message } of ofParameters) refuse('bad-parameter', path, message)
  return faults
}

function startsWhereItMay({ epoch, previous, start }: Charter): boolean {
  return epoch === 0
    ? start === 0 && equalBytes(previous, ZERO_DIGEST)
    : start > 0 && !equalBytes(previous, ZERO_DIGEST)
}

/** One key for two members would count twice; one key for two purposes could have its signatures carried from one to the other. */
function keyFaults({ members }: Charter): CharterFault[] {
  const first = new Map<string, string>()
  const keys = members.flatMap(({ consensusKey, transportKey }, i) => [
    { path: `members[${i}].consensusKey`, key: hex(consensusKey) },
    { path: `members[${i}].transportKey`, key: hex(transportKey) },
  ])
  const faults: CharterFault[] = []
  const refuse = (path: string, before: string) =>
    faults.push({ code: 'repeated-key', path, message: `repeats ${before}` })
  for (const { path, key } of keys) {
    const before = first.get(key)
    if (before === undefined) first.set(key, path)
    else refuse(path, before)
  }
  // Several members may have one operator.
  for (const [i, { operator }] of members.entries()) {
    const before = operator && first.get(hex(operator))
    if (before !== undefined) refuse(`members[${i}].operator`, before)
  }
  return faults
}
