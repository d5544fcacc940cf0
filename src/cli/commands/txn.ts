// `quorate txn`: several operations as one, depending on what is stored.

import type { OperationResponse } from '../../machine/index.ts'
import type { Command } from '../command.ts'
import { entryValue, lineOf } from '../kv/bytes.ts'
import { fileOrInput } from '../kv/input.ts'
import { ask, KV_OPTIONS } from '../kv/run.ts'

export const txn: Command = {
  name: 'txn',
  describe: 'Compare and then change several keys as one; exit code 0 whichever branch was taken',
  arguments: [{ name: 'FILE', describe: 'the transaction as JSON (see docs/client.md); - reads standard input' }],
  options: KV_OPTIONS,
  examples: [
    ['quorate txn move.json', 'what was answered, one line an operation'],
    [
      `echo '{"compares":[{"key":"a","target":"version","relation":"=","number":0}],"success":[{"kind":"put","key":"a","value":"1"}]}' | quorate txn -`,
      'put a key only where there is none',
    ],
  ],
  async run(input, context) {
    const file = input.argument('FILE')
    const { readTransaction } = await import('../kv/txn-file.ts')
    const transaction = readTransaction(file === '-' ? 'standard input' : file, await fileOrInput(file))
    const inBase64 = input.flag('base64')
    return ask(
      input,
      context,
      (client, options) => client.txn(transaction, options),
      ({ succeeded, responses }, { slot }) => ({
        status: 'done',
        value: { succeeded, responses: responses.map((response) => factsOf(response, inBase64)) },
        text: [
          `${succeeded ? 'all comparisons held: success' : 'not all comparisons held: failure'} (slot ${slot})`,
          ...responses.map((response) => `  ${textOf(response, inBase64)}`),
        ].join('\n'),
      }),
    )
  },
}

function factsOf(response: OperationResponse, inBase64: boolean): object {
  switch (response.kind) {
    case 'put':
      return response.previous === undefined
        ? { kind: 'put' }
        : { kind: 'put', previous: entryValue(response.previous, inBase64) }
    case 'get': {
      const { entry } = response
      return { kind: 'get', found: entry !== undefined, ...(entry === undefined ? {} : entryValue(entry, inBase64)) }
    }
    case 'delete': {
      const previous = response.previous.map((entry) => entryValue(entry, inBase64))
      return { kind: 'delete', count: response.count, previous }
    }
    case 'range': {
      const { count, more, entries } = response
      return { kind: 'range', count, more, entries: entries.map((entry) => entryValue(entry, inBase64)) }
    }
  }
}

function textOf(response: OperationResponse, inBase64: boolean): string {
  switch (response.kind) {
    case 'put':
      return 'put'
    case 'get':
      return response.entry === undefined ? 'get: no such key' : `get: ${lineOf(response.entry.value, inBase64)}`
    case 'delete':
      return `deleted ${response.count}`
    case 'range':
      return `range: ${response.entries.map(({ key }) => lineOf(key, inBase64)).join(', ') || `${response.count} keys`}`
  }
}
