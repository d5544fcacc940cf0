// What others hold of a replica's word, against what its records know of it (src/consensus/held.ts).

import { describe, expect, it } from 'vitest'
import {
  type Digest,
  equalBytes,
  replicaIndex,
  signature,
  signVote,
  slot,
  type Vote,
  view,
} from '../../crypto/index.ts'
import { nativeSigner, nativeVerifier } from '../../keys/native/index.ts'
import {
  type DurableRecord,
  forgotten,
  type HeldStatements,
  heldOf,
  type OwnWord,
  saidInUnknownEpoch,
  sayings,
} from '../../src/consensus/index.ts'
import { bytesFor } from '../support/cluster.ts'
import { type MiniCluster, miniCluster } from '../support/mini-cluster.ts'

const MODES = [
  { title: 'n = 4, b = 1', options: {} },
  { title: 'n = 3, b = 0', options: { replicas: 3, byzantine: 0, crash: 1 } },
] as const

describe.each(MODES)('a replica that starts again ($title)', ({ options }) => {
  it('finds nothing that it does not know of, whatever its peers have got to meanwhile', () => {
    const cluster = busy(options)
    for (const { index } of cluster.replicas) {
      cluster.crash(index)
      const own = ownWord(cluster, index)
      write(cluster, 2)
      for (const peer of cluster.replicas) {
        if (peer.index !== index) expect(told(cluster, peer.index, index, own)).toBeUndefined()
      }
      cluster.restart(index)
      cluster.run(500)
    }
  })

  it('knows what it proposed again in the NewView that it began its view with, where it said nothing after it', () => {
    const cluster = busy(options)
    while (cluster.status(0).chosen === cluster.status(0).stable.slot) write(cluster, 1)
    const { leader } = cluster.status(0)
    // What waits is proposed in the new view, and nobody hears of it.
    cluster.filter = (_, __, message) => message.kind !== 'propose'
    cluster.crash(leader)
    const others = cluster.replicas.map(({ index }) => index).filter((index) => index !== leader)
    cluster.submit(others, 'w')
    cluster.run(1000)
    const next = cluster.status(others[0] ?? 0).leader
    const peers = others.filter((index) => index !== next)
    const votes = peers.map((peer) => heldOf(stateOf(cluster, peer), replicaIndex(next)).vote)
    expect(next).not.toBe(leader)
    expect(votes.map((vote) => vote?.statement.view)).toContain(cluster.status(next).view)
    const own = ownWord(cluster, next)
    for (const peer of peers) expect(told(cluster, peer, next, own)).toBeUndefined()
  })

  it('is told what it said after the last checkpoint that its records know of, also once its peers are past the next one', () => {
    const cluster = busy(options)
    const old = ownWord(cluster, 1)
    for (let i = 0; i < 24; i++) {
      write(cluster, 1)
      const lost = cluster.replicas.flatMap(({ index }) => (index === 1 ? [] : (told(cluster, index, 1, old) ?? [])))
      expect(lost.length, `after ${i + 1} more`).toBeGreaterThan(0)
    }
  })
})

describe('a replica that is told', () => {
  it('of a view that it left for another knows it by its promise alone (n = 4)', () => {
    const cluster = busy({})
    const { leader } = cluster.status(0)
    const [self, peer] = [(leader + 2) % 4, (leader + 3) % 4] as const
    const old = ownWord(cluster, self)
    cluster.crash(leader)
    cluster.filter = (_, __, message) => message.kind !== 'new-view'
    const others = [0, 1, 2, 3].filter((index) => index !== leader)
    cluster.submit(others, 'w')
    cluster.run(1000)
    const { promise } = heldOf(stateOf(cluster, peer), replicaIndex(self))
    expect(promise?.statement).toMatchObject({ kind: 'view-change' })
    expect(forgotten({ ...NOTHING, promise }, old, cluster.context)).toBe(promise)
    expect(forgotten({ ...NOTHING, promise }, ownWord(cluster, self), cluster.context)).toBeUndefined()
  })

  it('believes nothing but its own signature', () => {
    const cluster = busy({})
    const old = ownWord(cluster, 1)
    write(cluster, 3)
    const { vote, note } = heldOf(stateOf(cluster, 2), replicaIndex(1))
    if (vote === undefined || note === undefined) throw new Error('nothing is held')
    expect(forgotten({ ...NOTHING, vote }, old, cluster.context)).toBe(vote)
    const lies: HeldStatements[] = [
      heldOf(stateOf(cluster, 2), replicaIndex(3)),
      { ...NOTHING, vote: { ...vote, replica: replicaIndex(3) } },
      { ...NOTHING, vote: above(vote, 'accept') },
      { ...NOTHING, promise: above(vote, 'view-change') },
      { ...NOTHING, promise: vote },
      { ...NOTHING, note: { ...note, slot: cluster.slot(800) } },
    ]
    for (const lie of lies) expect(forgotten(lie, old, cluster.context)).toBeUndefined()
  })
})

const NOTHING: HeldStatements = { promise: undefined, vote: undefined, note: undefined }

/** A cluster that is past a checkpoint and in the midst of the next interval. */
function busy(options: Parameters<typeof miniCluster>[0]): MiniCluster {
  const cluster = miniCluster(options)
  write(cluster, 12)
  return cluster
}

/** One slot each. */
function write(cluster: MiniCluster, count: number): void {
  for (let i = 0; i < count; i++) {
    cluster.submit(
      cluster.replicas.map(({ index }) => index),
      `at ${cluster.nowMs}`,
    )
    cluster.run(100)
  }
}

function stateOf(cluster: MiniCluster, index: number) {
  const state = cluster.replicas[index]?.state
  if (state === undefined) throw new RangeError(`no replica ${index}`)
  return state
}

function ownWord(cluster: MiniCluster, index: number): OwnWord {
  const { view: at, stable } = cluster.status(index)
  // The store has dropped what is below its last checkpoint.
  const kept = (cluster.replicas[index]?.records ?? []).filter((record) => slotOf(record) > stable.slot)
  return { self: replicaIndex(index), view: at, settled: stable.slot, said: sayings(kept, replicaIndex(index)) }
}

/** Of records about no slot the newest is kept. */
function slotOf(record: DurableRecord): number {
  if (record.kind === 'new-view') return Number.POSITIVE_INFINITY
  if (record.kind === 'vote') return record.vote.statement.slot
  return record.kind === 'checkpoint' ? record.vote.slot : 0
}

function told(cluster: MiniCluster, by: number, index: number, own: OwnWord) {
  const { context } = cluster
  return forgotten(heldOf(stateOf(cluster, by), replicaIndex(index)), own, context)
}

function above(vote: Vote, kind: 'accept' | 'view-change'): Vote {
  return { ...vote, statement: { ...vote.statement, kind, view: view(vote.statement.view + 4) } }
}

describe('a vote under the own key in a membership that is not known', () => {
  const [own, other] = [bytesFor('own consensus key'), bytesFor('another consensus key')].map((seed) =>
    nativeSigner(seed),
  )
  if (own === undefined || other === undefined) throw new Error('two signers')
  const [clusterId, known, unknown] = [bytesFor('cluster'), bytesFor('known'), bytesFor('unknown')]
  const here = { clusterId, knows: (membership: Digest) => equalBytes(membership, known) }
  const vote = (change: Partial<Vote['statement']>, signer = own): Vote => {
    const statement = {
      kind: 'accept',
      clusterId,
      membership: unknown,
      view: view(0),
      justification: known,
      slot: slot(9),
      digest: known,
    }
    return signVote({ ...statement, ...change } as Vote['statement'], replicaIndex(1), signer)
  }
  const found = (each: Vote) =>
    [
      { ...NOTHING, vote: each },
      { ...NOTHING, promise: each },
    ].map((held) => saidInUnknownEpoch(held, own.publicKey, here, nativeVerifier))

  it('is found, and nothing else is: of a known membership, of another cluster or key, or without a signature', () => {
    const said = vote({})
    expect(found(said)).toEqual([said, said])
    for (const each of [
      vote({ membership: known }),
      vote({ clusterId: bytesFor('another cluster') }),
      vote({}, other),
      { ...said, signature: signature(new Uint8Array(64)) },
    ]) {
      expect(found(each)).toEqual([undefined, undefined])
    }
  })
})
