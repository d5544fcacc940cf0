// What a replica still knows of requests that it has executed: for clients that ask again, and to prove what it answers.

import { beforeEach, describe, expect, it } from 'vitest'
import {
  batchTree,
  digest,
  epoch,
  leafHash,
  markVerified,
  openMultiProof,
  replicaIndex,
  signature,
  slot,
  utf8,
  type VoteStatement,
} from '../../crypto/index.ts'
import { batchEntry, type SignedRequest } from '../../src/consensus/index.ts'
import { decodeResultRecord, encodeKvCommand, kv } from '../../src/machine/index.ts'
import { AnswerIndex, SETS } from '../../src/replica/answer-index.ts'
import { KEPT_RESULTS } from '../../src/replica/limits.ts'
import { MachineHost } from '../../src/replica/machine-host.ts'
import { signerNamed } from '../keys/sample.ts'
import { MemoryCluster, TestClient } from './memory-cluster.ts'
import { certificateOf } from './watch-support.ts'

const { genesis, network } = new MemoryCluster()
const signer = signerNamed('client writer-1')
/** A process of the client: each numbers its requests from 1. */
const life = () => new TestClient(genesis, network.client(signer.publicKey), signer)
const put = (key: string) => encodeKvCommand({ kind: 'put', key: utf8(key), value: utf8('v'), previous: false })

let host: MachineHost

/** Nobody here looks at the signature. */
const RECEIPT = (statement: VoteStatement) =>
  markVerified({ replica: replicaIndex(0), statement, signature: signature(new Uint8Array(64)) })

/** Executes the next entry, and signs its receipt unless told otherwise. */
function execute(requests: readonly SignedRequest[], receipt = true): number {
  const at = slot(host.position.slot + 1)
  const entry = batchEntry(at, epoch(0), 1000 + at, requests.map(markVerified))
  const certificate = certificateOf(entry)
  host.execute(entry, 1000 + at, certificate)
  const results = host.resultsOf(at)
  if (results === undefined) throw new Error('no results')
  if (receipt) results.receipt = RECEIPT(certificate.statement)
  for (const kept of host.snapshotSlots()) host.release(kept)
  return at
}

beforeEach(() => {
  host = new MachineHost({ machine: kv, genesis })
})

describe('a request that was executed', () => {
  it('is found in its slot and place, once the receipt is signed', () => {
    const requests = life().bundle(['a', 'b', 'c'].map(put))
    const first = execute(requests, false)
    expect(requests.map((each) => host.answerTo(each))).toEqual([undefined, undefined, undefined])
    const later = life()
    later.bundle(['a', 'b', 'c'].map(put))
    const more = later.bundle(['d'].map(put))
    const second = execute(more)
    expect(more.map((each) => host.answerTo(each))).toEqual([{ slot: second, index: 0 }])
    expect(host.answerTo(requests[0] as SignedRequest)).toBeUndefined()
    const results = host.resultsOf(first)
    if (results !== undefined) results.receipt = host.resultsOf(second)?.receipt
    expect(requests.map((each) => host.answerTo(each))).toEqual([0, 1, 2].map((index) => ({ slot: first, index })))
  })

  it('is found although the state was committed in between, and not after the slot went', () => {
    const requests = life().bundle([put('a')])
    const at = execute(requests)
    host.stateRoot()
    expect(host.answerTo(requests[0] as SignedRequest)).toEqual({ slot: at, index: 0 })
    for (let i = 1; i < KEPT_RESULTS; i++) execute([])
    expect(host.answerTo(requests[0] as SignedRequest)).toEqual({ slot: at, index: 0 })
    execute([])
    expect(host.answerTo(requests[0] as SignedRequest)).toBeUndefined()
  })

  it('is found where it was ordered again, as is one whose number another took', () => {
    const [mine] = life().bundle([put('mine')])
    const [other] = life().bundle([put('other')])
    if (mine === undefined || other === undefined) throw new Error('no requests')
    execute([mine])
    const again = execute([mine, other])
    expect(host.answerTo(mine)).toEqual({ slot: again, index: 0 })
    expect(host.answerTo(other)).toEqual({ slot: again, index: 1 })
    const outcomes = host
      .resultsOf(again)
      ?.records()
      .map((each) => decodeResultRecord(each)?.outcome)
    expect(outcomes).toEqual(['done', 'conflict'])
    for (let i = 0; i < KEPT_RESULTS; i++) execute([])
    expect([host.answerTo(mine), host.answerTo(other)]).toEqual([undefined, undefined])
  })

  it('is found although its client has used far higher numbers since, and its session knows no more', () => {
    const [early] = life().bundle([put('early')])
    if (early === undefined) throw new Error('no request')
    const at = execute([early])
    const later = life()
    for (let i = 0; i < 4; i++) execute(later.bundle(Array.from({ length: 512 }, (_, each) => put(`${i} ${each}`))))
    expect(host.answerTo(early)).toEqual({ slot: at, index: 0 })
  })

  it('is not taken for another whose identity merely begins alike', () => {
    const [mine] = life().bundle([put('mine')])
    if (mine === undefined) throw new Error('no request')
    execute([mine])
    const alike = digest(mine.id.map((byte, i) => (i < 4 ? byte : byte ^ 1)))
    expect(host.answerTo({ ...mine, id: alike })).toBeUndefined()
  })

  it('is found no more once another epoch has begun', () => {
    const requests = life().bundle([put('a')])
    execute(requests)
    host.beginEpoch()
    expect(host.answerTo(requests[0] as SignedRequest)).toBeUndefined()
    const again = execute(requests)
    expect(host.answerTo(requests[0] as SignedRequest)).toEqual({ slot: again, index: 0 })
  })
})

describe('the results of a slot', () => {
  it.each([false, true])('prove any of their records under the root that the receipt signs (packed: %s)', (packed) => {
    const at = execute(life().bundle(['a', 'b', 'c', 'd', 'e'].map(put)))
    const results = host.resultsOf(at)
    if (results === undefined) throw new Error('no results')
    const { root } = batchTree(results.records().map(leafHash))
    if (packed) results.pack()
    for (const indexes of [[0], [1, 3], [0, 2, 4], [0, 1, 2, 3, 4]]) {
      const leaves = indexes.map((index) => ({ index, leaf: leafHash(results.record(index) ?? new Uint8Array()) }))
      expect(openMultiProof(results.count, leaves, results.prove(indexes))).toEqual(root)
    }
    expect(results.record(5)).toBeUndefined()
  })
})

describe('the index of answers', () => {
  const idOf = (number: number, rest = 0) => {
    const id = new Uint8Array(32).fill(rest)
    new DataView(id.buffer).setUint32(0, 2 * number)
    return digest(id)
  }

  it('names slot and place of each, however many slots there were', () => {
    const index = new AnswerIndex()
    for (let at = 1; at <= 3 * KEPT_RESULTS; at++) index.add(at, [{ id: idOf(at) }, { id: idOf(100_000 + at) }])
    for (let at = 2 * KEPT_RESULTS + 1; at <= 3 * KEPT_RESULTS; at++) {
      expect(index.find(idOf(at))).toEqual({ slot: at, index: 0 })
      expect(index.find(idOf(100_000 + at))).toEqual({ slot: at, index: 1 })
    }
    expect(index.find(idOf(99_999))).toBeUndefined()
  })

  it('names the later slot of a request that was answered twice', () => {
    const index = new AnswerIndex()
    index.add(5, [{ id: idOf(1) }, { id: idOf(2) }])
    index.add(6, [{ id: idOf(2) }])
    expect(index.find(idOf(1))).toEqual({ slot: 5, index: 0 })
    expect(index.find(idOf(2))).toEqual({ slot: 6, index: 0 })
  })

  it('names no slot whose results are not kept any more, and none that never was', () => {
    const index = new AnswerIndex()
    index.add(1, [{ id: idOf(1) }])
    index.add(KEPT_RESULTS, [{ id: idOf(2) }])
    expect(index.find(idOf(1))).toEqual({ slot: 1, index: 0 })
    index.add(KEPT_RESULTS + 1, [{ id: idOf(3) }])
    expect(index.find(idOf(1))).toBeUndefined()
    expect(index.find(idOf(0))).toBeUndefined()
  })

  it('forgets the oldest where many share the few places of one part of it', () => {
    const index = new AnswerIndex()
    const alike = (number: number) => idOf(number * SETS)
    for (let at = 1; at <= 5; at++) index.add(at, [{ id: idOf(at) }, { id: alike(at) }])
    expect(index.find(alike(1))).toBeUndefined()
    for (let at = 2; at <= 5; at++) expect(index.find(alike(at))).toEqual({ slot: at, index: 1 })
    for (let at = 1; at <= 5; at++) expect(index.find(idOf(at))).toEqual({ slot: at, index: 0 })
  })

  it('knows nothing once it was cleared, and learns anew from any slot on', () => {
    const index = new AnswerIndex()
    index.add(5_000, [{ id: idOf(1) }])
    index.clear()
    expect(index.find(idOf(1))).toBeUndefined()
    index.add(3, [{ id: idOf(2) }])
    expect(index.find(idOf(1))).toBeUndefined()
    expect(index.find(idOf(2))).toEqual({ slot: 3, index: 0 })
  })

  it('takes the later of two that look alike for either, so that whoever asks has to compare', () => {
    const index = new AnswerIndex()
    index.add(1, [{ id: idOf(7, 1) }])
    index.add(2, [{ id: idOf(7, 2) }])
    expect(index.find(idOf(7, 1))).toEqual({ slot: 2, index: 0 })
  })
})
