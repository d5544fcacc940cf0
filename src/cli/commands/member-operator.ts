// `quorate member operator`: who may replace a member and its keys without the admins.

import { clientKeyOf } from '../admin/whose.ts'
import type { Command } from '../command.ts'
import { CHANGE_OPTIONS, change, memberNamed } from '../member/change.ts'

const NOBODY = 'none'

export const memberOperator: Command = {
  name: 'member operator',
  describe: 'Say which client may replace a member and its keys without the admins',
  arguments: [
    { name: 'ID', describe: 'of the member, as quorate epochs shows it' },
    {
      name: 'NAME',
      describe: `the client, or its public key in 64 hexadecimal digits; ${NOBODY} for the admins alone`,
    },
  ],
  options: CHANGE_OPTIONS,
  examples: [
    ['quorate member operator 2 operator-2', 'from the next epoch on'],
    ['quorate member operator 2 none', 'the admins alone decide on member 2'],
  ],
  async run(input, context) {
    const name = input.argument('NAME')
    const key = name === NOBODY ? undefined : await clientKeyOf(name, input, context)
    return await change(input, context, (office) => [
      { op: 'operator', id: memberNamed(input.argument('ID'), office), key },
    ])
  },
}
