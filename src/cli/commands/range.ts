// `quorate range`: the entries of a range of keys, in the order of their bytes.

import type { RangeQuery } from '../../client/index.ts'
import { type Command, type Input, UsageError } from '../command.ts'
import { bytesOf, entryValue, lineOf } from '../kv/bytes.ts'
import { READ_OPTION, readWith } from '../kv/read.ts'
import { KV_OPTIONS } from '../kv/run.ts'
import { table } from '../table.ts'

const MOST_ENTRIES = 100_000

export const range: Command = {
  name: 'range',
  describe: 'Print the keys that begin with a prefix, or lie between two keys, and their values',
  arguments: [{ name: 'PREFIX', describe: 'the prefix; with --end the first key' }],
  options: [
    { flags: '--end <key>', describe: 'up to and without this key, instead of a prefix' },
    { flags: '--limit <n>', describe: 'so many at most (default: as many as fit an answer, 1 MiB)' },
    { flags: '--keys-only', describe: 'without the values' },
    { flags: '--count-only', describe: 'how many there are' },
    READ_OPTION,
    ...KV_OPTIONS,
  ],
  examples: [
    ['quorate range account/', 'all keys that begin so'],
    ['quorate range a --end m --limit 10', 'the first ten from a to before m'],
    ['quorate range account/ --read quorum', 'as fresh as through the log, and cheaper'],
    ["quorate range '' --count-only", 'how many keys there are'],
  ],
  async run(input, context) {
    const [inBase64, countOnly, keysOnly] = [input.flag('base64'), input.flag('count-only'), input.flag('keys-only')]
    const query = queryOf(input, inBase64)
    return readWith(
      input,
      context,
      ['ordered', 'quorum', 'lease'],
      (client, options) => client.range({ ...query, countOnly, keysOnly }, options),
      ({ entries, count, more }) => {
        const value = { count, more, entries: entries.map((entry) => entryValue(entry, inBase64)) }
        if (countOnly) return { status: 'done', value, text: String(count) }
        const rows = entries.map((entry) => {
          const key = lineOf(entry.key, inBase64)
          return keysOnly ? [key] : [key, lineOf(entry.value, inBase64)]
        })
        const rest = more ? ['there are more: --limit left them out'] : []
        return { status: 'done', value, text: [...(rows.length > 0 ? [table(rows)] : []), ...rest].join('\n') }
      },
    )
  },
}

function queryOf(input: Input, inBase64: boolean): RangeQuery {
  const start = bytesOf('PREFIX', input.argument('PREFIX'), inBase64)
  const limit = input.integer('limit', 1, MOST_ENTRIES) ?? 0
  const end = input.text('end')
  if (end === undefined) return { prefix: start, limit }
  if (end === '') throw new UsageError('--end is empty; leave it away for a prefix')
  return { start, end: bytesOf('--end', end, inBase64), limit }
}
