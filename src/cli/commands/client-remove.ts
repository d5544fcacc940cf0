// `quorate client remove`: the cluster listens to a client no more, from the next request on.

import { hex } from '../../../crypto/index.ts'
import { ADMIN_OPTIONS, govern } from '../admin/govern.ts'
import { clientKeyOf } from '../admin/whose.ts'
import type { Command } from '../command.ts'

export const clientRemove: Command = {
  name: 'client remove',
  describe: 'Have the cluster listen to a client no more',
  arguments: [{ name: 'NAME', describe: 'the client, or its public key in 64 hexadecimal digits' }],
  options: ADMIN_OPTIONS,
  examples: [['quorate client remove billing', 'its key file stays where it is, and is of no use']],
  async run(input, context) {
    const name = input.argument('NAME')
    const key = await clientKeyOf(name, input, context)
    return govern(
      input,
      context,
      { kind: 'client', edit: { op: 'remove', key } },
      { value: { name, key: hex(key) }, text: `${name} is no client any more` },
    )
  },
}
