import { describe, expect, it } from 'vitest'
import { type Digest, epoch as epochNumber, replicaIndex, slot, utf8 } from '../../crypto/index.ts'
import { nativeVerifier } from '../../keys/native/index.ts'
import {
  AuditError,
  type BlameReport,
  type ExportOptions,
  type ExportReport,
  exportBundle,
  findCulprits,
} from '../../src/audit/index.ts'
import { type AuditLevel, type AuditSummary, verifyBundle } from '../../src/audit/verify/index.ts'
import { type HandOver, noopEntry, type Pin } from '../../src/consensus/index.ts'
import type { Archive } from '../../src/wire/index.ts'
import { GENESIS } from './epochs-keys.ts'
import { captured, type EpochsLog, rotateAll, secondEpoch, text, threeEpochs } from './epochs-log.ts'

/** Up to a checkpoint, so that nothing is without proof. */
const log = threeEpochs().fill(3)
const pin = pinOf(log)
const lastStart = log.chain.last.start.slot

function pinOf({ chain }: EpochsLog): Pin {
  if (chain.pin === undefined) throw new Error('one epoch')
  return chain.pin
}

async function exported(
  archives: readonly Archive[],
  options: Partial<ExportOptions> = {},
): Promise<{ bundle: string; report: ExportReport }> {
  const parts: string[] = []
  const report = await exportBundle({
    ...{ archives, genesis: GENESIS, selection: { kind: 'all' } },
    out: (part) => void parts.push(part),
    ...options,
  })
  return { bundle: parts.join(''), report }
}

async function failed(archives: readonly Archive[], options: Partial<ExportOptions> = {}): Promise<AuditError> {
  const error = await exported(archives, options).catch((thrown: unknown) => thrown)
  if (error instanceof AuditError) return error
  throw new Error('expected an AuditError')
}

async function audited(bundle: string, level: AuditLevel, trust?: Pin): Promise<AuditSummary> {
  const options = { level, verifier: nativeVerifier, pin: trust }
  for await (const each of verifyBundle([utf8(bundle)], GENESIS, options)) if (each.kind === 'summary') return each
  throw new Error('no summary')
}

/** Its member 3 votes for two entries in the first slot of this epoch. */
function lieIn(made: EpochsLog, number: number): EpochsLog['evidence'][number] {
  const epoch = made.chain.epochs[number]
  if (epoch === undefined) throw new Error('no such epoch')
  const at = slot(epoch.start.slot + 1)
  const said = (digest: Digest) => made.vote(3, { kind: 'prepare', slot: at, digest }, epoch)
  const [first, second] = [said(epoch.membership.digest), said(epoch.start.logRoot)]
  return { epoch, evidence: { kind: 'two-votes', accused: replicaIndex(3), first, second } }
}

const honest = (of: EpochsLog) => [of.archive(0), of.archive(1)]
const withLinks = (archive: Archive, links: readonly HandOver[]): Archive => ({
  ...archive,
  async *handOvers() {
    yield* links
  },
})

describe('an export of several epochs', () => {
  it('is what a bundle of the same log made by hand is', async () => {
    const { bundle, report } = await exported(honest(log))
    expect(bundle).toBe(text(log.bundle()))
    expect(report).toMatchObject({ epochs: 2, uncheckpointed: 0, unled: 0, withoutResults: 0, refusals: [] })
  })

  it('can be executed from the genesis, and is pinned by the hand-over to its last epoch', async () => {
    const { bundle } = await exported(honest(log), { pin })
    expect(await audited(bundle, 'replay', pin)).toMatchObject({ valid: true, standing: 'pinned', faults: [] })
  })

  it.each([
    ['slots of the first epoch', { kind: 'slots', from: 2, to: 3 }],
    ['slots on both sides of a hand-over', { kind: 'slots', from: lastStart - 1, to: lastStart + 2 }],
    ['what was asked about a key of the first epoch', { kind: 'key', key: utf8('key-2') }],
  ] as const)('of %s stands on the pin of the last one', async (_, selection) => {
    const { bundle, report } = await exported(honest(log), { selection })
    expect(report).toMatchObject({ epochs: 2, unled: 0 })
    expect(report.entries).toBeGreaterThan(0)
    expect(await audited(bundle, 'log', pin)).toMatchObject({ valid: true, standing: 'pinned', faults: [] })
  })

  it('tells NewViews and evidence in the epoch that they are of', async () => {
    const made = threeEpochs()
    made.evidence.push(lieIn(made, 1))
    made.newViews.push(made.newView())
    const { bundle, report } = await exported(honest(made))
    expect(report).toMatchObject({ newViews: 1, evidence: 1, refusals: [] })
    expect(bundle).toContain('"kind":"evidence","epoch":1')
    expect((await audited(bundle, 'certificates', pinOf(made))).faults).toEqual([])
  })

  it('counts what nothing shows to lead to the last epoch, where nobody keeps the log in between', async () => {
    const forgetful = [0, 1].map((i) =>
      log.archive(i, (slot) => (slot.entry.header.slot === lastStart - 1 ? undefined : slot)),
    )
    const { bundle, report } = await exported(forgetful, { selection: { kind: 'slots', from: 1, to: 4 } })
    expect(report).toMatchObject({ entries: 4, unled: 4, refusals: [] })
    const { faults } = await audited(bundle, 'certificates', pin)
    expect(faults.map(({ code }) => code)).toEqual(['not-under-pin', 'not-under-pin', 'not-under-pin', 'not-under-pin'])
  })

  it('takes the way to the last epoch from another replica, where one lies about the entries on it', async () => {
    const liar = log.archive(0, (slot) => {
      const { header } = slot.entry
      return header.slot === lastStart - 2 ? { ...slot, entry: noopEntry(header.slot, epochNumber(7)) } : slot
    })
    const { report } = await exported([liar, log.archive(1)], { selection: { kind: 'slots', from: 1, to: 4 } })
    expect(report).toMatchObject({ unled: 0, refusals: [{ replica: 0 }] })
  })
})

describe('of the epochs that archives tell', () => {
  const [one, two] = log.chain.links
  if (one === undefined || two === undefined) throw new Error('two hand-overs')

  it('the longest way is taken, whoever lags', async () => {
    const { report } = await exported([withLinks(log.archive(0), [one]), log.archive(1)])
    expect(report).toMatchObject({ epochs: 2, refusals: [] })
  })

  it.each([
    ['without its signatures', { ...two, checkpoint: { ...two.checkpoint, signatures: [] } }],
    ['with the charter of another', { ...two, charter: captured(two.charter) }],
    ['that was there already', one],
  ])('a hand-over %s is refused, and the replica with it', async (_, bad) => {
    const { report } = await exported([withLinks(log.archive(0), [one, bad]), log.archive(1)])
    expect(report).toMatchObject({ epochs: 2, refusals: [{ replica: 0, where: 'epoch 2' }] })
  })

  describe('where keys of an epoch that was over were stolen', () => {
    const truth = rotateAll(secondEpoch()).endEpoch().fill(4)
    const captors = rotateAll(secondEpoch()).endEpoch(captured).fill(4)

    it('nobody can say which are meant', async () => {
      const error = await failed([captors.archive(0), truth.archive(1)])
      expect(error.code).toBe('ambiguous')
      expect(error.message).toContain('replicas 0 and 1 show two different hand-overs of epoch 1')
    })

    it('the pin says it, whoever tells first', async () => {
      for (const archives of [
        [captors.archive(0), truth.archive(1)],
        [truth.archive(1), captors.archive(0)],
      ]) {
        const { bundle, report } = await exported(archives, { pin: pinOf(truth) })
        expect(report.refusals).toMatchObject([{ replica: 0, where: 'epoch 2' }])
        expect(await audited(bundle, 'log', pinOf(truth))).toMatchObject({ standing: 'pinned', faults: [] })
      }
    })

    it('the archives themselves name those whose keys signed both', async () => {
      const report = await blame(captors, truth)
      expect(report).toMatchObject({ standing: 'ambiguous', guilty: [], suspects: [1, 2, 4], refused: [] })
      expect(report.splits).toMatchObject([{ epoch: 1 }])
    })
  })

  it('a pin that nobody gets to ends the export', async () => {
    expect(await failed(honest(secondEpoch()), { pin })).toMatchObject({
      code: 'pin',
      message: 'nobody shows the hand-over to epoch 2, which is pinned',
    })
  })
})

describe('blame from an archive of several epochs', () => {
  it('judges each piece of evidence in the epoch that it is of', async () => {
    const made = threeEpochs()
    made.evidence.push(lieIn(made, 1))
    const report = await blame(made)
    expect(report.refused).toEqual([])
    expect(report.convictions).toMatchObject([{ member: made.idOf(3, made.chain.epochs[1]), found: 'handed-in' }])
  })

  it('uses no archive that does not get to the pinned hand-over', async () => {
    const made = secondEpoch()
    const sources = [{ kind: 'archive', name: 'data', archive: made.archive(0) }] as const
    const report = await findCulprits({ genesis: GENESIS, sources, pin })
    expect(report.refused).toMatchObject([{ where: 'data, its epochs' }])
  })
})

async function blame(...logs: readonly EpochsLog[]): Promise<BlameReport> {
  const sources = logs.map((each, i) => ({ kind: 'archive', name: `data ${i}`, archive: each.archive(i) }) as const)
  return await findCulprits({ genesis: GENESIS, sources })
}
