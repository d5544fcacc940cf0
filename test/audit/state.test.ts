// The proof of one key of the state as a file: what `get --read stale --proof` keeps.

import { describe, expect, it } from 'vitest'
import { fromUtf8, utf8 } from '../../crypto/index.ts'
import { nativeVerifier } from '../../keys/native/index.ts'
import {
  type AuditSummary,
  type AuditVerdict,
  type BundleState,
  encodeStateFile,
  verifyBundle,
} from '../../src/audit/verify/index.ts'
import { decodeEntry } from '../../src/machine/index.ts'
import { resealed, TestLog, testGenesis } from './support.ts'

const test = testGenesis()
const log = new TestLog(test).fill(4)
const state = log.state('key-2')
const later = log.fill(4).state('key-2')

function fileOf(given: BundleState): Uint8Array {
  const file = encodeStateFile(given, test.genesis, nativeVerifier)
  if (file === undefined) throw new Error('no checkpoint')
  return file
}

function linesOf(file: Uint8Array): string[] {
  return (fromUtf8(file) ?? '').trimEnd().split('\n').slice(0, -1)
}

async function audited(file: Uint8Array): Promise<{ verdicts: AuditVerdict[]; summary: AuditSummary }> {
  const verdicts: AuditVerdict[] = []
  for await (const each of verifyBundle([file], test.genesis, { level: 'log', verifier: nativeVerifier })) {
    if (each.kind === 'summary') return { verdicts, summary: each }
    verdicts.push(each)
  }
  throw new Error('no summary')
}

async function faultsOf(file: Uint8Array) {
  const { summary } = await audited(file)
  return summary.faults.map(({ check, code }) => `${check} ${code}`)
}

describe('the proof of a key of the state', () => {
  it('holds, and says under which checkpoint and by whom', async () => {
    const { verdicts, summary } = await audited(fileOf(state))
    expect(summary).toMatchObject({ valid: true, states: 1, checkpoints: 1, entries: 0, contents: { kind: 'state' } })
    const [, , shown] = verdicts
    expect(shown).toMatchObject({ kind: 'state', checkpoint: 4, signers: [0, 1, 2], faults: [] })
    expect(decodeEntry(utf8('key-2'), state.proof.value ?? new Uint8Array(0))).toMatchObject({ modRevision: 2 })
  })

  it('holds for a key that is not there', async () => {
    const none = new TestLog(test).fill(4).state('none')
    expect(none.proof.value).toBeUndefined()
    expect((await audited(fileOf(none))).summary).toMatchObject({ valid: true, states: 1 })
  })

  it('does not hold for another value, for absence, or for another key', async () => {
    const { proof } = state
    for (const lie of [{ value: utf8('other') }, { value: undefined }, { key: utf8('other') }]) {
      expect(await faultsOf(fileOf({ ...state, proof: { ...proof, ...lie } }))).toEqual(['state not-in-state'])
    }
  })

  it('does not hold under another checkpoint, nor with the position of another', async () => {
    const { proof } = state
    expect(await faultsOf(fileOf({ ...later, proof }))).toEqual(['state bad-position'])
    expect(await faultsOf(fileOf({ ...state, proof: { ...proof, position: later.proof.position } }))).toEqual([
      'state bad-position',
    ])
    const nowhere = { value: undefined, proof: proof.position.proof }
    expect(await faultsOf(fileOf({ ...state, proof: { ...proof, position: nowhere } }))).toEqual(['state bad-position'])
  })

  it('is one checkpoint and one key, and nothing else', async () => {
    const [head = '', checkpoint = '', line = ''] = linesOf(fileOf(state))
    expect(await faultsOf(resealed([head, checkpoint, line]))).toEqual([])
    expect(await faultsOf(resealed([head, checkpoint, line, line]))).toEqual(['contents other-contents'])
    expect(await faultsOf(resealed([head, checkpoint]))).toEqual(['contents other-contents'])
    const [, second = ''] = linesOf(fileOf(later))
    expect(await faultsOf(resealed([head, checkpoint, line, second]))).toEqual(['contents other-contents'])
    const other = line.replace(/"key":"[0-9a-f]{4}/, '"key":"1002')
    expect(await faultsOf(resealed([head, checkpoint, other]))).toContain('contents other-key')
    expect(await faultsOf(resealed([head, line]))).toContain('state no-checkpoint')
    const receipt = head.replace(/"contents":.*/, '"contents":{"kind":"receipt"}}')
    expect(await faultsOf(resealed([receipt, checkpoint, line]))).toEqual(['contents other-contents'])
  })

  it('does not hold under a checkpoint that is no good', async () => {
    const [head = '', checkpoint = '', line = ''] = linesOf(fileOf(state))
    const forged = checkpoint.replace(
      /\\n([^\\]*)\\n"/,
      (_, signature: string) => `\\n${signature.slice(0, -8)}AAAAAAA=\\n"`,
    )
    expect(forged).not.toBe(checkpoint)
    const faults = await faultsOf(resealed([head, forged, line]))
    expect(faults).toContain('state bad-checkpoint')
  })
})
