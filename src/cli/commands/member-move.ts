// `quorate member move`: a member is reached somewhere else, from now on; its keys and its place stay.

import { addressFault } from '../../../keys/index.ts'
import type { CallOptions, Client } from '../../client/index.ts'
import { ADMIN_OPTIONS, decide } from '../admin/govern.ts'
import { type Command, UsageError } from '../command.ts'
import { memberNamed } from '../member/change.ts'

export const memberMove: Command = {
  name: 'member move',
  describe: 'Say where a member is reached from now on; clients and members learn it from the log',
  arguments: [
    { name: 'ID', describe: 'of the member, as quorate epochs shows it' },
    { name: 'ADDRESS', describe: 'a multiaddr, such as /dns/two.example/tcp/7400; one or more', variadic: true },
  ],
  options: ADMIN_OPTIONS,
  examples: [['quorate member move 2 /dns/two.example/tcp/7400', 'its machine has another name']],
  async run(input, context) {
    const addresses = input.rest('ADDRESS')
    for (const address of addresses) {
      const fault = addressFault(address)
      if (fault !== undefined) throw new UsageError(`ADDRESS ${JSON.stringify(address)}: ${fault}`)
    }
    const call = async (client: Client, options: CallOptions) => {
      const { last } = await client.follow(options)
      const member = memberNamed(input.argument('ID'), last)
      return await client.system({ kind: 'addresses', member, addresses }, options)
    }
    const text = `member ${input.argument('ID')} is reached at ${addresses.join(' ')}`
    return await decide(input, context, call, () => ({ status: 'done', value: { outcome: 'done', addresses }, text }))
  },
}
