// What `quorate audit verify` says of a receipt that is a fencing token.

import { hex } from '../../../crypto/index.ts'
import { type AuditVerdict, fencingFacts } from '../../audit/verify/index.ts'
import type { LockKind } from '../../machine/index.ts'
import { type Input, type Outcome, UsageError } from '../command.ts'
import { shown } from '../kv/bytes.ts'

/** The token that the user asks for. */
export interface WantedToken {
  readonly kind: LockKind
  readonly name: string
}

/** @throws {UsageError} where both are asked for. */
export function wantedToken(input: Input): WantedToken | undefined {
  const [lock, election] = [input.text('lock'), input.text('election')]
  if (lock !== undefined && election !== undefined) {
    throw new UsageError('a token is of a lock or of an election: name one with --lock or --election')
  }
  if (lock !== undefined) return { kind: 'lock', name: lock }
  return election === undefined ? undefined : { kind: 'election', name: election }
}

/** The outcome with what the token says in front; refused where it is not the one that is wanted. */
export function withToken(
  wanted: WantedToken | undefined,
  verdicts: readonly AuditVerdict[],
  outcome: Outcome,
): Outcome {
  const receipt = verdicts.find((each) => each.kind === 'receipt')
  const good = outcome.status === 'done' && receipt !== undefined
  const facts = good ? fencingFacts(receipt) : undefined
  if (facts?.ok) {
    const { kind, name, slot, revision, holder, value } = facts.value
    const fits = wanted === undefined || (wanted.kind === kind && wanted.name === name)
    const token = { kind, name, number: slot, revision, holder: hex(holder), ...shown('value', value, false) }
    const line = `fencing token ${slot} (revision ${revision}) of ${kind} ${JSON.stringify(name)}, taken by client ${hex(holder)}`
    if (fits) return { ...outcome, value: { ...outcome.value, token }, text: `${line}\n${outcome.text}` }
    return refused(outcome, wanted, `it is of ${kind} ${JSON.stringify(name)}`, { token })
  }
  if (wanted === undefined || outcome.status !== 'done') return outcome
  const why = facts === undefined ? 'it holds no receipt' : facts.fault.message
  return refused(outcome, wanted, why, {})
}

function refused(outcome: Outcome, { kind, name }: WantedToken, why: string, more: object): Outcome {
  const message = `NOT the fencing token of ${kind} ${JSON.stringify(name)}: ${why}`
  return {
    status: 'refused',
    value: { ...outcome.value, ...more, refused: message },
    text: `${outcome.text}\n${message}`,
  }
}
