// How much a client remembers, whatever replicas say.

import { describe, expect, it } from 'vitest'
import { digest, leafHash, replicaIndex, utf8 } from '../../crypto/index.ts'
import { nativeVerifier } from '../../keys/native/index.ts'
import { auditContext } from '../../src/audit/verify/index.ts'
import { signBundle } from '../../src/client/bundle.ts'
import { ClusterView } from '../../src/client/cluster-view.ts'
import { STRIKES } from '../../src/client/limits.ts'
import { type ReceiptFault, Receipts } from '../../src/client/receipts.ts'
import { encodeResultRecord } from '../../src/machine/index.ts'
import { signerNamed } from '../keys/sample.ts'
import { ADMIN, recordOf as decoded, FakeCluster } from './fake-cluster.ts'

const TALLIES = 20
const BYTES = 65_536
const key = signerNamed(ADMIN)

function setUp() {
  const cluster = new FakeCluster()
  const { genesis } = cluster
  const [request] = signBundle([{ client: key.publicKey, sequence: 7, command: utf8('c') }], genesis.clusterId, key)
  if (request === undefined) throw new Error('unreachable')
  const counts = new Map<ReceiptFault, number>()
  const receipts = new Receipts({
    client: key.publicKey,
    view: new ClusterView(genesis, auditContext(genesis, nativeVerifier).chain),
    ahead: () => undefined,

    find: (sequence) => (sequence === 7 ? { request, epoch: 0 } : undefined),
    bounds: { tallies: TALLIES, bytes: BYTES },
    count: (fault) => counts.set(fault, (counts.get(fault) ?? 0) + 1),
  })
  const record = (result: Uint8Array, slot = 1) =>
    encodeResultRecord({ outcome: 'done', client: key.publicKey, sequence: 7, request: request.id, slot, result })
  return { cluster, request, receipts, counts, record }
}

describe('what a client keeps of one replica', () => {
  it('is so many receipts, of which the oldest go first, and those of others stay', () => {
    const { cluster, receipts, counts, record } = setUp()
    const honest = cluster.replyWith(1, 1, [record(utf8('true'))])
    expect(receipts.take(replicaIndex(1), honest)).toEqual([])
    for (let i = 0; i <= TALLIES; i++) {
      receipts.take(replicaIndex(3), cluster.replyWith(3, 2, [record(utf8(`lie ${i}`))]))
    }
    expect(receipts.held.tallies).toBe(TALLIES + 1)
    expect(counts.get('receipt-crowded-out')).toBe(1)
    const [settled] = receipts.take(replicaIndex(2), cluster.replyWith(2, 1, [record(utf8('true'))]))
    expect(settled?.record.result).toEqual(utf8('true'))
  })

  it('is so many bytes of results', () => {
    const { cluster, receipts, record } = setUp()
    for (let i = 0; i < 30; i++) {
      const result = new Uint8Array(10_000)
      result[0] = i
      receipts.take(replicaIndex(3), cluster.replyWith(3, 2, [record(result)]))
    }
    expect(receipts.held.bytes).toBeLessThanOrEqual(BYTES)
    expect(receipts.held.tallies).toBe(6)
  })

  it('is nothing once the request is forgotten', () => {
    const { cluster, request, receipts, record } = setUp()
    for (const result of ['a', 'b']) receipts.take(replicaIndex(3), cluster.replyWith(3, 2, [record(utf8(result))]))
    receipts.take(replicaIndex(1), cluster.replyWith(1, 2, [record(utf8('a'))]))
    receipts.forget(request)
    expect(receipts.held).toEqual({ tallies: 0, bytes: 0 })
  })

  it('is nothing of a reply that proves nothing', () => {
    const { cluster, receipts, record } = setUp()
    const truth = cluster.replyWith(3, 2, [record(utf8('a'))])
    const items = truth.items.map((item) => ({ ...item, record: record(utf8('b')) }))
    receipts.take(replicaIndex(3), { ...truth, items })
    expect(receipts.held).toEqual({ tallies: 0, bytes: 0 })
  })
})

describe('a receipt', () => {
  it('costs a signature check only where it is of use', () => {
    const { cluster, receipts, counts, record } = setUp()
    let checks = 0
    const other = encodeResultRecord({
      ...{ outcome: 'done', client: key.publicKey, sequence: 8, request: leafHash(utf8('x')), slot: 1 },
      result: utf8('of another process'),
    })
    const bad = cluster.receipt(3, 1, digest(new Uint8Array(32)), signerNamed('nobody'))
    for (let i = 0; i < 10; i++) {
      receipts.take(replicaIndex(3), { ...cluster.replyWith(3, 1, [other]), receipt: bad })
      checks = counts.get('receipt-bad-signature') ?? 0
    }
    expect(checks).toBe(0)
    expect(counts.get('receipt-not-needed')).toBe(10)
    receipts.take(replicaIndex(3), { ...cluster.replyWith(3, 1, [record(utf8('a'))]), receipt: bad })
    expect(counts.get('receipt-bad-signature')).toBe(1)
  })

  it('of a replica with too many bad signatures is looked at no more', () => {
    const { cluster, receipts, counts, record } = setUp()
    const truth = cluster.replyWith(3, 1, [record(utf8('a'))])
    const receipt = cluster.receipt(3, 1, truth.receipt.statement.digest, signerNamed('nobody'))
    for (let i = 0; i < STRIKES + 5; i++) receipts.take(replicaIndex(3), { ...truth, receipt })
    expect(counts.get('receipt-bad-signature')).toBe(STRIKES)
    expect(counts.get('receipt-struck')).toBe(5)
  })

  it('of a slot with more results than a batch may have is refused', () => {
    const { cluster, receipts, counts, record } = setUp()
    const { maxBatchRequests } = cluster.genesis.parameters
    receipts.take(replicaIndex(3), { ...cluster.replyWith(3, 1, [record(utf8('a'))]), count: maxBatchRequests + 1 })
    expect(counts.get('receipt-malformed')).toBe(1)
  })

  it('of an earlier number of this request under another command is no answer', () => {
    const { cluster, receipts, record } = setUp()
    const foreign = record(utf8('a'))
    foreign[50] = (foreign[50] ?? 0) ^ 1
    for (const replica of [0, 1, 2, 3]) {
      expect(receipts.take(replicaIndex(replica), cluster.replyWith(replica, 1, [foreign]))).toEqual([])
    }
    expect(receipts.held.tallies).toBe(0)
  })

  it('of a slot whose number of results a liar understates does not keep the others out', () => {
    const { cluster, request, receipts, record } = setUp()
    const others = [1, 2, 3].map((i) => encodeResultRecord({ ...decoded(record(utf8('a'))), sequence: i }))
    const records = [record(utf8('a')), ...others]
    // The first leaf has the same proof in a tree of three and of four.
    expect(receipts.take(replicaIndex(3), { ...cluster.replyWith(3, 1, records), count: 3 })).toEqual([])
    expect(receipts.take(replicaIndex(1), cluster.replyWith(1, 1, records))).toEqual([])
    const [settled] = receipts.take(replicaIndex(2), cluster.replyWith(2, 1, records))
    expect(settled?.receipt).toMatchObject({ request, count: 4, index: 0 })
  })

  it('is believed of the slot in which t replicas agree, though each spoke of another one before', () => {
    const { cluster, receipts, record } = setUp()
    const bytes = record(utf8('a'))
    expect(receipts.take(replicaIndex(0), cluster.replyWith(0, 1, [bytes]))).toEqual([])
    expect(receipts.take(replicaIndex(1), cluster.replyWith(1, 5, [bytes]))).toEqual([])
    const [settled] = receipts.take(replicaIndex(0), cluster.replyWith(0, 5, [bytes]))
    expect(settled?.receipt.certificate.statement.slot).toBe(5)
    expect(settled?.record.slot).toBe(1)
  })
})
