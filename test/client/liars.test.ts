// What b liars can do to a client: nothing, however early they answer. Each lie is one small function from the true reply.

import { describe, expect, it } from 'vitest'
import { leafHash, utf8, verifyCertificate, verifyInclusion, view } from '../../crypto/index.ts'
import { nativeVerifier } from '../../keys/native/index.ts'
import type { Client, Done } from '../../src/client/index.ts'
import { encodeKvResult, encodeResultRecord } from '../../src/machine/index.ts'
import type { ReplyItem, SlotReply } from '../../src/wire/index.ts'
import { signerNamed } from '../keys/sample.ts'
import { FakeCluster, type Lie, recordOf } from './fake-cluster.ts'
import { useTestClock, watched } from './support.ts'

const pass = useTestClock()

/** The record of another result for the same request. */
function forged(record: Uint8Array, outcome: 'done' | 'refused' = 'done'): Uint8Array {
  const entry = { key: utf8('k'), value: utf8('forged'), createRevision: 1, modRevision: 1, version: 1, lease: 0 }
  const result = encodeKvResult({ revision: 77, response: { kind: 'get', entry } })
  return encodeResultRecord({ ...recordOf(record), outcome, result: outcome === 'done' ? result : utf8('no') })
}

function changed(truth: SlotReply, change: (item: ReplyItem) => ReplyItem): SlotReply {
  return { ...truth, items: truth.items.map(change) }
}

const said = (...replies: SlotReply[]) => [{ kind: 'replies', replies } as const]

/** Lies of one replica, each with what it is counted as. */
const LIES: readonly (readonly [name: string, lie: (self: number) => Lie, counter: string | undefined])[] = [
  [
    'signs another result, whole and well proven',
    (self) => (truth, cluster) =>
      said(
        cluster.replyWith(
          self,
          truth.receipt.statement.slot,
          truth.items.map(({ record }) => forged(record)),
        ),
      ),
    undefined,
  ],
  [
    'signs that the machine refused',
    (self) => (truth, cluster) =>
      said(
        cluster.replyWith(
          self,
          truth.receipt.statement.slot,
          truth.items.map(({ record }) => forged(record, 'refused')),
        ),
      ),
    undefined,
  ],
  [
    'shows a wrong record under the true receipt',
    () => (truth) => said(changed(truth, (item) => ({ ...item, record: forged(item.record) }))),
    'record-not-proven',
  ],
  [
    'shows the true record at a wrong index',
    () => (truth) =>
      said(changed({ ...truth, count: truth.count + 1 }, (item) => ({ ...item, index: item.index + 1 }))),
    'record-not-proven',
  ],
  ['says that the slot has more results', () => (truth) => said({ ...truth, count: truth.count + 1 }), undefined],
  ['says that the slot has no results', () => (truth) => said({ ...truth, count: 0 }), 'receipt-malformed'],
  [
    'shows a proof of garbage',
    () => (truth) => said({ ...truth, hashes: Uint8Array.of(...truth.hashes, ...new Uint8Array(32)) }),
    'record-not-proven',
  ],
  [
    "signs in an honest replica's name",
    (self) => (truth, cluster) => {
      const { slot, digest: root } = truth.receipt.statement
      return said({ ...truth, receipt: cluster.receipt((self + 1) % 4, slot, root, cluster.signer(self)) })
    },
    'receipt-wrong-signer',
  ],
  [
    "hands on an honest replica's true receipt",
    (self) => (truth, cluster) => {
      const { slot, digest: root } = truth.receipt.statement
      return said({ ...truth, receipt: cluster.receipt((self + 1) % 4, slot, root) })
    },
    'receipt-wrong-signer',
  ],
  [
    'signs with a key of nobody',
    (self) => (truth, cluster) => {
      const { slot, digest: root } = truth.receipt.statement
      return said({ ...truth, receipt: cluster.receipt(self, slot, root, signerNamed('nobody')) })
    },
    'receipt-bad-signature',
  ],
  [
    'signs a vote of another kind',
    () => (truth) => {
      const { statement } = truth.receipt
      return said({ ...truth, receipt: { ...truth.receipt, statement: { ...statement, kind: 'accept' } } })
    },
    'receipt-malformed',
  ],
  [
    'claims that the result is of another slot',
    (self) => (truth, cluster) => {
      const { slot, digest: root } = truth.receipt.statement
      return said({ ...truth, receipt: cluster.receipt(self, slot + 1, root) })
    },
    undefined,
  ],
  ['says nothing that can be read', () => () => [new Uint8Array(50).fill(7), new Uint8Array(0)], 'frame-malformed'],
  [
    'refuses what is done',
    () => (truth) =>
      truth.items.map(({ record }) => ({ kind: 'refusal', request: recordOf(record).request, code: 'unknown-client' })),
    undefined,
  ],
  [
    'says it is busy',
    () => (truth) =>
      truth.items.map(({ record }) => ({ kind: 'refusal', request: recordOf(record).request, code: 'busy' })),
    'refusal-busy',
  ],
  ['claims a view of far away', () => (truth) => said({ ...truth, view: view(2 ** 40 + 3) }), undefined],
  [
    'answers what nobody asked',
    () => () => [{ kind: 'answer', id: 1, last: true, answer: { kind: 'evidence', evidence: [] } }],
    'answer-not-needed',
  ],
  [
    'says everything a hundred times',
    () => (truth) => said(...Array.from({ length: 100 }, () => truth)),
    'receipt-not-needed',
  ],
]

/** The receipt, checked as anyone would who has nothing but the genesis. */
function expectReceipt(cluster: FakeCluster, { receipt, slot }: Done<unknown>): void {
  const { certificate, record, index, count, path } = receipt
  const { membership } = cluster.genesis
  expect(verifyCertificate(certificate, { kind: 'receipt' }, membership, nativeVerifier)).toMatchObject({ ok: true })
  const root = certificate.statement.digest
  expect(verifyInclusion({ leaf: leafHash(record), index, size: count, root }, path)).toBe(true)
  expect(recordOf(record)).toMatchObject({ outcome: 'done', request: receipt.request.id, slot })
}

async function writeAndRead(cluster: FakeCluster, client: Client) {
  const writes = Promise.all([client.put('k', 'true'), client.put('x', '1'), client.put('y', '2')])
  for (const done of await writes) expectReceipt(cluster, done)
  const read = await client.get('k')
  expectReceipt(cluster, read)
  return Buffer.from(read.value?.value ?? []).toString()
}

describe('a client with t = 2', () => {
  for (const [name, lie, counter] of LIES) {
    it.each([0, 3])(`is told the truth although replica %i answers first and ${name}`, async (self) => {
      const cluster = new FakeCluster()
      cluster.lies.set(self, lie(self))
      const client = await cluster.connect()
      expect(await writeAndRead(cluster, client)).toBe('true')
      if (counter !== undefined) expect(client.counters()).toHaveProperty(counter)
      await client.close()
    })
  }

  it('waits for the second honest replica when the first and a liar have answered', async () => {
    const cluster = new FakeCluster()
    cluster.lies.set(3, LIES[0]?.[1](3) ?? (() => []))
    cluster.silent.add(1)
    cluster.silent.add(2)
    const client = await cluster.connect()
    const call = watched(client.put('k', 'true'))
    await pass(0)
    expect(call.outcome).toBeUndefined()
    cluster.silent.delete(2)
    await pass(1000)
    expect(call.outcome).toMatchObject({ value: { value: { revision: 1 } } })
    await client.close()
  })

  it('does not count a replica twice that signs the same again and again', async () => {
    const cluster = new FakeCluster()
    for (const silent of [1, 2, 3]) cluster.silent.add(silent)
    cluster.lies.set(0, (truth) => said(truth, truth, truth))
    const client = await cluster.connect()
    const call = watched(client.put('k', 'true'))
    await pass(5000)
    expect(call.outcome).toBeUndefined()
    await client.close()
  })

  it('ignores a reply of an earlier slot under a number that is used anew', async () => {
    const cluster = new FakeCluster()
    const client = await cluster.connect()
    const first = await client.put('k', '1')
    const again = { ...first.receipt.request.request, sequence: first.receipt.request.request.sequence + 1 }
    cluster.lies.set(3, (truth, { replyWith }) => {
      const old = encodeResultRecord({ ...recordOf(first.receipt.record), sequence: again.sequence })
      return said(replyWith.call(cluster, 3, 1, [old]), truth)
    })
    cluster.silent.add(1)
    cluster.silent.add(2)
    const call = watched(client.put('k', '2'))
    await pass(100)
    expect(call.outcome).toMatchObject({ value: { value: { revision: 2 } } })
    await client.close()
  })
})

describe('a client with t = 3 of 7', () => {
  it('is not convinced by two liars that sign the same lie first', async () => {
    const cluster = new FakeCluster({ replicas: 7, byzantine: 2 })
    for (const self of [0, 1]) cluster.lies.set(self, LIES[0]?.[1](self) ?? (() => []))
    const client = await cluster.connect()
    expect(await writeAndRead(cluster, client)).toBe('true')
    await client.close()
  })

  it('is convinced by three, which is why no more than two may lie', async () => {
    const cluster = new FakeCluster({ replicas: 7, byzantine: 2 })
    const client = await cluster.connect()
    await client.put('k', 'true')
    for (const self of [0, 1, 2]) cluster.lies.set(self, LIES[0]?.[1](self) ?? (() => []))
    const read = await client.get('k')
    expect(Buffer.from(read.value?.value ?? []).toString()).toBe('forged')
    await client.close()
  })
})

describe('a client in crash mode, t = 1', () => {
  it('believes a single receipt', async () => {
    const cluster = new FakeCluster({ replicas: 3, byzantine: 0 })
    cluster.silent.add(1)
    cluster.silent.add(2)
    const client = await cluster.connect()
    const done = await client.put('k', 'v')
    expect(done.receipt.certificate.signatures).toHaveLength(1)
    await client.close()
  })
})
