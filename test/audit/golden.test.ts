// Freezes the format: a bundle, a receipt and a genesis as text, for verifiers in other languages too. The keys are those of
// test/audit/support.ts, so everything can be made again.

import { describe, expect, it } from 'vitest'
import { fromUtf8, slot, utf8, view } from '../../crypto/index.ts'
import { readGenesis } from '../../keys/genesis/index.ts'
import { nativeVerifier } from '../../keys/native/index.ts'
import { type AuditLevel, encodeReceiptFile, encodeStateFile, verifyBundle } from '../../src/audit/verify/index.ts'
import { bytesFor } from '../support/cluster.ts'
import { golden } from '../support/golden.ts'
import { receiptFor, TestLog, testGenesis, writeBundle } from './support.ts'

const test = testGenesis({ interval: 2 })

function made(): Record<'genesis' | 'bundle' | 'receipt' | 'state', string> {
  const log = new TestLog(test).fill(1)
  log.append([])
  const state = encodeStateFile(log.state('key-1'), test.genesis, nativeVerifier)
  if (state === undefined) throw new Error('no checkpoint')
  log.append(log.bundle({ kind: 'get', key: utf8('key-1') }, { kind: 'delete', key: utf8('key-1'), previous: false }))
  const prepared = log.certificate('prepare', { slot: slot(3), digest: bytesFor('kept') }, [0, 1, 2])
  const newView = log.newView(1, [log.viewChange(0, 1, [prepared]), log.viewChange(2, 1), log.viewChange(3, 1)])
  const justification = newView.vote.statement.digest
  const vote = log.vote(2, { view: view(1), slot: slot(3), justification, digest: bytesFor('other') })
  const accept = log.vote(3, { view: view(0), slot: slot(3), digest: bytesFor('kept') })
  log.evidence.push(
    { kind: 'hidden-prepared', accused: accept.replica, accept, viewChange: log.viewChange(3, 1) },
    { kind: 'against-new-view', accused: vote.replica, vote, newView },
  )
  return {
    genesis: text(test.genesisBytes),
    bundle: text(writeBundle(log)),
    receipt: text(encodeReceiptFile(receiptFor(log, 3, 1), test.genesis)),
    state: text(state),
  }
}

function frozen(name: string): string {
  const all = golden('audit', made())
  if (typeof all !== 'object' || all === null) throw new Error('no golden file')
  return String(Reflect.get(all, name))
}

const text = (bytes: Uint8Array) => fromUtf8(bytes) ?? ''

describe('the format quorate-audit-1', () => {
  it('is written as ever', () => {
    expect(golden('audit', made())).toEqual(made())
  })

  it.each([
    ['bundle', 'certificates', true],
    ['bundle', 'log', false],
    ['receipt', 'log', true],
    ['state', 'log', true],
    ['state', 'replay', false],
  ] as const)('is read as ever: the %s at level %s is valid: %s', async (name, level, valid) => {
    const [genesisText, file] = [frozen('genesis'), frozen(name)]
    const genesis = readGenesis(utf8(genesisText), nativeVerifier)
    if (!genesis.ok) throw new Error('bad genesis')
    expect(await verdict(utf8(file), level, genesis.value)).toBe(valid)
  })

  async function verdict(
    file: Uint8Array,
    level: AuditLevel,
    genesis: typeof test.genesis,
  ): Promise<boolean | undefined> {
    for await (const each of verifyBundle([file], genesis, { level, verifier: nativeVerifier })) {
      if (each.kind === 'summary') return each.valid
    }
    return undefined
  }
})
