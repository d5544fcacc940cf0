// What a bundle of several epochs holds beside its hand-overs, each thing judged in the epoch that it is of (pitfalls P05, P60, P61).

import { describe, expect, it } from 'vitest'
import { type Certificate, encodeCertificate, hex, slot, ZERO_DIGEST } from '../../crypto/index.ts'
import { nativeVerifier } from '../../keys/native/index.ts'
import {
  type AuditOptions,
  type AuditSummary,
  type BatchVerifier,
  encodeReceiptFile,
  encodeStateFile,
  verifyBundle,
} from '../../src/audit/verify/index.ts'
import type { EpochContext, Evidence } from '../../src/consensus/index.ts'
import { bytesFor } from '../support/cluster.ts'
import { GENESIS } from './epochs-keys.ts'
import { EpochsLog, linesOf, threeEpochs } from './epochs-log.ts'
import { resealed } from './support.ts'

const nativeBatch: BatchVerifier = async (jobs) =>
  jobs.map(({ key, message, signature }) => nativeVerifier.verify(key, message, signature))

const log = threeEpochs()
const [first, second, third] = log.chain.epochs
if (first === undefined || second === undefined || third === undefined) throw new Error('three epochs')
const pin = log.chain.pin
if (pin === undefined) throw new Error('no pin')

async function audit(bytes: Uint8Array, options: Partial<AuditOptions> = { pin }): Promise<AuditSummary> {
  const all = { level: 'certificates', verifier: nativeVerifier, ...options } as const
  for await (const each of verifyBundle([bytes], GENESIS, all)) if (each.kind === 'summary') return each
  throw new Error('no summary')
}

async function refusal(bytes: Uint8Array, options: Partial<AuditOptions> = { pin }): Promise<string[]> {
  const summary = await audit(bytes, options)
  expect(await audit(bytes, { ...options, batch: nativeBatch })).toEqual(summary)
  return summary.faults.map(({ where, check, code }) => `${where}: ${check} ${code}`)
}

/** The whole log with lines changed that hold `part`. */
function changed(part: string, change: (line: string) => string, bytes = log.bundle()): Uint8Array {
  const lines = linesOf(bytes).slice(0, -1)
  expect(lines.some((line) => line.includes(part))).toBe(true)
  return resealed(lines.map((line) => (line.includes(part) ? change(line) : line)))
}

const withMember = (name: string, value: unknown) => (line: string) =>
  JSON.stringify({ ...JSON.parse(line), [name]: value })
const certificateHex = (certificate: Certificate) => hex(encodeCertificate(certificate))

describe('an entry', () => {
  const accepted = (at: number, of: EpochContext) =>
    log.certificate('accept', { slot: slot(at), digest: log.slots[at - 1]?.entry.digest ?? ZERO_DIGEST }, [0, 1, 2], of)

  it.each([
    ['after its end by the epoch before', 17, second],
    ['before its start by the epoch after', 16, third],
    ['in the middle by the first epoch', 12, first],
  ])('is not chosen %s', async (_, at, of) => {
    const bytes = changed(`"kind":"entry","slot":${at},`, withMember('certificate', certificateHex(accepted(at, of))))
    expect(await refusal(bytes)).toEqual([`slot ${at}: certificate wrong-membership`])
  })

  it('of one epoch does not stand in a slot of another', async () => {
    const bytes = changed('"kind":"entry","slot":17,', withMember('epoch', 1))
    expect((await refusal(bytes))[0]).toBe('slot 17: entry wrong-epoch')
  })

  it('has results that members of its epoch signed', async () => {
    const root = log.slots[16]?.receipt.statement.digest ?? ZERO_DIGEST
    const receipt = log.certificate(
      'receipt',
      { slot: slot(17), digest: root, justification: ZERO_DIGEST },
      [0, 1],
      second,
    )
    const bytes = changed('"kind":"entry","slot":17,', withMember('receipt', certificateHex(receipt)))
    expect(await refusal(bytes)).toEqual(['slot 17: receipt wrong-membership'])
  })

  it('in view 0 relies on the hand-over to its epoch', async () => {
    const statement = { slot: slot(17), digest: log.slots[16]?.entry.digest ?? ZERO_DIGEST }
    const relying = (justification: typeof ZERO_DIGEST) =>
      changed(
        '"kind":"entry","slot":17,',
        withMember(
          'certificate',
          certificateHex(log.certificate('accept', { ...statement, justification }, [0, 1, 2], third)),
        ),
      )
    expect(await refusal(relying(third.start.justification))).toEqual([])
    expect(await refusal(relying(second.start.justification))).toEqual(['slot 17: certificate wrong-justification'])
  })

  it('of an epoch that is over must lie in the pinned log; without a pin nobody asks', async () => {
    const bytes = log.bundle({ from: 1, to: 4, lead: false })
    expect(await refusal(bytes)).toEqual([1, 2, 3, 4].map((at) => `slot ${at}: inclusion not-under-pin`))
    expect(await refusal(bytes, {})).toEqual([])
    expect(await audit(log.bundle({ from: 1, to: 4 }))).toMatchObject({ valid: true, standing: 'pinned' })
    expect(await audit(log.bundle({ from: 18, to: 20, lead: false }))).toMatchObject({
      valid: true,
      standing: 'pinned',
    })
  })
})

describe('a checkpoint', () => {
  it.each([
    ['another hash', (line: string) => line.replace(/"consistency":\["../, '"consistency":["00')],
    ['the proof of none', (line: string) => line.replace(/"consistency":\[.*\]/, '"consistency":[]')],
  ])('does not lead to the log of the last epoch with %s', async (_, change) => {
    expect((await refusal(changed('"consistency"', change)))[0]).toMatch(/^checkpoint 4: checkpoint not-in-log$/)
  })

  it('that is not below the last epoch has no such proof', async () => {
    const bytes = changed('\\n20\\n', (line) => line.replace(/\}$/, ',"consistency":[]}'))
    expect((await refusal(bytes))[0]).toBe('checkpoint 20: checkpoint needless-proof')
  })

  it('with which an epoch ended is the hand-over itself', async () => {
    const last = log.checkpoints[1]
    if (last === undefined) throw new Error('no checkpoint 8')
    const { signatures: _, ...content } = last.checkpoint
    for (const change of [{ next: undefined }, { stateRoot: bytesFor('another') }]) {
      const forged = new EpochsLog().fill(0)
      const signatures = [0, 1, 2].map((replica) => forged.note(replica, { ...content, ...change }, first))
      const bytes = changed('\\n8\\n', (line) =>
        line.includes('"kind":"checkpoint"')
          ? withMember('note', forged.noteOf({ ...content, ...change, signatures }, first))(line)
          : line,
      )
      expect((await refusal(bytes))[0]).toBe('checkpoint 8: checkpoint other-hand-over')
    }
  })
})

describe('execution', () => {
  it('ends in the charters that were handed over to', async () => {
    const other = new EpochsLog().fill(2)
    other.change([other.rotation(2, 'two anew')])
    other.endEpoch((charter) => ({ ...charter, admins: { threshold: 2 } })).fill(1)
    const faults = await refusal(other.bundle({ to: 8 }), { pin: other.chain.pin, level: 'replay' })
    expect(faults).toEqual(['slot 8: replay other-charter'])
  })
})

describe('a receipt and the proof of a key', () => {
  it('are certain in the last epoch', async () => {
    const receipt = encodeReceiptFile(log.receiptFor(18), GENESIS, log.chain)
    expect(await audit(receipt)).toMatchObject({ valid: true, standing: 'pinned', receipts: 1 })
    const fresh = threeEpochs().fill(3)
    const state = encodeStateFile(fresh.state('key-18'), GENESIS, nativeVerifier, fresh.chain) ?? new Uint8Array(0)
    expect(await audit(state)).toMatchObject({ valid: true, standing: 'pinned', states: 1 })
  })

  it('of an epoch that is over rest on retired keys alone, and are ambiguous whatever is pinned', async () => {
    const receipt = encodeReceiptFile(log.receiptFor(9), GENESIS, log.chain)
    expect(await audit(receipt)).toMatchObject({ faultCount: 0, valid: false, standing: 'ambiguous' })
    const before = new EpochsLog().fill(2)
    before
      .change([before.replacement(0, 'four')])
      .endEpoch()
      .fill(4)
    const state = encodeStateFile(before.state('key-1'), GENESIS, nativeVerifier, log.chain) ?? new Uint8Array(0)
    expect(await audit(state)).toMatchObject({ faultCount: 0, valid: false, standing: 'ambiguous' })
  })

  it('are not signed by another epoch than that of their slot', async () => {
    const { receipt } = log.slots[16] ?? {}
    if (receipt === undefined) throw new Error('no receipt')
    const { digest } = receipt.statement
    const certificate = log.certificate(
      'receipt',
      { slot: slot(18), digest, justification: ZERO_DIGEST },
      [0, 1],
      second,
    )
    const forged = encodeReceiptFile({ ...log.receiptFor(18), certificate }, GENESIS, log.chain)
    expect(await refusal(forged)).toEqual(['the receipt: receipt wrong-membership'])
  })

  it('are certain for a key in the very state that the last epoch began with', async () => {
    const ending = new EpochsLog().fill(2)
    ending.change([ending.replacement(0, 'four')]).endEpoch()
    const state = encodeStateFile(ending.state('key-1'), GENESIS, nativeVerifier, ending.chain) ?? new Uint8Array(0)
    expect(await audit(state, { pin: ending.chain.pin })).toMatchObject({ valid: true, standing: 'pinned' })
  })
})

describe('NewViews and evidence', () => {
  const told = threeEpochs()
  for (const of of [first, second, third]) told.newViews.push(told.newView(of))
  const twice = (replica: number, of: EpochContext): Evidence => {
    const [a, b] = ['one', 'other'].map((name) =>
      told.vote(replica, { slot: slot(of.start.slot + 1), digest: bytesFor(name) }, of),
    )
    if (a === undefined || b === undefined) throw new Error('two votes')
    return { kind: 'two-votes', accused: a.replica, first: a, second: b }
  }
  told.evidence.push({ epoch: first, evidence: twice(0, first) }, { epoch: third, evidence: twice(0, third) })

  it('hold in their own epoch, and convict the member that was then at that position', async () => {
    const summary = await audit(told.bundle({ contents: { kind: 'evidence' }, to: 0 }))
    expect(summary).toMatchObject({ valid: true, newViews: 3, evidence: 2, convicted: [4], suspected: [0] })
  })

  it.each([
    ['another', (line: string) => line.replace('"epoch":2', '"epoch":1'), 'evidence two-votes'],
    ['the first', (line: string) => line.replace('"epoch":2,', ''), 'evidence two-votes'],
    ['no known', (line: string) => line.replace('"epoch":2', '"epoch":3'), 'evidence unknown-epoch'],
  ])('do not convict in %s epoch', async (_, change, expected) => {
    const bytes = changed('"kind":"evidence","epoch":2', change, told.bundle({ contents: { kind: 'evidence' }, to: 0 }))
    expect((await refusal(bytes))[0]).toContain(expected)
  })

  it('convict by notes alone, whose epoch the line says', async () => {
    const notes = threeEpochs()
    const content = { logRoot: bytesFor('log'), stateRoot: bytesFor('state'), next: undefined }
    const [a, b] = [bytesFor('state'), bytesFor('another')].map((stateRoot) =>
      notes.note(1, { ...content, slot: slot(12), stateRoot }, second),
    )
    if (a === undefined || b === undefined) throw new Error('two notes')
    notes.evidence.push({
      epoch: second,
      evidence: { kind: 'two-checkpoints', accused: a.replica, first: a, second: b },
    })
    const bytes = notes.bundle({ contents: { kind: 'evidence' }, to: 0 })
    expect(await audit(bytes)).toMatchObject({ valid: true, convicted: [], suspected: [1] })
    expect(await refusal(changed('"epoch":1', (line) => line.replace('"epoch":1', '"epoch":2'), bytes))).toHaveLength(1)
  })
})
