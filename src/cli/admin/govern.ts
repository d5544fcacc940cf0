// Commands of the system: one ordered request each, under an admin's key, and what came of it in words.

import { hex } from '../../../crypto/index.ts'
import type { CallOptions, Client, Done } from '../../client/index.ts'
import type { SystemAnswer, SystemCommand } from '../../machine/index.ts'
import { CLUSTER_OPTIONS } from '../cluster.ts'
import type { Context, Input, OptionSpec, Outcome } from '../command.ts'
import { ask } from '../kv/run.ts'
import { acceptedOf } from '../member/terms.ts'
import { sentenceOf } from './refusals.ts'

export const ADMIN_OPTIONS: readonly OptionSpec[] = Object.freeze([
  { flags: '--receipt <file>', describe: 'keep the proof of what was agreed; check it with: quorate audit verify' },
  ...CLUSTER_OPTIONS,
])

/** Submits `command`; `told` is what holds once it is done. */
export async function govern(
  input: Input,
  context: Context,
  command: SystemCommand,
  told: { readonly value: object; readonly text: string },
): Promise<Outcome> {
  const call = (client: Client, options: CallOptions): Promise<Done<SystemAnswer>> => client.system(command, options)
  return await decide(input, context, call, (answer) =>
    answer.kind === 'done'
      ? { status: 'done', value: { ...told.value, outcome: 'done' }, text: told.text }
      : acceptedOf(answer, false),
  )
}

/** Does `call`; `tell` is asked of answers but that more admins must agree, which it is told otherwise. */
export async function decide(
  input: Input,
  context: Context,
  call: (client: Client, options: CallOptions) => Promise<Done<SystemAnswer>>,
  tell: (answer: Exclude<SystemAnswer, { readonly kind: 'proposed' }>) => Outcome,
): Promise<Outcome> {
  const { Refused } = await import('../../client/index.ts')
  try {
    return await ask(input, context, call, (answer) => (answer.kind === 'proposed' ? proposedOf(answer) : tell(answer)))
  } catch (error) {
    if (!(error instanceof Refused) || error.code !== 'refused') throw error
    return refusedOf(error.detail)
  }
}

/** The cluster agreed not to do it. */
export function refusedOf(code: string): Outcome {
  const text = sentenceOf(code)
  return { status: 'refused', value: { outcome: 'refused', code, message: text }, text }
}

/** More admins must agree. */
export function proposedOf(answer: Extract<SystemAnswer, { readonly kind: 'proposed' }>): Outcome {
  const [proposal, missing] = [hex(answer.proposal), answer.needed - answer.approvals]
  const more = missing === 1 ? 'one more admin has' : `${missing} more admins have`
  return {
    status: 'done',
    value: { outcome: 'proposed', proposal, approvals: answer.approvals, needed: answer.needed },
    text: `proposed, and ${more} to agree: quorate admin approve ${proposal}`,
  }
}
