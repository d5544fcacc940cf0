// `quorate admin approve` and `quorate admin withdraw`: where several admins must agree, each says so in a request of its own.

import { digest, fromHex } from '../../../crypto/index.ts'
import { ADMIN_OPTIONS, govern } from '../admin/govern.ts'
import { type Command, type Input, UsageError } from '../command.ts'

const PROPOSAL = { name: 'PROPOSAL', describe: 'as the command said that proposed it: 64 hexadecimal digits' }

export const adminApprove: Command = {
  name: 'admin approve',
  describe: 'Agree to what another admin proposed; with the last approval it is done',
  arguments: [PROPOSAL],
  options: ADMIN_OPTIONS,
  examples: [['quorate admin approve 5f0c9b... --client admin-2', 'under the key of a second admin']],
  run: (input, context) =>
    govern(
      input,
      context,
      { kind: 'approve', proposal: proposalOf(input) },
      { value: {}, text: 'enough admins agree, and it is done' },
    ),
}

export const adminWithdraw: Command = {
  name: 'admin withdraw',
  describe: 'Take an approval back; what nobody approves is dropped',
  arguments: [PROPOSAL],
  options: ADMIN_OPTIONS,
  examples: [['quorate admin withdraw 5f0c9b...', 'your own approval, not those of others']],
  run: (input, context) =>
    govern(
      input,
      context,
      { kind: 'withdraw', proposal: proposalOf(input) },
      { value: {}, text: 'your approval is taken back' },
    ),
}

function proposalOf(input: Input) {
  const given = input.argument('PROPOSAL')
  const bytes = given.length === 64 ? fromHex(given) : undefined
  if (bytes === undefined) throw new UsageError(`PROPOSAL must be 64 hexadecimal digits, not "${given}"`)
  return digest(bytes)
}
