// No byte of a bundle is slack. Every single one is changed, to several values each; then the same with the seal made anew, as
// somebody who forges a bundle would: what is left then is what signatures and the one form of every line hold together.

import { describe, expect, it } from 'vitest'
import { equalBytes, hex, type SignatureVerifier, slot, utf8, view } from '../../crypto/index.ts'
import type { Genesis } from '../../keys/genesis/index.ts'
import { nativeVerifier } from '../../keys/native/index.ts'
import { encodeReceiptFile, encodeStateFile, verifyBundle } from '../../src/audit/verify/index.ts'
import type { Pin } from '../../src/consensus/index.ts'
import { bytesFor } from '../support/cluster.ts'
import { GENESIS } from './epochs-keys.ts'
import { threeEpochs } from './epochs-log.ts'
import { receiptFor, sealed, TestLog, testGenesis, writeBundle } from './support.ts'

const test = testGenesis({ interval: 2 })

/** The native verifier with a memory: one byte changes one signature. By signature, what was asked and answered. */
const known = new Map<string, { readonly key: Uint8Array; readonly message: Uint8Array; readonly verdict: boolean }>()
const verifier: SignatureVerifier = {
  verify(key, message, signature) {
    const name = hex(signature)
    const before = known.get(name)
    if (before !== undefined && equalBytes(before.key, key) && equalBytes(before.message, message))
      return before.verdict
    const verdict = nativeVerifier.verify(key, message, signature)
    if (verdict) known.set(name, { key, message, verdict })
    return verdict
  },
}

interface Reading {
  readonly genesis: Genesis
  readonly pin?: Pin | undefined
}

async function isValid(bytes: Uint8Array, { genesis, pin }: Reading): Promise<boolean> {
  for await (const each of verifyBundle([bytes], genesis, { level: 'certificates', verifier, pin })) {
    if (each.kind === 'summary') return each.valid
    if (each.faults.length > 0) return false
  }
  throw new Error('no summary')
}

/** Another hexadecimal digit, which most bytes are, and a byte with one other bit: each in turn of the eight. */
function others(byte: number, at: number): number[] {
  return [...new Set([byte === 0x30 ? 0x31 : 0x30, byte ^ (1 << (at % 8))])].filter((each) => each !== byte)
}

/** Places at which a change goes unnoticed. */
async function unnoticed(
  bytes: Uint8Array,
  seal = (changed: Uint8Array) => changed,
  reading: Reading = test,
): Promise<string[]> {
  expect(await isValid(seal(bytes), reading)).toBe(true)
  const found: string[] = []
  for (let at = 0; at < bytes.length; at++) {
    for (const value of others(bytes[at] ?? 0, at)) {
      const changed = Uint8Array.from(bytes)
      changed[at] = value
      if (await isValid(seal(changed), reading)) found.push(`byte ${at}: ${bytes[at]} to ${value}`)
    }
  }
  return found
}

/** As above, for everything before the seal, which is made to fit. */
async function unnoticedThoughSealed(bytes: Uint8Array, reading: Reading = test): Promise<string[]> {
  return await unnoticed(bytes.subarray(0, bytes.lastIndexOf(0x0a, bytes.length - 2) + 1), sealed, reading)
}

function entries(): Uint8Array {
  const log = new TestLog(test).fill(1)
  log.append(log.bundle(...['a', 'b'].map((key) => ({ kind: 'get', key: utf8(key) }) as const)))
  log.append([])
  return writeBundle(log)
}

function accounts(): Uint8Array {
  const log = new TestLog(test)
  const prepared = log.certificate('prepare', { slot: slot(1), digest: bytesFor('kept') }, [0, 1, 2])
  const newView = log.newView(1, [log.viewChange(0, 1, [prepared]), log.viewChange(2, 1), log.viewChange(3, 1)])
  const vote = log.vote(2, { view: view(1), justification: newView.vote.statement.digest, digest: bytesFor('other') })
  log.evidence.push({ kind: 'against-new-view', accused: vote.replica, vote, newView })
  return writeBundle(log, { contents: { kind: 'evidence' } })
}

// Some ten thousand verifications each: minutes on a busy machine.
describe('one byte changed anywhere is noticed', { timeout: 1_200_000 }, () => {
  it('in a bundle of entries, checkpoints, requests and results', async () => {
    expect(await unnoticed(entries())).toEqual([])
  })

  it('in a bundle of entries whose seal was made anew', async () => {
    expect(await unnoticedThoughSealed(entries())).toEqual([])
  })

  it('in the hand-overs to two more epochs whose seal was made anew', async () => {
    const log = threeEpochs()
    const bytes = log.bundle({ to: 0, contents: { kind: 'evidence' } })
    expect(await unnoticedThoughSealed(bytes, { genesis: GENESIS, pin: log.chain.pin })).toEqual([])
  })

  it('in a bundle of a NewView and evidence whose seal was made anew', async () => {
    expect(await unnoticedThoughSealed(accounts())).toEqual([])
  })

  it.each(['key-1', 'none'])('in the proof of a key of the state, here %s, whose seal was made anew', async (key) => {
    const log = new TestLog(test).fill(2)
    const file = encodeStateFile(log.state(key), test.genesis, nativeVerifier)
    expect(await unnoticedThoughSealed(file ?? new Uint8Array(0))).toEqual([])
  })

  it('in a receipt whose seal was made anew', async () => {
    const log = new TestLog(test)
    log.append(log.bundle(...['a', 'b', 'c'].map((key) => ({ kind: 'get', key: utf8(key) }) as const)))
    const receipt = encodeReceiptFile(receiptFor(log, 1, 1), test.genesis)
    expect(await unnoticedThoughSealed(receipt)).toEqual([])
  })
})
