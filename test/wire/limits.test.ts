import { describe, expect, it } from 'vitest'
import { certificateThreshold, encodeCertificate, epoch, quorumSystem, slot, view } from '../../crypto/index.ts'
import { largestNewViewBytes, MAX_CHARTER_BYTES, MAX_NEW_VIEW_BYTES } from '../../keys/charter/index.ts'
import { DEFAULT_PARAMETERS, NUMBER_PARAMETERS } from '../../keys/genesis/index.ts'
import * as wire from '../../net/wire/index.ts'
import { BUNDLE_REQUESTS } from '../../src/client/limits.ts'
import { FETCH_BODIES, FETCH_ENTRIES, logWindow, type NewView, PENDING_PER_CLIENT } from '../../src/consensus/index.ts'
import {
  CHUNK_BYTES,
  encodeResultRecord,
  MAX_CHUNK_BYTES,
  MAX_KEY_BYTES,
  MAX_PROOF_BYTES,
  MAX_RESULT_BYTES,
  MAX_VALUE_BYTES,
  OUTCOME_BYTES,
  SESSION_WINDOW,
} from '../../src/machine/index.ts'
import { encodeMessage, encodeNewView } from '../../src/wire/index.ts'
import { testCluster } from '../support/cluster.ts'
import { bundleOf } from './arbitraries.ts'

const MIB = 1024 * 1024

describe('the bounds of the wire', () => {
  it('are those of the genesis, the protocol and the machine', () => {
    expect(wire.MAX_PREPARED).toBe(NUMBER_PARAMETERS.window.most + NUMBER_PARAMETERS.checkpointInterval.most)
    expect(wire.MAX_REQUESTS).toBe(NUMBER_PARAMETERS.maxBatchRequests.most)
    expect(wire.MAX_COMMAND_BYTES).toBe(NUMBER_PARAMETERS.maxRequestBytes.most)
    expect(wire.MAX_ENTRIES).toBe(FETCH_ENTRIES)
    expect(wire.MAX_CHARTER_BYTES).toBe(MAX_CHARTER_BYTES)
    expect(wire.MAX_BODIES).toBe(FETCH_BODIES)
    expect(wire.MAX_CLIENT_REQUESTS).toBe(SESSION_WINDOW)
    expect(wire.MAX_CLIENT_REQUESTS).toBe(PENDING_PER_CLIENT)
    expect(wire.MAX_WATCH_KEY_BYTES).toBe(MAX_KEY_BYTES)
    expect(wire.MAX_WATCH_VALUE_BYTES).toBe(MAX_VALUE_BYTES)
    expect(wire.MAX_WATCHED_CHANGES + wire.MAX_REQUESTS).toBeLessThan(wire.MAX_FRAME_ITEMS)
    expect(wire.MAX_CHUNK_BYTES).toBeGreaterThanOrEqual(Math.max(MAX_CHUNK_BYTES, CHUNK_BYTES))
    expect(wire.MAX_READS).toBe(BUNDLE_REQUESTS)
    expect(wire.MAX_OUTCOMES).toBe(Object.keys(OUTCOME_BYTES).length)
    expect(wire.MAX_RESULT_BYTES).toBe(MAX_RESULT_BYTES)
    expect([wire.MAX_STATE_KEY_BYTES, wire.MAX_STATE_VALUE_BYTES]).toEqual([MAX_KEY_BYTES, MAX_VALUE_BYTES])
    expect(wire.MAX_STATE_PROOF_BYTES).toBe(MAX_PROOF_BYTES)
    const proven = wire.MAX_STATE_VALUE_BYTES + wire.MAX_STATE_PROOF_BYTES + 64
    expect((wire.MAX_STATE_KEYS + 1) * proven).toBeLessThan(wire.MAX_FRAME_BYTES.replica)
    const largest = { outcome: 'done', client: new Uint8Array(32), sequence: 1, slot: 1 } as const
    const record = { ...largest, request: testCluster().membership.digest, result: new Uint8Array(MAX_RESULT_BYTES) }
    expect(wire.MAX_RECORD_BYTES).toBe(encodeResultRecord(record).length)
  })

  it('let the largest batch through: every request of it in a bundle of its own of the most requests', () => {
    const [request] = bundleOf([new Uint8Array(0)], 1)
    if (request === undefined) throw new Error('no request')
    const path = Array.from({ length: 16 }, () => request.proof.root)
    const single = { ...request, request: { ...request.request, sequence: Number.MAX_SAFE_INTEGER } }
    const last = wire.MAX_BUNDLE_REQUESTS - 1
    const signed = { ...single, proof: { ...request.proof, index: last, count: wire.MAX_BUNDLE_REQUESTS, path } }
    const one = encodeMessage({ kind: 'requests', requests: [signed] }, epoch(0)).length
    const batch = wire.MAX_REQUESTS * (one + 3) + NUMBER_PARAMETERS.maxBatchBytes.most + 1024
    expect(batch).toBeLessThan(wire.MAX_FRAME_BYTES.consensus)
    // What is derived in limits.ts.
    expect(one).toBeLessThan(16 * 32 + 145 + 20 + 8)
  })

  it('let the NewView of 100 members with default parameters through', () => {
    const quorums = quorumSystem({ replicas: 100, byzantine: 33, crash: 0 })
    const bytes = largestNewViewBytes(DEFAULT_PARAMETERS, quorums)
    expect(bytes).toBeGreaterThan(40 * MIB)
    expect(bytes).toBeLessThan(MAX_NEW_VIEW_BYTES)
    expect(MAX_NEW_VIEW_BYTES + 1024).toBe(wire.MAX_FRAME_BYTES.consensus)
  })

  it('tell genesis parameters under which a NewView may not fit into a frame', () => {
    const quorums = quorumSystem({ replicas: 100, byzantine: 33, crash: 0 })
    const bytes = largestNewViewBytes({ ...DEFAULT_PARAMETERS, checkpointInterval: 1024 }, quorums)
    expect(bytes).toBeGreaterThan(wire.MAX_FRAME_BYTES.consensus)
  })

  it.each([
    [4, 1, 0],
    [7, 2, 0],
    [3, 0, 1],
  ])('bound the NewView of %i members (b = %i, c = %i) closely', (replicas, byzantine, crash) => {
    const cluster = testCluster({ replicas, byzantine, crash })
    const parameters = { ...DEFAULT_PARAMETERS, window: 8, checkpointInterval: 8 }
    const { quorum } = cluster.quorums
    const far = view(2 ** 40)
    const all = Array.from({ length: certificateThreshold('prepare', cluster.membership) }, (_, i) => cluster.vote(i))
    const signatures = all.map(({ replica, signature }) => ({ replica, signature }))
    const certificate = { statement: cluster.statement({ slot: slot(2 ** 40) }), signatures }
    const note = {
      slot: slot(2 ** 40),
      logRoot: certificate.statement.digest,
      stateRoot: certificate.statement.digest,
      next: undefined,
    }
    const signers = Array.from({ length: quorum }, (_, i) => cluster.vote(i))
    const stable = { ...note, signatures: signers.map(({ replica, signature }) => ({ replica, signature })) }
    const prepared = Array.from({ length: logWindow(parameters) }, () => certificate)
    const vote = cluster.vote(replicas - 1, { kind: 'view-change', view: far })
    const viewChanges = Array.from({ length: quorum }, () => ({ view: far, stable, prepared, vote }))
    const newView: NewView = { view: far, viewChanges, vote, proposals: prepared.map(() => vote) }
    const [bytes, bound] = [encodeNewView(newView).length, largestNewViewBytes(parameters, cluster.quorums)]
    expect(encodeCertificate(certificate).length).toBeGreaterThan(200)
    expect(bytes).toBeLessThanOrEqual(bound)
    expect(bytes).toBeGreaterThan(0.95 * bound)
  })
})
