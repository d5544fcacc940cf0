// `quorate get`: reads a key: through the log, from a quorum, or from one replica with a proof.

import { fromUtf8 } from '../../../crypto/index.ts'
import { type Command, UsageError } from '../command.ts'
import { entryValue, lineOf } from '../kv/bytes.ts'
import { keyArgument } from '../kv/input.ts'
import { readWith, STALE_OPTIONS } from '../kv/read.ts'
import { KV_OPTIONS } from '../kv/run.ts'

export const get: Command = {
  name: 'get',
  describe: 'Print the value of a key; exit code 1 where there is none',
  arguments: [{ name: 'KEY', describe: 'the key' }],
  options: [...STALE_OPTIONS, ...KV_OPTIONS],
  examples: [
    ['quorate get greeting', 'the value and a line break'],
    ['quorate get picture --base64 | base64 -d > picture.png', 'bytes that are no text'],
    ['quorate get greeting --read quorum', 'as fresh as through the log, and cheaper'],
    ['quorate get greeting --read stale --max-age 60', 'from one replica, with a proof that is at most a minute old'],
    [
      'quorate get greeting --read stale --proof p.jsonl',
      'and keep the proof; quorate audit verify p.jsonl checks it offline',
    ],
    ["quorate get greeting --json | jq -r '.modRevision'", 'what is known beside it'],
  ],
  async run(input, context) {
    const key = keyArgument(input, 'KEY')
    const inBase64 = input.flag('base64')
    return readWith(
      input,
      context,
      ['ordered', 'quorum', 'lease', 'stale'],
      (client, options) => client.get(key, options),
      (entry) => {
        if (entry === undefined) {
          return { status: 'refused', value: { found: false }, text: `there is no key ${lineOf(key, inBase64)}` }
        }
        const value = { found: true, ...entryValue(entry, inBase64) }
        if (!inBase64 && !context.stage.json && fromUtf8(entry.value) === undefined) {
          throw new UsageError(`the value has ${entry.value.length} bytes that are no text; print them with --base64`)
        }
        return { status: 'done', value, text: lineOf(entry.value, inBase64) }
      },
    )
  },
}
