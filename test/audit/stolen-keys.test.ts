// S28: all keys of an epoch are stolen after it was over, when the next one is long live. Whatever the thieves make with them, a pin
// refuses it; without a pin it is ambiguous; and beside the true log both are shown, with the names of those whose keys signed both
// (pitfall P61).

import { describe, expect, it } from 'vitest'
import { slot } from '../../crypto/index.ts'
import { nativeVerifier } from '../../keys/native/index.ts'
import { type BlameReport, findCulprits } from '../../src/audit/index.ts'
import { type AuditOptions, type AuditSummary, verifyBundle } from '../../src/audit/verify/index.ts'
import type { Pin } from '../../src/consensus/index.ts'
import { bytesFor } from '../support/cluster.ts'
import { GENESIS } from './epochs-keys.ts'
import { captured, type EpochsLog, rotateAll, secondEpoch } from './epochs-log.ts'

/** Three epochs, of which the second is over. Its keys are stolen, all of them. */
const log = rotateAll(secondEpoch()).endEpoch().fill(4)
const [, second, third] = log.chain.epochs
const pin = log.chain.pin
if (second === undefined || third === undefined || pin === undefined) throw new Error('three epochs')
const older: Pin = { ...pin, epoch: second.charter.epoch, handOver: second.start.justification }

/** The thieves hand over to themselves, and go on. */
const captors = rotateAll(secondEpoch()).endEpoch(captured).fill(4)
/** The thieves let the second epoch go on as if it had never ended. */
const longer = secondEpoch().fill(16, 'stolen')
/** The thieves keep every hand-over, and decide other entries in the second epoch. */
const rewritten = rotateAll(secondEpoch().fill(1, 'stolen')).endEpoch()
rewritten.chain = log.chain

async function audit(bytes: Uint8Array, options: Partial<AuditOptions> = {}): Promise<AuditSummary> {
  const all = { level: 'certificates', verifier: nativeVerifier, ...options } as const
  for await (const each of verifyBundle([bytes], GENESIS, all)) if (each.kind === 'summary') return each
  throw new Error('no summary')
}

async function refusal(bytes: Uint8Array): Promise<string[]> {
  const { valid, faults } = await audit(bytes, { pin })
  expect(valid).toBe(false)
  return faults.map(({ where, check, code }) => `${where}: ${check} ${code}`)
}

async function blame(logs: readonly EpochsLog[], trust?: Pin): Promise<BlameReport> {
  const sources = logs.map((each, i) => ({ kind: 'bundle', name: `log ${i}`, bytes: [each.bundle()] }) as const)
  return await findCulprits({ genesis: GENESIS, sources, pin: trust })
}

describe('with the pin of the epoch after', () => {
  it('the true log is valid', async () => {
    expect(await audit(log.bundle(), { pin })).toMatchObject({ valid: true, standing: 'pinned' })
  })

  it('another hand-over is refused', async () => {
    expect(await refusal(captors.bundle())).toEqual(['epoch 2: epoch not-through-pin'])
  })

  it('an epoch that goes on is refused', async () => {
    expect(await refusal(longer.bundle())).toEqual(['the bundle: epoch shorter-than-pin'])
  })

  it('other entries of the epoch are refused, proven or not to lie in the log', async () => {
    expect(await refusal(rewritten.bundle())).toContain('checkpoint 12: checkpoint not-in-log')
    expect(await refusal(rewritten.bundle())).toContain('slot 16: chain other-log')
    const part = rewritten.bundle({ from: 9, to: 12, lead: false })
    expect(await refusal(part)).toEqual([9, 10, 11, 12].map((at) => `slot ${at}: inclusion not-under-pin`))
  })
})

describe('without a pin', () => {
  it.each([
    ['the true log', log.bundle()],
    ['another hand-over', captors.bundle()],
    ['an epoch that goes on', longer.bundle()],
    ['a part with other entries of the epoch', rewritten.bundle({ from: 9, to: 12, lead: false })],
  ])('%s is ambiguous and not valid, though nothing in it is wrong', async (_, bytes) => {
    const found = await audit(bytes)
    expect(found).toMatchObject({ faults: [], valid: false, standing: 'ambiguous', doubt: 'unpinned' })
  })

  it('or with a pin that is older than the hand-over, it is as ambiguous', async () => {
    for (const each of [log, captors]) {
      expect(await audit(each.bundle(), { pin: older })).toMatchObject({ valid: false, doubt: 'beyond-pin' })
    }
  })

  it('or with a pin whose epoch is over, nobody is told that it is: a pin must be as new as what is asked', async () => {
    expect(await audit(longer.bundle(), { pin: older })).toMatchObject({ valid: true, standing: 'pinned' })
  })
})

describe('two logs', () => {
  it('with two hand-overs are ambiguous, and both are shown with more than b whose keys signed both', async () => {
    const report = await blame([log, captors])
    expect(report).toMatchObject({ standing: 'ambiguous', refused: [], guilty: [] })
    const handOvers = [log, captors].map(({ chain }) => chain.last.start.justification)
    expect(report.splits).toEqual([{ epoch: 1, handOvers }])
    expect(report.suspects).toEqual([1, 2, 4])
    expect(new Set(report.convictions.map(({ found }) => found))).toContain('two-checkpoints')
    expect(report.convictions.every(({ epoch }) => epoch.charter.epoch === 1)).toBe(true)
  })

  it('say of a pinned epoch that its keys were perhaps stolen, and accuse nobody for certain', async () => {
    const report = await blame([log, captors], older)
    expect(report).toMatchObject({ standing: 'ambiguous', guilty: [], suspects: [1, 2, 4] })
    const [{ sentence = '' } = {}] = report.descriptions
    expect(sentence).toMatch(
      /^replica 1 signed two different checkpoints of slot 16 in epoch 1: its owner lied, or its key was stolen/,
    )
  })

  it.each(['first', 'last'])(
    'of which one goes on after the end name who signed the end and went on, told %s',
    async (order) => {
      const logs = order === 'first' ? [longer, log] : [log, longer]
      const report = await blame(logs)
      expect(report).toMatchObject({ standing: 'ambiguous', guilty: [], suspects: [1, 2, 4], splits: [] })
      expect(report.convictions.map(({ found }) => found)).toContain('past-the-end')
      expect(report.forks).toContain(17)
    },
  )

  it('of which one shows the end alone, and the other a checkpoint of that slot that ends nothing, name who signed both', async () => {
    const told = {
      kind: 'bundle',
      name: 'end',
      bytes: [log.bundle({ to: 0, contents: { kind: 'evidence' } })],
    } as const
    const other = { kind: 'bundle', name: 'no end', bytes: [secondEpoch().fill(7).bundle()] } as const
    const report = await findCulprits({ genesis: GENESIS, sources: [told, other] })
    expect(report).toMatchObject({ guilty: [], suspects: [1, 2, 4] })
  })

  it('accuse nobody with the pin, by which one of them is not used', async () => {
    const report = await blame([log, captors], pin)
    expect(report).toMatchObject({ standing: 'pinned', guilty: [], suspects: [], splits: [], forks: [] })
    expect(report.refused).toMatchObject([{ where: 'log 1, epoch 2', code: 'not-through-pin' }])
  })

  it('that are one log are not', async () => {
    expect(await blame([log, log], pin)).toMatchObject({
      standing: 'pinned',
      guilty: [],
      suspects: [],
      splits: [],
      forks: [],
    })
  })
})

describe('who lies', () => {
  const twice = (where: EpochsLog) => {
    const of = where.chain.last
    const [first, other] = ['one', 'other'].map((name) =>
      where.vote(1, { slot: slot(of.start.slot + 1), digest: bytesFor(name) }),
    )
    if (first === undefined || other === undefined) throw new Error('two votes')
    where.evidence.push({ epoch: of, evidence: { kind: 'two-votes', accused: first.replica, first, second: other } })
    return where
  }

  it('in the epoch that is pinned is named for certain', async () => {
    const report = await blame([twice(rotateAll(secondEpoch()).endEpoch().fill(4))], pin)
    expect(report).toMatchObject({ standing: 'pinned', guilty: [1], suspects: [] })
    expect(report.descriptions[0]?.sentence).toMatch(/^replica 1 signed two different Accept statements .* in epoch 2$/)
  })

  it('in an epoch that thieves made up is nobody for certain: they chose the keys', async () => {
    const report = await blame([twice(rotateAll(secondEpoch()).endEpoch(captured).fill(4))])
    expect(report).toMatchObject({ standing: 'ambiguous', guilty: [], suspects: [1] })
    expect(report.descriptions[0]?.sentence).toContain('made that epoch up')
  })
})
