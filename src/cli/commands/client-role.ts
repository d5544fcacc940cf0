// `quorate client role`: what a client may do, from the next request on.

import { hex } from '../../../crypto/index.ts'
import { ADMIN_OPTIONS, govern } from '../admin/govern.ts'
import { clientKeyOf, roleNamed } from '../admin/whose.ts'
import type { Command } from '../command.ts'

export const clientRole: Command = {
  name: 'client role',
  describe: 'Change what a client may do',
  arguments: [
    { name: 'NAME', describe: 'the client, or its public key in 64 hexadecimal digits' },
    { name: 'ROLE', describe: 'reader, writer or admin' },
  ],
  options: ADMIN_OPTIONS,
  examples: [['quorate client role writer-1 reader', 'it may read, and write nothing any more']],
  async run(input, context) {
    const name = input.argument('NAME')
    const role = roleNamed('ROLE', input.argument('ROLE'))
    const key = await clientKeyOf(name, input, context)
    return govern(
      input,
      context,
      { kind: 'client', edit: { op: 'role', key, role } },
      { value: { name, role, key: hex(key) }, text: `${name} has the role ${role}` },
    )
  },
}
