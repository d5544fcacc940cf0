// Freezes the format of bundles of several epochs. The keys are those of test/audit/epochs-log.ts, so everything can be made again.

import { describe, expect, it } from 'vitest'
import { portableVerifier, slot, utf8 } from '../../crypto/index.ts'
import { nativeVerifier } from '../../keys/native/index.ts'
import { encodeReceiptFile, verifyBundle } from '../../src/audit/verify/index.ts'
import { formatPin, parsePin } from '../../src/consensus/index.ts'
import { bytesFor } from '../support/cluster.ts'
import { golden } from '../support/golden.ts'
import { GENESIS, GENESIS_BYTES } from './epochs-keys.ts'
import { text, threeEpochs } from './epochs-log.ts'

function made(): Record<'genesis' | 'bundle' | 'receipt' | 'pin', string> {
  const log = threeEpochs()
  const { last } = log.chain
  const [first, second] = ['one', 'other'].map((name) => log.vote(0, { slot: slot(17), digest: bytesFor(name) }))
  if (first === undefined || second === undefined || log.chain.pin === undefined) throw new Error('two votes and a pin')
  log.newViews.push(log.newView())
  log.evidence.push({ epoch: last, evidence: { kind: 'two-votes', accused: first.replica, first, second } })
  return {
    genesis: text(GENESIS_BYTES),
    bundle: text(log.bundle()),
    receipt: text(encodeReceiptFile(log.receiptFor(18), GENESIS, log.chain)),
    pin: formatPin(log.chain.pin),
  }
}

function frozen(name: string): string {
  const all = golden('audit-epochs', made())
  if (typeof all !== 'object' || all === null) throw new Error('no golden file')
  return String(Reflect.get(all, name))
}

describe('the format quorate-audit-2', () => {
  it('is written as ever', () => {
    expect(golden('audit-epochs', made())).toEqual(made())
  })

  it('is as valid for the portable verifier', async () => {
    const options = { level: 'log', verifier: portableVerifier, pin: parsePin(frozen('pin')) } as const
    for await (const each of verifyBundle([utf8(frozen('receipt'))], GENESIS, options)) {
      if (each.kind === 'summary') expect(each).toMatchObject({ valid: true, receipts: 1, epochs: 2 })
    }
  })

  it.each(['bundle', 'receipt'])('is read as ever: the %s is valid with the pin alone', async (name) => {
    const pin = parsePin(frozen('pin'))
    const options = { level: 'certificates', verifier: nativeVerifier } as const
    for (const [trust, standing] of [[{ pin }, 'pinned'] as const, [{}, 'ambiguous'] as const]) {
      for await (const each of verifyBundle([utf8(frozen(name))], GENESIS, { ...options, ...trust })) {
        if (each.kind === 'summary') expect(each).toMatchObject({ faults: [], standing, valid: standing === 'pinned' })
      }
    }
  })
})
