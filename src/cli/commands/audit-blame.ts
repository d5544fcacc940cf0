// `quorate audit blame`: who lied, and the signed statements that prove it.

import { join } from 'node:path'
import { hex } from '../../../crypto/index.ts'
import { GENESIS_FILE, loadGenesis } from '../../../keys/index.ts'
import { type BlameReport, type BlameSource, findCulprits } from '../../audit/index.ts'
import { type EvidenceDescription, MAX_LISTED_FAULTS, type SignedStatement } from '../../audit/verify/index.ts'
import type { Archive } from '../../wire/index.ts'
import { archiveIn, shownBytes, statOf, withThreads } from '../audit/files.ts'
import { PIN_OPTION, wantedPin } from '../audit/pin.ts'
import type { Command, Context, Outcome } from '../command.ts'
import { clusterFolder } from '../folder.ts'
import { table } from '../table.ts'

/** Further proofs against one who is convicted already that are named; all of them are in the JSON. */
const NAMED_PROOFS = 5

export const auditBlame: Command = {
  name: 'audit blame',
  describe: 'Say who lied, with the signed statements that prove it, and who forked the log where two bundles disagree',
  arguments: [
    { name: 'FILE', describe: 'a bundle, or the data folder of a stopped replica' },
    { name: 'OTHER', describe: 'another one, to be compared with it', optional: true },
  ],
  options: [
    { flags: '--genesis <file>', describe: 'the genesis of the cluster (default: that of --cluster)' },
    PIN_OPTION,
    { flags: '--cluster <dir>', describe: 'the keyset (default: QUORATE_CLUSTER or ./quorate-cluster)' },
  ],
  examples: [
    [
      'quorate audit blame log.jsonl --genesis genesis.json',
      'exit code 0 where nobody is convicted, 1 where somebody is',
    ],
    ['quorate audit blame quorate-cluster/replica-0/data', 'what a stopped replica found out'],
    ['quorate audit blame a.jsonl b.jsonl --genesis genesis.json', 'who signed for two logs'],
  ],
  async run(input, context) {
    const genesis = await loadGenesis(
      input.text('genesis') ?? join(clusterFolder(input.text('cluster'), context), GENESIS_FILE),
    )
    const pin = await wantedPin(input)
    const paths = [input.argument('FILE'), input.optionalArgument('OTHER')].filter((path) => path !== undefined)
    const archives: Archive[] = []
    const sources: BlameSource[] = []
    let total = 0
    try {
      for (const path of paths) {
        const { folder, bytes } = await statOf(path)
        if (folder) {
          const archive = await archiveIn(path, genesis)
          archives.push(archive)
          sources.push({ kind: 'archive', name: path, archive })
        } else {
          total += bytes
          sources.push({ kind: 'bundle', name: path, bytes: shownBytes(path, bytes, `reading ${path}`, context) })
        }
      }
      const report = await withThreads(total, (batch) =>
        findCulprits({ genesis, sources, pin, signal: context.signal, ...batch }),
      )
      return outcomeOf(genesis.label, report, context)
    } finally {
      for (const archive of archives) await archive.close()
    }
  },
}

function outcomeOf(cluster: string, report: BlameReport, { stage }: Context): Outcome {
  const { guilty, suspects, descriptions, forks, splits, missing, refused, standing, entries } = report
  const shown = [...guilty, ...suspects].flatMap((id) => descriptions.find(({ member }) => member === id) ?? [])
  const others = descriptions.filter((each) => !shown.includes(each))
  const more = others.length - NAMED_PROOFS
  const status = statusOf(report)
  const text = [
    stage.paint(COLOURS[status], headline(cluster, report)),
    ...splits.map(splitLine),
    ...forks.map((slot) => `the log is forked: slot ${slot} has good certificates for two entries`),
    ...shown.flatMap(proofLines),
    ...(others.length > 0 ? [''] : []),
    ...others.slice(0, NAMED_PROOFS).map(({ sentence, kind }) => `also proved: ${sentence} (${kind})`),
    ...(more > 0 ? [`and ${more} more; --json shows every proof`] : []),
    ...missing.map((name) => `a NewView is missing that could name more of them: ${name}`),
    ...refused.slice(0, MAX_LISTED_FAULTS).map(({ where, message }) => `not used: ${where}: ${message}`),
  ].join('\n')
  const value = {
    cluster,
    standing,
    guilty,
    suspects,
    forks,
    splits: splits.map(({ epoch, handOvers }) => ({ epoch, handOvers: handOvers.map(hex) })),
    missing,
    entries,
    proofs: descriptions,
    refused,
  }
  return { status, value, text }
}

const COLOURS = Object.freeze({ done: 'green', refused: 'red', unknown: 'yellow' } as const)

/** Where keys may have been stolen, or an epoch made up, nobody can tell whether anybody lied. */
function statusOf({ guilty, suspects, forks, splits, standing }: BlameReport): Outcome['status'] {
  if (guilty.length > 0) return 'refused'
  if (suspects.length + forks.length + splits.length === 0) return 'done'
  return standing === 'ambiguous' || forks.length === 0 ? 'unknown' : 'refused'
}

function splitLine({ epoch, handOvers }: BlameReport['splits'][number]): string {
  const names = handOvers.map(hex).join(' and ')
  return `epoch ${epoch} was handed over twice, ${names}: only a --pin says which chain is the cluster's`
}

function headline(cluster: string, { guilty, suspects, descriptions, forks }: BlameReport): string {
  if (guilty.length === 0 && suspects.length > 0) {
    const names = suspects.map((id) => `replica ${id}`).join(', ')
    return `keys of ${names} of cluster ${cluster} signed what nobody honest signs: their owners lied, or others have the keys`
  }
  if (guilty.length === 0) {
    return forks.length === 0
      ? `nobody in cluster ${cluster} is convicted of anything by this`
      : `the log of cluster ${cluster} is forked, and what is here names nobody`
  }
  const names = guilty.map((id) => `replica ${id}`).join(', ')
  const proofs = descriptions.filter(({ doubt }) => doubt === undefined).length
  return `${names} of cluster ${cluster} lied: ${proofs === 1 ? 'one proof' : `${proofs} proofs`}`
}

function proofLines({ sentence, kind, statements }: EvidenceDescription): string[] {
  return ['', `${sentence} (${kind}):`, ...statements.flatMap(statementLines)]
}

function statementLines({ title, fields, key, signed, signature }: SignedStatement): string[] {
  const rows = [...fields, ['key', key], ['signed bytes', signed], ['signature', signature]]
  return [`  ${title}`, table(rows, '    ')]
}
