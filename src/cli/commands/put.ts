// `quorate put`: stores a value under a key.

import { MAX_KV_VALUE_BYTES } from '../../machine/index.ts'
import type { Command } from '../command.ts'
import { bytesOf } from '../kv/bytes.ts'
import { keyArgument, standardInput } from '../kv/input.ts'
import { ask, KV_OPTIONS } from '../kv/run.ts'

export const put: Command = {
  name: 'put',
  describe: 'Store a value under a key',
  arguments: [
    { name: 'KEY', describe: 'the key, at most 1 KiB' },
    { name: 'VALUE', describe: `the value, at most ${MAX_KV_VALUE_BYTES / 1024} KiB; - reads it from standard input` },
  ],
  options: KV_OPTIONS,
  examples: [
    ['quorate put greeting hello', 'prints the revision of the store'],
    ['quorate put greeting hello --receipt r.jsonl && quorate audit verify r.jsonl', 'keep the proof and check it'],
    ['quorate put picture - < picture.png', 'bytes as they are'],
  ],
  async run(input, context) {
    const key = keyArgument(input, 'KEY')
    const given = input.argument('VALUE')
    const value = given === '-' ? await standardInput() : bytesOf('VALUE', given, input.flag('base64'))
    return ask(
      input,
      context,
      (client, options) => client.put(key, value, options),
      ({ revision }, { slot, signers }) => ({
        status: 'done',
        value: { revision },
        text: `revision ${revision}, agreed in slot ${slot} and signed by replicas ${signers.join(', ')}`,
      }),
    )
  },
}
