import { describe, expect, it } from 'vitest'
import { digest, epoch, replicaIndex, slot, statementBytes, utf8, view } from '../../crypto/index.ts'
import * as wire from '../../net/wire/index.ts'
import { batchEntry, type Message } from '../../src/consensus/index.ts'
import {
  decodeClientFrame,
  decodeMessage,
  decodeRecord,
  decodeReplicaFrame,
  decodeTransferFrame,
  encodeClientFrame,
  encodeMessage,
  encodeReplicaFrame,
  type ReplicaStatus,
} from '../../src/wire/index.ts'
import { toWireRequests } from '../../src/wire/requests.ts'
import { bytesFor, testCluster } from '../support/cluster.ts'
import { bundleOf } from './arbitraries.ts'

const vote = testCluster().vote(1)
const statement = statementBytes(vote.statement)
const wireVote: wire.Vote = { statement, replica: 1, signature: vote.signature }

function faultOf(decoded: { readonly ok: boolean; readonly fault?: wire.WireFault }): string {
  return decoded.fault === undefined ? 'taken' : `${decoded.fault.code}: ${decoded.fault.detail}`
}

describe('a frame whose form is right is refused', () => {
  it.each<[string, number, number]>([
    ['another domain tag', 0, 0x1f],
    ['a kind of vote that nobody knows', 16, 6],
    ['a view of 2^53 and more', 81, 1],
    ['a slot of 2^53 and more', 121, 1],
  ])('with a statement of %s', (_, at, byte) => {
    const changed = Uint8Array.from(statement).with(at, byte)
    const frameOf = (bytes: Uint8Array) =>
      wire.encodeMessage({ kind: 'vote', value: { ...wireVote, statement: bytes }, epoch: 0 })
    expect(decodeMessage(frameOf(statement)).ok).toBe(true)
    expect(faultOf(decodeMessage(frameOf(changed)))).toBe('bad-value: Vote.statement is not well formed')
  })

  it.each<[string, (bytes: Uint8Array) => Uint8Array]>([
    ['signers in descending order', (bytes) => bytes.with(164, 3)],
    ['a signer beyond the largest group', (bytes) => bytes.with(230, 200)],
    ['another number of signatures than it says', (bytes) => bytes.with(162, 1)],
    ['another statement', (bytes) => bytes.with(16, 9)],
    ['a byte more', (bytes) => Uint8Array.of(...bytes, 0)],
  ])('with a certificate of %s', (_, change) => {
    const signature = Uint8Array.from(vote.signature)
    const certificate = Uint8Array.of(...statement, 0, 2, 0, 0, ...signature, 0, 2, ...signature)
    const frameOf = (bytes: Uint8Array) => wire.encodeRecord({ kind: 'chosen', value: { certificate: bytes } })
    expect(decodeRecord(frameOf(certificate)).ok).toBe(true)
    expect(faultOf(decodeRecord(frameOf(change(certificate))))).toBe('bad-value: a certificate is not well formed')
  })

  it('with a frontier of another size than it says', () => {
    const value = { slot: 1, path: utf8('x'), frontier: new Uint8Array(40), timestampMs: 2, chunk: utf8('chunk') }
    expect(decodeTransferFrame(wire.encodeTransferFrame({ kind: 'chunk', value }))).toMatchObject({ ok: false })
  })

  it('with a refusal for no reason, or one that nobody knows', () => {
    for (const [code, result] of [
      [0, 'bad-value: Refusal.code is not well formed'],
      [6, 'taken'],
    ] as const) {
      const frame = wire.encodeReplicaFrame({ kind: 'refusal', value: { request: bytesFor('request'), code } })
      expect(faultOf(decodeReplicaFrame(frame))).toBe(result)
    }
    expect(() =>
      wire.encodeReplicaFrame({ kind: 'refusal', value: { request: bytesFor('request'), code: 7 } }),
    ).toThrow()
  })
})

describe("a client's requests", () => {
  const requests = bundleOf(
    Array.from({ length: wire.MAX_CLIENT_REQUESTS + 1 }, () => utf8('')),
    1,
  )

  it('are taken up to the number that the session window tells apart', () => {
    const frame = encodeClientFrame({ kind: 'requests', requests: requests.slice(0, -1) })
    expect(decodeClientFrame(frame)).toEqual({ ok: true, value: { kind: 'requests', requests: requests.slice(0, -1) } })
  })

  it('are refused above it, and never sent', () => {
    const frame = wire.encodeClientFrame({ kind: 'requests', value: toWireRequests(requests) })
    expect(faultOf(decodeClientFrame(frame))).toContain('too-large')
    expect(() => encodeClientFrame({ kind: 'requests', requests })).toThrow(RangeError)
  })
})

it('requests beyond what a cluster allows in one batch are refused in every message that may hold them', () => {
  const requests = bundleOf(['a', 'b', 'c'].map(utf8), 1)
  const entry = batchEntry(slot(1), epoch(0), 1, requests)
  const certificate = { statement: vote.statement, signatures: [] }
  const messages: readonly Message[] = [
    { kind: 'requests', requests },
    { kind: 'propose', vote, entry },
    { kind: 'bodies', entries: [entry] },
    { kind: 'entries', entries: [{ entry, certificate }] },
  ]
  for (const message of messages) {
    const frame = encodeMessage(message, epoch(0))
    expect(decodeMessage(frame, { maxBatchRequests: 3 })).toEqual({ ok: true, value: { epoch: 0, message } })
    expect(faultOf(decodeMessage(frame, { maxBatchRequests: 2 }))).toBe('too-large: Requests.requests: at most 2')
  }
})

describe('a status', () => {
  const status: ReplicaStatus = {
    replica: replicaIndex(0),
    epoch: epoch(0),
    view: view(0),
    leader: replicaIndex(0),
    active: true,
    chosen: slot(0),
    executed: slot(0),
    stable: slot(0),
    stateRoot: digest(new Uint8Array(32)),
    firstSlot: slot(1),
    pending: 0,
    transferring: false,
    requests: 0,
    uptimeMs: 12.75,
    connected: [],
    lies: [],
    liar: `${'a'.repeat(1023)}€`,
    alarms: Array.from({ length: 100 }, (_, i) => `alarm ${i}`),
    version: '1'.repeat(5000),
  }

  it('is answered however much there is to say: texts are cut at a character, of alarms the newest stay', () => {
    const frame = encodeReplicaFrame({ kind: 'answer', id: 1, last: true, answer: { kind: 'status', status } })
    const decoded = decodeReplicaFrame(frame)
    if (!decoded.ok || decoded.value.kind !== 'answer' || decoded.value.answer.kind !== 'status')
      throw new Error('refused')
    const answered = decoded.value.answer.status
    expect(answered.liar).toBe('a'.repeat(1023))
    expect(answered.version).toBe('1'.repeat(1024))
    expect(answered.alarms).toHaveLength(64)
    expect(answered.alarms.at(-1)).toBe('alarm 99')
    expect(answered.uptimeMs).toBe(12)
  })
})
