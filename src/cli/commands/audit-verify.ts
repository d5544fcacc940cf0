// `quorate audit verify`: whether a bundle or a receipt holds, with nothing but the genesis.

import { hex } from '../../../crypto/index.ts'
import { loadGenesis } from '../../../keys/index.ts'
import { nativeVerifier } from '../../../keys/native/index.ts'
import {
  AUDIT_LEVELS,
  type AuditLevel,
  type AuditSummary,
  type AuditVerdict,
  type PlacedFault,
  verifyBundle,
} from '../../audit/verify/index.ts'
import { decodeResultRecord } from '../../machine/index.ts'
import { shownBytes, statOf, withThreads } from '../audit/files.ts'
import { PIN_OPTION, wantedTrust } from '../audit/pin.ts'
import { stateForPrograms, stateLine } from '../audit/state.ts'
import { wantedToken, withToken } from '../audit/token.ts'
import { type Command, type Context, type Input, type Outcome, UsageError } from '../command.ts'
import { table } from '../table.ts'

/** Entries up to which each is shown; of more only those with a fault. */
const SHOWN_ENTRIES = 50
const SHOWN_FAULTS = 20

export const auditVerify: Command = {
  name: 'audit verify',
  describe: 'Check a bundle or a receipt offline, with nothing but the genesis',
  arguments: [
    { name: 'FILE', describe: 'a bundle of `audit export`, a receipt of `put --receipt`, or a proof of `get --proof`' },
  ],
  options: [
    { flags: '--genesis <file>', describe: 'the genesis of the cluster, from a source that you trust', required: true },
    PIN_OPTION,
    { flags: '--lock <name>', describe: 'the file must be the fencing token of this lock' },
    { flags: '--election <name>', describe: 'the file must be the fencing token of this election' },
    { flags: '--level <level>', describe: `${AUDIT_LEVELS.join(', ')} (default: certificates)` },
  ],
  examples: [
    ['quorate audit verify log.jsonl --genesis genesis.json', 'everything in it was chosen and signed as it says'],
    ['quorate audit verify log.jsonl --genesis genesis.json --level log', 'and all of it lies in the checkpointed log'],
    ['quorate audit verify log.jsonl --genesis genesis.json --level replay', 'and executing it gives what was signed'],
    [
      'quorate audit verify log.jsonl --genesis genesis.json --pin pin',
      'a log with changes of members in it: exit code 3 where the pin does not settle which are meant',
    ],
    [
      'quorate audit verify token.jsonl --genesis genesis.json --lock db',
      'who took the lock db, and with which number',
    ],
  ],
  async run(input, context) {
    const file = input.argument('FILE')
    const level = levelOf(input)
    const wanted = wantedToken(input)
    const genesisFile = input.text('genesis') ?? ''
    const genesis = await loadGenesis(genesisFile)
    const trust = await wantedTrust(input, genesisFile, genesis)
    const { folder, bytes } = await statOf(file)
    if (folder)
      throw new UsageError(`${file} is a folder: export a bundle from it first, with quorate audit export --data`)
    const shown: AuditVerdict[] = []
    let summary: AuditSummary | undefined
    await withThreads(bytes, async (batch) => {
      const source = shownBytes(file, bytes, `checking ${file}`, context)
      for await (const each of verifyBundle(source, genesis, { level, verifier: nativeVerifier, ...trust, ...batch })) {
        if (each.kind === 'summary') summary = each
        else if (
          each.kind === 'receipt' ||
          each.kind === 'state' ||
          (each.kind === 'entry' && shown.length < SHOWN_ENTRIES)
        )
          shown.push(each)
      }
    })
    if (summary === undefined) throw new Error('the audit gave no summary')
    return withToken(wanted, shown, outcomeOf(file, genesis.label, summary, shown, context))
  },
}

function levelOf(input: Input): AuditLevel {
  const text = input.text('level') ?? 'certificates'
  const level = AUDIT_LEVELS.find((each) => each === text)
  if (level === undefined) {
    throw new UsageError(`--level must be one of ${AUDIT_LEVELS.join(', ')}, not ${JSON.stringify(text)}`)
  }
  return level
}

function outcomeOf(
  file: string,
  cluster: string,
  summary: AuditSummary,
  shown: readonly AuditVerdict[],
  { stage }: Context,
): Outcome {
  const { valid, doubt, faults, faultCount } = summary
  const status = valid ? 'done' : faultCount > 0 ? 'refused' : 'unknown'
  const { kind: _, contents: __, ...facts } = summary
  const rows = summary.entries > SHOWN_ENTRIES ? [] : entryRows(shown)
  const faultLines = faults.slice(0, SHOWN_FAULTS).map(faultLine)
  const more = faultCount - faultLines.length
  return {
    status,
    value: { file, cluster, ...facts, shown: shown.map(forPrograms) },
    text: [
      ...receiptLines(shown),
      ...shown.flatMap((each) => (each.kind === 'state' ? [stateLine(each)] : [])),
      ...(rows.length > 1 ? [table(rows)] : []),
      ...faultLines,
      ...(more > 0 ? [`and ${more} more faults`] : []),
      ...(doubt !== undefined && status === 'unknown' ? [DOUBTS[doubt]] : []),
      ...(summary.retiredResults > 0 ? [retiredLine(summary)] : []),
      stage.paint(COLOURS[status], verdictLine(file, cluster, summary)),
    ].join('\n'),
  }
}

const COLOURS = Object.freeze({ done: 'green', refused: 'red', unknown: 'yellow' } as const)

const DOUBTS: Readonly<Record<NonNullable<AuditSummary['doubt']>, string>> = Object.freeze({
  unpinned:
    'it goes through a change of members, which whoever has stolen keys since they were retired could make up: give a --pin',
  'beyond-pin':
    'it goes through a change of members after the one that is pinned, which thieves of keys retired since could make up: give a newer --pin',
  'retired-keys':
    'it was signed with keys of members of an epoch that is over, and who has stolen enough of them since could make it up',
})

function retiredLine({ retiredResults, level }: AuditSummary): string {
  const what = `the results of ${count(retiredResults, 'entry')} rest on keys of epochs that are over`
  return `${what}; only executing the log from its beginning settles them (at level ${level} nothing is executed)`
}

function entryRows(shown: readonly AuditVerdict[]): string[][] {
  const rows = shown.flatMap((each) => {
    if (each.kind !== 'entry') return []
    const { header, digest } = each.entry
    return [
      [
        `${header.slot}`,
        hex(digest).slice(0, 16),
        header.kind === 'noop' ? 'no-op' : `${header.count}`,
        each.signers.join(' '),
        each.resultSigners?.join(' ') ?? '-',
        each.checkpoint === undefined ? 'not yet checkpointed' : `${each.checkpoint}`,
        each.faults[0] === undefined ? 'good' : `NOT GOOD: ${each.faults[0].check}`,
      ],
    ]
  })
  return [['slot', 'digest', 'requests', 'chosen by', 'results by', 'checkpoint', 'verdict'], ...rows]
}

/** First: what a receipt is about. */
function receiptLines(shown: readonly AuditVerdict[]): string[] {
  return shown.flatMap((each) => {
    if (each.kind !== 'receipt') return []
    const { certificate, request, record, faults } = each
    const decoded = decodeResultRecord(record)
    const signers = each.signers.join(' and ')
    const what = `request ${request.request.sequence} of client ${hex(request.request.client).slice(0, 16)}`
    if (faults.length > 0) return [`receipt NOT GOOD: ${what}, slot ${certificate.statement.slot}`]
    return [
      `receipt: ${what} was answered "${decoded?.outcome}" in slot ${certificate.statement.slot}, signed by replicas ${signers}`,
    ]
  })
}

function faultLine({ where, check, code, message }: PlacedFault): string {
  return `${where}: check "${check}" failed (${code}): ${message}`
}

function verdictLine(file: string, cluster: string, summary: AuditSummary): string {
  const { level, entries, checkpoints, uncheckpointed, receipts, states } = summary
  const { newViews, evidence, faultCount, faults } = summary
  if (faultCount > 0) {
    const [first] = faults
    const place = first === undefined ? '' : `: check "${first.check}" at ${first.where}`
    return `${file} is NOT VALID for cluster ${cluster} at level ${level}: ${count(faultCount, 'fault')}${place}`
  }
  const verdict = summary.standing === 'ambiguous' ? 'AMBIGUOUS' : 'valid'
  const parts = [
    summary.epochs > 0 ? count(summary.epochs + 1, 'epoch') : '',
    entries > 0 || receipts + states === 0 ? count(entries, 'entry') : '',
    receipts > 0 ? count(receipts, 'receipt') : '',
    states > 0 ? 'the proof of one key' : '',
    checkpoints > 0 ? count(checkpoints, 'checkpoint') : '',
    uncheckpointed > 0 && entries > 0 ? `${uncheckpointed} not yet checkpointed` : '',
    newViews > 0 ? count(newViews, 'NewView') : '',
    evidence > 0 ? accusation(summary) : '',
  ].filter((part) => part !== '')
  return `${file} is ${verdict} for cluster ${cluster} at level ${level}: ${parts.join(', ')}`
}

function accusation({ convicted, suspected }: AuditSummary): string {
  const parts = [
    convicted.length > 0 ? `evidence against replicas ${convicted.join(', ')}` : '',
    suspected.length > 0 ? `evidence by keys of replicas ${suspected.join(', ')} that may have been stolen` : '',
  ]
  return parts.filter((part) => part !== '').join(', ')
}

function count(number: number, noun: string): string {
  const plural = noun === 'entry' ? 'entries' : `${noun}s`
  return `${number} ${number === 1 ? noun : plural}`
}

function forPrograms(each: AuditVerdict): object {
  if (each.kind === 'entry') {
    const { header, digest } = each.entry
    const { signers, checkpoint, faults } = each
    return {
      kind: 'entry',
      slot: header.slot,
      digest: hex(digest),
      requests: header.count,
      signers,
      results: each.resultSigners ?? null,
      checkpoint: checkpoint ?? null,
      faults,
    }
  }
  if (each.kind === 'state') return stateForPrograms(each)
  if (each.kind !== 'receipt') return { kind: each.kind, faults: each.faults }
  const { certificate, request, record, signers, faults } = each
  return {
    kind: 'receipt',
    slot: certificate.statement.slot,
    request: hex(request.id),
    client: hex(request.request.client),
    sequence: request.request.sequence,
    outcome: decodeResultRecord(record)?.outcome ?? null,
    signers,
    faults,
  }
}
