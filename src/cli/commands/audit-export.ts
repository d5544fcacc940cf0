// `quorate audit export`: what was agreed, as one file that proves it, from a running cluster or a stopped replica's data.

import { join } from 'node:path'
import { utf8 } from '../../../crypto/index.ts'
import { GENESIS_FILE, loadGenesis } from '../../../keys/index.ts'
import { type ExportReport, type ExportSelection, exportBundle, type Refusal } from '../../audit/index.ts'
import { bar, wholeFile } from '../audit/files.ts'
import { PIN_OPTION, wantedPin } from '../audit/pin.ts'
import { archiveSource } from '../audit/sources.ts'
import { type Command, type Input, type Outcome, UsageError } from '../command.ts'
import { clusterFolder } from '../folder.ts'

export const auditExport: Command = {
  name: 'audit export',
  describe:
    'Write what was agreed to one file that proves it to anybody, from the running cluster or from a data folder',
  arguments: [],
  options: [
    { flags: '--out <file>', describe: 'the bundle to write', required: true },
    { flags: '--all', describe: 'everything that is kept (the default)' },
    { flags: '--slots <a..b>', describe: 'the entries of these slots' },
    { flags: '--key <k>', describe: 'the entries with a command about this key' },
    PIN_OPTION,
    { flags: '--checkpointed', describe: 'leave out entries that no stable checkpoint covers yet' },
    { flags: '--data <path>', describe: "a stopped replica's data folder, instead of the cluster", repeatable: true },
    { flags: '--cluster <dir>', describe: 'the keyset (default: QUORATE_CLUSTER or ./quorate-cluster)' },
    { flags: '--client <name>', describe: 'whose key asks (default: the first client whose key is in the keyset)' },
    { flags: '--passphrase-file <file>', describe: 'of the client key (or set QUORATE_PASSPHRASE)' },
  ],
  examples: [
    ['quorate audit export --all --out log.jsonl', 'everything that the cluster keeps'],
    ['quorate audit export --slots 100..200 --out part.jsonl', 'a part of it'],
    ['quorate audit export --key account/7 --out account.jsonl', 'all that was ever asked about a key'],
    ['quorate audit export --data quorate-cluster/replica-0/data --out log.jsonl', 'from a replica that is stopped'],
  ],
  async run(input, context) {
    const selection = selectionOf(input)
    const pin = await wantedPin(input)
    const cluster = clusterFolder(input.text('cluster'), context)
    const genesis = await loadGenesis(join(cluster, GENESIS_FILE))
    const out = input.text('out') ?? ''
    const source = await archiveSource(input, cluster, genesis, pin, context)
    try {
      const file = await wholeFile(out)
      try {
        const report = await exportBundle({
          archives: source.archives,
          genesis,
          selection,
          pin,
          checkpointed: input.flag('checkpointed'),
          out: (text) => file.write(text),
          signal: context.signal,
          progress: ({ slot, from, to }) =>
            context.progress(`exporting ${bar((slot - from + 1) / (to - from + 1))} slot ${slot} of ${to}`),
        })
        await file.done()
        return outcomeOf(out, genesis.label, report)
      } finally {
        await file.close()
      }
    } finally {
      await source.close()
    }
  },
}

function selectionOf(input: Input): ExportSelection {
  const [slots, key] = [input.text('slots'), input.text('key')]
  if ([slots !== undefined, key !== undefined, input.flag('all')].filter((given) => given).length > 1) {
    throw new UsageError('--all, --slots and --key exclude one another: give one of them')
  }
  if (key !== undefined) {
    if (key === '') throw new UsageError('--key must not be empty')
    return { kind: 'key', key: utf8(key) }
  }
  if (slots === undefined) return { kind: 'all' }
  const [, from = '', to = ''] = /^([1-9][0-9]{0,14})\.\.([1-9][0-9]{0,14})$/.exec(slots) ?? []
  if (from === '' || Number(from) > Number(to)) {
    throw new UsageError(`--slots must be A..B, such as 1..100, not ${JSON.stringify(slots)}`)
  }
  return { kind: 'slots', from: Number(from), to: Number(to) }
}

function outcomeOf(out: string, cluster: string, report: ExportReport): Outcome {
  const { entries, checkpoints, epochs, uncheckpointed, unled, withoutResults, newViews, evidence, refusals } = report
  const counted = { entries, checkpoints, epochs, uncheckpointed, unled, withoutResults, newViews, evidence }
  const notes = [
    uncheckpointed > 0 && `${uncheckpointed} of them are not yet checkpointed: audit verify --level log refuses those`,
    unled > 0 &&
      `${unled} of them are of epochs that are over, and nobody keeps the log that leads from there to the last one: no pin of it covers them`,
    withoutResults > 0 && `${withoutResults} of them without results: fewer than t replicas gave the same signed ones`,
    ...refusals.map(refusalLine),
  ].filter((line) => line !== false)
  const counts = {
    entries,
    checkpoints,
    'changes of members': epochs,
    NewViews: newViews,
    'pieces of evidence': evidence,
  }
  const parts = Object.entries(counts)
    .filter(([, number]) => number > 0)
    .map(([noun, number]) => `${noun}: ${number}`)
    .join(', ')
  return {
    status: 'done',
    value: { file: out, cluster, ...counted, refusals },
    text: [`${out} of cluster ${cluster} holds ${parts}`, ...notes].join('\n'),
  }
}

function refusalLine({ replica, where, reason }: Refusal): string {
  return `nothing more was taken from replica ${replica} after ${where}: ${reason}`
}
