// Bundles of several epochs: every hand-over is signed by a quorum of the epoch before, everything else is judged in the epoch that
// it is of, and what rests on keys of an epoch that is over counts for no more than it can (pitfalls P05, P60, P61).

import { describe, expect, it } from 'vitest'
import { checkpointKeys, formatNote, type NoteSignature, parseNote, utf8 } from '../../crypto/index.ts'
import { encodeCharter } from '../../keys/charter/index.ts'
import { nativeVerifier } from '../../keys/native/index.ts'
import { type AuditOptions, type AuditSummary, type BatchVerifier, verifyBundle } from '../../src/audit/verify/index.ts'
import { checkpointBytes, type EpochContext, type Pin } from '../../src/consensus/index.ts'
import { bytesFor } from '../support/cluster.ts'
import { GENESIS, INTERVAL, signerAt } from './epochs-keys.ts'
import { EpochsLog, linesOf, text, threeEpochs } from './epochs-log.ts'
import { resealed } from './support.ts'

const nativeBatch: BatchVerifier = async (jobs) =>
  jobs.map(({ key, message, signature }) => nativeVerifier.verify(key, message, signature))

const log = threeEpochs()
const [first, second, third] = log.chain.epochs
if (first === undefined || second === undefined || third === undefined) throw new Error('three epochs')
const pin = log.chain.pin ?? fail()
/** Lines 2 and 3 name the epochs. */
const lines = linesOf(log.bundle()).slice(0, -1)

function fail(): never {
  throw new Error('nothing there')
}

async function audit(bytes: Uint8Array, options: Partial<AuditOptions> = {}): Promise<AuditSummary> {
  const all = { level: 'certificates', verifier: nativeVerifier, ...options } as const
  for await (const each of verifyBundle([bytes], GENESIS, all)) if (each.kind === 'summary') return each
  throw new Error('no summary')
}

/** Where and why it is refused, with the pin unless told. */
async function refusal(bytes: Uint8Array, options: Partial<AuditOptions> = { pin }): Promise<string[]> {
  const summary = await audit(bytes, options)
  expect(await audit(bytes, { ...options, batch: nativeBatch })).toEqual(summary)
  return summary.faults.map(({ where, check, code }) => `${where}: ${check} ${code}`)
}

async function standing(bytes: Uint8Array, options: Partial<AuditOptions>): Promise<string> {
  const { standing: found, valid, faults } = await audit(bytes, options)
  expect(faults).toEqual([])
  expect(valid).toBe(found !== 'ambiguous')
  return found
}

const changed = (change: (lines: string[]) => string[]) => resealed(change([...lines]))
const relined = (at: number, change: (line: string) => string) =>
  changed((all) => all.map((line, i) => (i === at - 1 ? change(line) : line)))

describe('a bundle of three epochs', () => {
  it('names its hand-overs right after its head, and the format is another', () => {
    expect(lines[0]).toMatch(/^\{"format":"quorate-audit-2",/)
    expect(lines.slice(1, 4).map((line) => JSON.parse(line).kind)).toEqual(['epoch', 'epoch', 'checkpoint'])
    expect(lines[1]).toContain(Buffer.from(encodeCharter(second.charter)).toString('hex'))
    expect(linesOf(new EpochsLog().fill(1).bundle())[0]).toMatch(/^\{"format":"quorate-audit-1",/)
  })

  it.each(['certificates', 'log', 'replay'] as const)('holds at level %s', async (level) => {
    expect(await refusal(log.bundle({ to: 5 * INTERVAL }), { pin, level })).toEqual([])
  })

  it('is pinned by the pin of its last epoch, and ambiguous with an older one and with none', async () => {
    const older = { ...pin, epoch: second.charter.epoch, handOver: second.start.justification }
    expect(await standing(log.bundle(), { pin })).toBe('pinned')
    expect(await standing(log.bundle(), { pin: older })).toBe('ambiguous')
    expect(await standing(log.bundle(), {})).toBe('ambiguous')
    expect(await standing(new EpochsLog().fill(1).bundle(), {})).toBe('genesis')
  })

  it('is as certain for whoever followed the chain, who need not be told the epochs again', async () => {
    const { chain } = log
    expect(await standing(log.bundle(), { chain })).toBe('pinned')
    const untold = new EpochsLog().fill(2)
    expect(await refusal(untold.bundle(), { chain })).toEqual(
      ['slot 1', 'slot 2'].map((where) => `${where}: inclusion not-under-pin`),
    )
    expect(await refusal(untold.bundle(), { pin })).toEqual(['the bundle: epoch shorter-than-pin'])
  })

  it.each([
    ['of another hand-over', { ...pin, handOver: bytesFor('another') }, 'epoch 2: epoch not-through-pin'],
    ['of a later epoch', { ...pin, epoch: 3 as Pin['epoch'] }, 'the bundle: epoch shorter-than-pin'],
    ['of another cluster', { ...pin, clusterId: bytesFor('another') }, 'the bundle: epoch pin-of-another-cluster'],
  ])('is refused with a pin %s', async (_, other, expected) => {
    expect(await refusal(log.bundle(), { pin: other })).toEqual([expected])
  })

  it('says of how many entries the results rest on retired keys, and execution settles them', async () => {
    const bytes = log.bundle({ to: 5 * INTERVAL })
    expect(await audit(bytes, { pin })).toMatchObject({ epochs: 2, entries: 20, retiredResults: 16 })
    expect(await audit(bytes, { pin, level: 'replay' })).toMatchObject({ valid: true, retiredResults: 0 })
  })
})

describe('a line of an epoch', () => {
  const bytesOf = (name: 'charter', line: string) => Buffer.from(JSON.parse(line)[name], 'hex')
  const withCharter = (charter: Uint8Array) => (line: string) =>
    JSON.stringify({ ...JSON.parse(line), charter: Buffer.from(charter).toString('hex') })
  const withNote = (change: (note: string) => string) => (line: string) => {
    const { note, ...rest } = JSON.parse(line)
    return JSON.stringify({ ...rest, note: change(note) })
  }
  const signed = (change: (signatures: NoteSignature[]) => NoteSignature[]) =>
    withNote((note) => {
      const parsed = parseNote(utf8(note))
      if (!parsed.ok) throw new Error('no note')
      return text(formatNote({ text: parsed.value.text, signatures: change([...parsed.value.signatures]) }))
    })
  /** The hand-over to the second epoch, signed by the members of `of` at these positions. */
  const signedBy = (by: readonly number[], of: EpochContext = first) =>
    signed(() => {
      const { checkpoint } = log.chain.links[0] ?? fail()
      const bytes = checkpointBytes(checkpoint, first.membership, GENESIS.contents.name)
      const keys = checkpointKeys(first.membership, GENESIS.contents.name)
      return by.map((replica) => {
        const { name, id } = keys[replica] ?? fail()
        return { name, id, signature: signerAt(of, replica).sign(bytes) }
      })
    })

  it('is refused with any byte of its charter changed', async () => {
    const charter = bytesOf('charter', lines[1] ?? '')
    const noticed: string[] = []
    // The first byte of each field, and of each member's; the slow tests change every one.
    for (let at = 0; at < charter.length; at += 3) {
      const other = Uint8Array.from(charter)
      other[at] = (other[at] ?? 0) ^ 1
      const [found = 'NOTHING'] = (await audit(relined(2, withCharter(other)), { pin })).faults.map(
        ({ check }) => check,
      )
      noticed.push(found)
    }
    expect([...new Set(noticed)]).toEqual(['epoch'])
  })

  it.each([
    ['another charter', 2, withCharter(encodeCharter(third.charter)), 'epoch 1: epoch wrong-epoch'],
    ['no charter', 2, withCharter(utf8('none')), 'epoch 1: epoch bad-charter'],
    [
      'another slot in its note',
      2,
      withNote((note) => note.replace('\n8\n', '\n12\n')),
      'epoch 1: epoch bad-signature',
    ],
    [
      'another origin',
      2,
      withNote((note) => note.replace('quorate/epochs-', 'quorate/others-')),
      'epoch 1: epoch wrong-origin',
    ],
    [
      'another epoch in its note',
      3,
      withNote((note) => note.replace('\nepoch 1 ', '\nepoch 2 ')),
      'epoch 2: epoch bad-extension',
    ],
    ['no next', 2, withNote((note) => note.replace(/\nnext .*/, '')), 'epoch 1: epoch bad-signature'],
    ['q - 1 signers', 2, signed((all) => all.slice(1)), 'epoch 1: epoch wrong-number-of-lines'],
    ['one signer twice', 2, signed(([a, b]) => (a && b ? [a, a, b] : [])), 'epoch 1: epoch too-few-signers'],
    ['more than q signers', 2, signedBy([0, 1, 2, 3]), 'epoch 1: epoch wrong-number-of-lines'],
    ['signers in another order', 2, signed((all) => all.reverse()), 'epoch 1: epoch unsorted-signers'],
    ['signers of the next epoch', 2, signedBy([0, 1, 2], second), 'epoch 1: epoch bad-signature'],
  ])('is refused with %s', async (_, line, change, expected) => {
    expect(await refusal(relined(line, change))).toEqual([expected])
  })

  it.each([
    ['left out', (all: string[]) => all.filter((_, i) => i !== 1), 'epoch 1: epoch wrong-epoch'],
    ['twice', (all: string[]) => all.toSpliced(1, 0, all[1] ?? ''), 'epoch 2: epoch wrong-epoch'],
    [
      'in another order',
      (all: string[]) => all.toSpliced(1, 2, all[2] ?? '', all[1] ?? ''),
      'epoch 1: epoch wrong-epoch',
    ],
    ['below an entry', (all: string[]) => all.toSpliced(2, 1).toSpliced(5, 0, all[2] ?? ''), 'format misplaced'],
    ['missing altogether', (all: string[]) => all.toSpliced(1, 2), 'line 2: format no-epochs'],
    [
      'in the format without',
      (all: string[]) => all.map((line) => line.replace('audit-2', 'audit-1')),
      'line 2: format misplaced',
    ],
  ])('is refused %s', async (_, change, expected) => {
    expect((await refusal(changed(change), {})).at(-1)).toContain(expected)
  })

  it('that was left out at the end leaves the slots of its epoch to the one before, whose members do not sign for them', async () => {
    const faults = await refusal(
      changed((all) => all.toSpliced(2, 1)),
      {},
    )
    expect(faults).toContain('checkpoint 16: checkpoint epoch-ended')
    expect(faults.filter((each) => each.startsWith('slot 17'))).toContain('slot 17: entry wrong-epoch')
  })
})
