// Fencing tokens, checked with nothing but the genesis: what a good one says, and that no other passes for one.

import { describe, expect, it } from 'vitest'
import { fromUtf8, inclusionProof, leafHash, merkleTree, utf8 } from '../../crypto/index.ts'
import {
  type BundleReceipt,
  compareFencing,
  encodeReceiptFile,
  verifyFencingToken,
} from '../../src/audit/verify/index.ts'
import type { SignedRequest } from '../../src/consensus/index.ts'
import {
  type KvCommand,
  type LockKind,
  lockKey,
  lockTransaction,
  MAX_LOCK_NAME_BYTES,
} from '../../src/machine/index.ts'
import { TestLog, testGenesis } from './support.ts'

const test = testGenesis()
const { genesis } = test

/** A log in which one client has lease 1; each command after it is an entry of its own. */
function logWith(...commands: readonly KvCommand[]): { log: TestLog; requests: SignedRequest[] } {
  const log = new TestLog(test)
  const requests = [{ kind: 'lease-grant', ttlMs: 30_000 } as const, ...commands].flatMap((command) => {
    const [request] = log.bundle(command)
    if (request === undefined) throw new Error('one request')
    log.append([request])
    return [request]
  })
  return { log, requests: requests.slice(1) }
}

function taking(name: string, kind: LockKind = 'lock', value = 'me'): KvCommand {
  return lockTransaction({ kind, name, value: utf8(value), lease: 1 })
}

/** What a client would keep of the request in this slot, signed by these replicas. */
function receiptOf(log: TestLog, slot: number, signers: readonly number[] = [0, 1]): BundleReceipt {
  const { entry, records, receipts } = log.slots[slot - 1] ?? fail()
  const [request = fail()] = entry.requests
  const [record = fail()] = records
  const { statement } = receipts[0] ?? fail()
  const certificate = log.certificate('receipt', { slot: statement.slot, digest: statement.digest }, signers)
  const path = inclusionProof(merkleTree(records.map(leafHash)).read, 0, records.length)
  return { request, certificate, record, index: 0, count: records.length, path }
}

function fail(): never {
  throw new Error('not there')
}

const check = (token: Uint8Array | BundleReceipt, name = 'db', kind: LockKind = 'lock') =>
  verifyFencingToken(token, { genesis, name, kind })

/** The code of the refusal. */
async function refusal(token: Uint8Array | BundleReceipt, name?: string, kind?: LockKind): Promise<string> {
  const checked = await check(token, name, kind)
  return checked.ok ? 'good' : checked.fault.code
}

describe('a fencing token', () => {
  it('says who took which lock in which slot, as a file and as a receipt', async () => {
    const { log } = logWith(taking('db'))
    const receipt = receiptOf(log, 2)
    for (const token of [receipt, encodeReceiptFile(receipt, genesis)]) {
      const checked = await check(token)
      expect(checked).toMatchObject({
        ok: true,
        value: { kind: 'lock', name: 'db', slot: 2, revision: 1, lease: 1, signers: [0, 1] },
      })
      expect(checked.ok && checked.value.holder).toEqual(test.client.publicKey)
      expect(checked.ok && fromUtf8(checked.value.value)).toBe('me')
    }
  })

  it('of the next holder is greater, and of the same holder equal', async () => {
    const { log } = logWith(
      taking('db'),
      { kind: 'lease-revoke', lease: 1 },
      { kind: 'lease-grant', ttlMs: 9_000 },
      {
        ...lockTransaction({ kind: 'lock', name: 'db', value: utf8('you'), lease: 2 }),
      },
    )
    const [first, second] = await Promise.all([2, 5].map((slot) => check(receiptOf(log, slot))))
    if (!first?.ok || !second?.ok) throw new Error('refused')
    expect(compareFencing(first.value, second.value)).toBeLessThan(0)
    expect(compareFencing(second.value, first.value)).toBeGreaterThan(0)
    expect(compareFencing(first.value, first.value)).toBe(0)
  })

  it('of two holders in one slot, where a stranger deleted the key, is told apart by the revision', async () => {
    const log = new TestLog(test)
    const remove = { kind: 'delete', key: lockKey('lock', 'db'), previous: false } as const
    log.append(log.bundle({ kind: 'lease-grant', ttlMs: 9_000 }))
    log.append(log.bundle(taking('db'), remove, taking('db')))
    const { entry, records, receipts } = log.slots[1] ?? fail()
    const tree = merkleTree(records.map(leafHash))
    const { slot, digest } = receipts[0]?.statement ?? fail()
    const tokens = [0, 2].map((index) => ({
      request: entry.requests[index] ?? fail(),
      record: records[index] ?? fail(),
      certificate: log.certificate('receipt', { slot, digest }, [0, 1]),
      ...{ index, count: 3, path: inclusionProof(tree.read, index, 3) },
    }))
    const [first, second] = await Promise.all(tokens.map((token) => check(token)))
    if (!first?.ok || !second?.ok) throw new Error('refused')
    expect(first.value.slot).toBe(second.value.slot)
    expect(compareFencing(first.value, second.value)).toBeLessThan(0)
  })

  it('keeps its number when the request is sent again: a stale holder gets no newer token', async () => {
    const { log, requests } = logWith(taking('db'), { kind: 'lease-revoke', lease: 1 })
    log.append(requests.slice(0, 1))
    const again = receiptOf(log, 4)
    expect(again.certificate.statement.slot).toBe(4)
    expect(await check(again)).toMatchObject({ ok: true, value: { slot: 2, revision: 1 } })
  })
})

describe('no fencing token is', () => {
  const { log } = logWith(taking('db'), taking('db'), taking('other'), taking('db', 'election'))
  const good = receiptOf(log, 2)

  it('that of another lock, or of an election of the same name', async () => {
    expect(await refusal(good, 'other')).toBe('other-name')
    expect(await refusal(good, 'db', 'election')).toBe('other-name')
    expect(await refusal(receiptOf(log, 5), 'db', 'election')).toBe('good')
    expect(await refusal(receiptOf(log, 5), 'db')).toBe('other-name')
    expect(await refusal(receiptOf(log, 4), 'other')).toBe('good')
  })

  it('an attempt that somebody else was faster than, or that was refused', async () => {
    expect(await refusal(receiptOf(log, 3))).toBe('not-taken')
    const { log: foreign } = logWith(lockTransaction({ kind: 'lock', name: 'db', value: utf8(''), lease: 77 }))
    expect(await refusal(receiptOf(foreign, 2))).toBe('not-taken')
  })

  it('signed by fewer than t replicas', async () => {
    const { certificate } = good
    const few = { ...good, certificate: { ...certificate, signatures: certificate.signatures.slice(0, 1) } }
    expect(await refusal(few)).toMatch(/^receipt: /)
    expect(await refusal(encodeReceiptFile(few, genesis))).toMatch(/^receipt: /)
  })

  it('signed by the replicas of another cluster', async () => {
    const other = testGenesis({ name: 'elsewhere' })
    const checked = await verifyFencingToken(good, { genesis: other.genesis, name: 'db' })
    expect(checked.ok).toBe(false)
    const file = await verifyFencingToken(encodeReceiptFile(good, genesis), { genesis: other.genesis, name: 'db' })
    expect(file).toMatchObject({ ok: false, fault: { code: 'cluster: wrong-cluster' } })
  })

  it('the answer to another request, or another answer to the request', async () => {
    expect(await refusal({ ...good, record: receiptOf(log, 3).record })).toBe('result: wrong-request')
    expect(await refusal({ ...receiptOf(log, 3), record: good.record, request: good.request })).toBe(
      'result: not-under-receipt',
    )
  })

  const key = lockKey('lock', 'db')
  const plain = { kind: 'put', key, value: utf8('me'), previous: false } as const
  const compare = { target: 'create-revision', relation: '=', key, number: 0 } as const
  it.each<[string, KvCommand]>([
    ['a put of the key, without a comparison', { ...plain, lease: 1 }],
    ['a transaction with no comparison', { kind: 'txn', compares: [], success: [{ ...plain, lease: 1 }], failure: [] }],
    [
      'a transaction that compares another key',
      {
        kind: 'txn',
        compares: [{ ...compare, key: utf8('x') }],
        success: [{ ...plain, lease: 1 }],
        failure: [{ kind: 'get', key }],
      },
    ],
    [
      'a transaction that puts the key without a lease',
      { kind: 'txn', compares: [compare], success: [plain], failure: [{ kind: 'get', key }] },
    ],
    [
      'a transaction that does more',
      {
        kind: 'txn',
        compares: [compare],
        success: [
          { ...plain, lease: 1 },
          { kind: 'get', key },
        ],
        failure: [{ kind: 'get', key }],
      },
    ],
    ['a read', { kind: 'get', key }],
  ])('%s', async (_name, command) => {
    const { log: strange } = logWith(command)
    expect(await refusal(receiptOf(strange, 2))).toBe('no-lock')
  })

  it('anything with a byte changed, wherever', async () => {
    const file = encodeReceiptFile(good, genesis)
    expect(await refusal(file)).toBe('good')
    for (let at = 0; at < file.length; at += 37) {
      const changed = Uint8Array.from(file, (byte, i) => (i === at ? byte ^ 1 : byte))
      expect(await refusal(changed), `byte ${at}`).not.toBe('good')
    }
  })

  it('a receipt with any of its parts changed', async () => {
    const flip = (bytes: Uint8Array, at: number) => Uint8Array.from(bytes, (byte, i) => (i === at ? byte ^ 1 : byte))
    for (let at = 0; at < good.record.length; at += 7) {
      expect(await refusal({ ...good, record: flip(good.record, at) }), `record byte ${at}`).not.toBe('good')
    }
    const { request } = good.request
    for (let at = 0; at < request.command.length; at += 7) {
      const command = flip(request.command, at)
      const changed = { ...good, request: { ...good.request, request: { ...request, command } } }
      expect(await refusal(changed), `command byte ${at}`).not.toBe('good')
    }
  })

  it('noise, or nothing', async () => {
    expect(await refusal(new Uint8Array(0))).not.toBe('good')
    expect(await refusal(utf8('{}\n'))).not.toBe('good')
  })
})

describe('the name of a lock', () => {
  it.each([
    ['', 0],
    ['x'.repeat(MAX_LOCK_NAME_BYTES + 1), MAX_LOCK_NAME_BYTES + 1],
  ])('%.5s with %d bytes is none', (name) => {
    expect(() => lockKey('lock', name)).toThrow(RangeError)
  })

  it('may hold any text, and half a character is none', () => {
    expect(fromUtf8(lockKey('lock', 'a/b grün'))).toBe('quorate/lock/a/b grün')
    expect(() => lockKey('lock', '\ud800')).toThrow(RangeError)
  })
})
