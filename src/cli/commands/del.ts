// `quorate del`: deletes a key.

import type { Command } from '../command.ts'
import { keyArgument } from '../kv/input.ts'
import { ask, KV_OPTIONS } from '../kv/run.ts'

export const del: Command = {
  name: 'del',
  describe: 'Delete a key; one that is not there is no fault',
  arguments: [{ name: 'KEY', describe: 'the key' }],
  options: KV_OPTIONS,
  examples: [['quorate del greeting', 'says whether it was there']],
  async run(input, context) {
    const key = keyArgument(input, 'KEY')
    return ask(
      input,
      context,
      (client, options) => client.delete(key, options),
      ({ deleted }, { slot }) => ({
        status: 'done',
        value: { deleted },
        text: deleted ? `deleted in slot ${slot}` : 'there was no such key',
      }),
    )
  },
}
