// Fencing tokens of clusters whose members changed: whose signatures count is said by the epochs that a token or its reader brings.

import { describe, expect, it } from 'vitest'
import { slot, utf8, ZERO_DIGEST } from '../../crypto/index.ts'
import {
  type BundleReceipt,
  encodeReceiptFile,
  type FencingOptions,
  verifyFencingToken,
} from '../../src/audit/verify/index.ts'
import { lockTransaction } from '../../src/machine/index.ts'
import { GENESIS } from './epochs-keys.ts'
import { EpochsLog } from './epochs-log.ts'

/** A lock in each of two epochs, by a lease of the first. */
function lockedTwice(): { log: EpochsLog; early: number; late: number } {
  const log = new EpochsLog()
  log.append(log.ask({ kind: 'lease-grant', ttlMs: 30_000 }))
  const take = (name: string) => {
    log.append(log.ask(lockTransaction({ kind: 'lock', name, value: utf8('me'), lease: 1 })))
    return log.slots.length
  }
  const early = take('early')
  log.change([log.replacement(0, 'four')]).endEpoch()
  return { log, early, late: take('late') }
}

const { log, early, late } = lockedTwice()
const { chain } = log
const pin = chain.pin
const name = (at: number) => (at === early ? 'early' : 'late')
const tokenAt = (at: number) => encodeReceiptFile(log.receiptFor(at), GENESIS, chain)

async function verdict(token: Uint8Array | BundleReceipt, at: number, trust: Partial<FencingOptions>) {
  const checked = await verifyFencingToken(token, { genesis: GENESIS, name: name(at), ...trust })
  return checked.ok ? checked.value : checked.fault.code
}

describe('a fencing token of a later epoch', () => {
  it('is good for who has the pin or the chain, signed by members of that epoch', async () => {
    const good = { slot: late, signers: [4, 1], retired: false }
    expect(await verdict(tokenAt(late), late, { pin })).toMatchObject(good)
    expect(await verdict(tokenAt(late), late, { chain })).toMatchObject(good)
    expect(await verdict(log.receiptFor(late), late, { chain })).toMatchObject(good)
  })

  it('is ambiguous for who has the genesis alone', async () => {
    expect(await verdict(tokenAt(late), late, {})).toBe('ambiguous')
  })

  it('needs the epochs: a bare receipt proves nothing against a pin', async () => {
    expect(await verdict(log.receiptFor(late), late, { pin })).toBe('epoch: shorter-than-pin')
    expect(await verdict(log.receiptFor(late), late, {})).toBe('receipt: wrong-membership')
  })

  it('is not signed by members of the epoch before', async () => {
    const [first] = chain.epochs
    const { certificate, ...rest } = log.receiptFor(late)
    const { digest } = certificate.statement
    const said = { slot: slot(late), digest, justification: ZERO_DIGEST }
    const forged = { ...rest, certificate: log.certificate('receipt', said, [0, 1], first) }
    expect(await verdict(forged, late, { chain })).toBe('receipt: wrong-membership')
    expect(await verdict(encodeReceiptFile(forged, GENESIS, chain), late, { pin })).toBe('receipt: wrong-membership')
  })
})

describe('a fencing token of an epoch that is over', () => {
  it('says so, since thieves of retired keys could have made it', async () => {
    for (const trust of [{ pin }, { chain }]) {
      expect(await verdict(tokenAt(early), early, trust)).toMatchObject({ slot: early, signers: [0, 1], retired: true })
    }
    expect(await verdict(log.receiptFor(early), early, { chain })).toMatchObject({ retired: true })
    expect(await verdict(tokenAt(early), early, {})).toBe('ambiguous')
  })

  it('is as good as new once the same request was asked again: the same number, signed by those in office', async () => {
    const again = lockedTwice()
    const [taken] = again.log.slots[early - 1]?.entry.requests ?? []
    if (taken === undefined) throw new Error('no request')
    again.log.append([taken])
    const renewed = again.log.receiptFor(again.log.slots.length)
    const { pin: newest } = again.log.chain
    expect(await verdict(encodeReceiptFile(renewed, GENESIS, again.log.chain), early, { pin: newest })).toMatchObject({
      slot: early,
      signers: [4, 1],
      retired: false,
    })
  })

  it('from before anybody knew of another epoch is as good as ever for who knows of none', async () => {
    expect(await verdict(encodeReceiptFile(log.receiptFor(early), GENESIS), early, {})).toMatchObject({
      retired: false,
    })
    expect(await verdict(encodeReceiptFile(log.receiptFor(early), GENESIS), early, { chain })).toMatchObject({
      retired: true,
    })
  })
})
