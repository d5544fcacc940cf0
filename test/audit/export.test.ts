import { describe, expect, it } from 'vitest'
import { slot, utf8 } from '../../crypto/index.ts'
import { nativeVerifier } from '../../keys/native/index.ts'
import { type ExportOptions, type ExportReport, exportBundle } from '../../src/audit/index.ts'
import { type AuditLevel, type AuditSummary, verifyBundle } from '../../src/audit/verify/index.ts'
import type { Archive, ArchivedSlot } from '../../src/wire/index.ts'
import { TestLog, testGenesis, writeBundle } from './support.ts'

const test = testGenesis()

async function exported(
  log: TestLog,
  options: Partial<ExportOptions> = {},
): Promise<{ text: string; report: ExportReport }> {
  const parts: string[] = []
  const report = await exportBundle({
    archives: log.archives(),
    genesis: log.test.genesis,
    selection: { kind: 'all' },
    out: (text) => void parts.push(text),
    ...options,
  })
  return { text: parts.join(''), report }
}

async function audited(text: string, level: AuditLevel): Promise<AuditSummary> {
  let summary: AuditSummary | undefined
  for await (const each of verifyBundle([utf8(text)], test.genesis, { level, verifier: nativeVerifier })) {
    if (each.kind === 'summary') summary = each
  }
  if (summary === undefined) throw new Error('no summary')
  return summary
}

const slotsIn = (text: string): number[] =>
  [...text.matchAll(/"kind":"entry","slot":(\d+)/g)].map(([, at]) => Number(at))

describe('an export', () => {
  const log = new TestLog(test).fill(6)
  log.append([])
  log.append(log.bundle({ kind: 'get', key: utf8('key-2') }, { kind: 'delete', key: utf8('other'), previous: false }))
  log.fill(2)

  it('holds everything that is kept, with proofs up to the last stable checkpoint', async () => {
    const { text, report } = await exported(log)
    expect(report).toMatchObject({ entries: 10, checkpoints: 2, uncheckpointed: 2, withoutResults: 0, refusals: [] })
    expect(await audited(text, 'certificates')).toMatchObject({ valid: true, entries: 10, uncheckpointed: 2 })
    const strict = await audited(text, 'log')
    expect(strict.faults.map(({ where, code }) => `${where} ${code}`)).toEqual([
      'slot 9 not-checkpointed',
      'slot 10 not-checkpointed',
    ])
  })

  it('is what a bundle of the same log made by hand is, but for who signed', async () => {
    const { text } = await exported(log)
    expect(text).toBe(new TextDecoder().decode(writeBundle(log)))
  })

  it('without what is not checkpointed yet can be executed from the genesis', async () => {
    const { text } = await exported(log, { checkpointed: true })
    expect(await audited(text, 'replay')).toMatchObject({ valid: true, entries: 8 })
  })

  it('of a range proves each entry, though slots around it are left out', async () => {
    for (const [from, to] of [
      [2, 3],
      [3, 6],
      [5, 5],
      [8, 8],
      [1, 4],
    ] as const) {
      const { text } = await exported(log, { selection: { kind: 'slots', from, to } })
      expect(slotsIn(text)).toEqual(Array.from({ length: to - from + 1 }, (_, i) => from + i))
      expect(await audited(text, 'log')).toMatchObject({ valid: true, uncheckpointed: 0 })
    }
  })

  it('about a key holds just the entries with a command on it', async () => {
    const { text } = await exported(log, { selection: { kind: 'key', key: utf8('key-2') } })
    expect(slotsIn(text)).toEqual([2, 8])
    expect(await audited(text, 'log')).toMatchObject({ valid: true, checkpoints: 2 })
  })

  it('of one replica alone has no results where t = 2, and the rest all the same', async () => {
    const { text, report } = await exported(log, { archives: [log.archive(2)] })
    expect(report.withoutResults).toBe(10)
    expect(await audited(text, 'certificates')).toMatchObject({ valid: true, entries: 10 })
  })

  it('needs nothing below the range but the checkpoint before it', async () => {
    const pruned = (each: ArchivedSlot) => (each.entry.header.slot <= 4 ? undefined : each)
    const archives = [0, 1].map(
      (i): Archive => ({ ...log.archive(i, pruned), extent: async () => ({ first: 5, last: 10 }) }),
    )
    const { text } = await exported(log, { archives })
    expect(slotsIn(text)).toEqual([5, 6, 7, 8, 9, 10])
    expect(await audited(text, 'certificates')).toMatchObject({ valid: true, uncheckpointed: 2 })
  })

  it.each([['a missing slot', { kind: 'slots', from: 9, to: 12 }, 'missing-slot']] as const)(
    'of %s is refused',
    async (_, selection, code) => {
      await expect(exported(log, { selection })).rejects.toMatchObject({ code })
    },
  )

  it('from replicas that give no answer is refused, with what each said', async () => {
    const down: Archive = { ...log.archive(1), extent: () => Promise.reject(new Error('connection refused')) }
    const outcome = exported(log, { archives: [down] })
    await expect(outcome).rejects.toMatchObject({ code: 'unreachable' })
    await expect(outcome).rejects.toThrow('replica 1: it gave no answer: connection refused')
  })

  it('of an empty log is refused', async () => {
    await expect(exported(new TestLog(test))).rejects.toMatchObject({ code: 'nothing-kept' })
  })
})

describe('an export from a cluster with a liar', () => {
  const log = new TestLog(test).fill(9)
  const at = (wanted: number, lie: (each: ArchivedSlot) => ArchivedSlot | undefined) => (each: ArchivedSlot) =>
    each.entry.header.slot === wanted ? lie(each) : each

  const lies: readonly (readonly [string, (each: ArchivedSlot) => ArchivedSlot | undefined])[] = [
    ['another command', (each) => ({ ...each, entry: { ...each.entry, requests: [log.put('forged')] } })],
    [
      'a certificate of another slot',
      (each) => ({ ...each, certificate: log.slots[0]?.certificate ?? each.certificate }),
    ],
    [
      'a certificate short of a signature',
      (each) => {
        const { statement, signatures } = each.certificate
        return { ...each, certificate: { statement, signatures: signatures.slice(1) } }
      },
    ],
    [
      'results of its own',
      (each) => ({ ...each, records: each.records.map((record) => record.map((byte) => byte ^ 1)) }),
    ],
    [
      'slots that nobody asked for',
      (each) => ({ ...each, entry: { ...each.entry, header: { ...each.entry.header, slot: slot(2) } } }),
    ],
  ]

  it.each(lies)('takes nothing more from it after %s, and is whole from the others', async (_, lie) => {
    const archives = [log.archive(0, at(3, lie)), log.archive(1), log.archive(2)]
    const { text, report } = await exported(log, { archives })
    expect(report.refusals).toMatchObject([{ replica: 0, where: 'slot 3' }])
    expect(report.withoutResults).toBe(0)
    expect(await audited(text, 'certificates')).toMatchObject({ valid: true, entries: 9 })
  })

  it("counts another replica's receipt once, whoever shows it", async () => {
    const archives = [
      log.archive(
        0,
        at(3, (each) => ({ ...each, receipt: log.slots[2]?.receipts[1] })),
      ),
      log.archive(1),
    ]
    const { report } = await exported(log, { archives })
    expect(report).toMatchObject({ entries: 9, withoutResults: 1, refusals: [] })
    const { report: whole } = await exported(log, { archives: [...archives, log.archive(2)] })
    expect(whole).toMatchObject({ entries: 9, withoutResults: 0, refusals: [] })
  })

  it('goes on without one that fails in between, that claims slots which are not there, or that lies about checkpoints', async () => {
    const failing: Archive = {
      ...log.archive(0),
      // biome-ignore lint/correctness/useYield: it fails before the first
      async *slots() {
        throw new Error('connection lost')
      },
    }
    const boasting: Archive = { ...log.archive(1), extent: async () => ({ first: 1, last: 2 ** 50 }) }
    const forging: Archive = {
      ...log.archive(2),
      async *checkpoints(from, to) {
        for await (const each of log.archive(2).checkpoints(from, to)) {
          yield { ...each, checkpoint: { ...each.checkpoint, signatures: each.checkpoint.signatures.slice(1) } }
        }
      },
    }
    const { text, report } = await exported(log, { archives: [forging, failing, boasting, log.archive(3)] })
    expect(report.refusals.map(({ replica }) => replica)).toEqual([2, 0])
    expect(await audited(text, 'certificates')).toMatchObject({ valid: true, entries: 9, uncheckpointed: 1 })
  })

  it('is refused where two replicas hold certificates for two entries of one slot', async () => {
    const fork = new TestLog(test).fill(2)
    fork.append([fork.put('another')], [1, 2, 3])
    await expect(exported(log, { archives: [log.archive(0), fork.archive(1)] })).rejects.toMatchObject({ code: 'fork' })
  })
})

describe('stopping an export', () => {
  it('throws the reason of the signal', async () => {
    const log = new TestLog(test).fill(4)
    const stop = new AbortController()
    const options = { signal: stop.signal, progress: () => stop.abort(new Error('enough')) }
    await expect(exported(log, options)).rejects.toThrow('enough')
  })
})
