// Relaying what a neighbour does not hear (reach.ts): news once, lies never again and again.

import { describe, expect, it } from 'vitest'
import { type Digest, slot, view } from '../../crypto/index.ts'
import { nonsense } from '../../src/byzantine/index.ts'
import type { Message } from '../../src/consensus/index.ts'
import { liarOf } from '../support/attack.ts'
import { commands, type MiniCluster, miniCluster } from '../support/mini-cluster.ts'

/** Enough to tell a storm from a relayed message. */
const STORM = 2000

describe('relaying', () => {
  it.each([
    ['votes that contradict each other', contradictingVotes],
    ['votes of views to come', earlyVotes],
    ['notes of checkpoints that nobody reaches', farNotes],
  ])('passes %s on once, among replicas that do not hear their signer', (_, lies) => {
    const cluster = onlyHeardByOne()
    const sent = counted(cluster)
    const messages = lies(cluster)
    for (const message of messages) cluster.inject(3, 1, message)
    cluster.settle()
    // Each to two neighbours, and by each of those to the other; and every one of the three tells two evidences to three.
    expect(sent()).toBeLessThanOrEqual(4 * messages.length + 18)
    for (const { state } of cluster.replicas.slice(0, 3))
      expect(state.peers[3]?.ahead.length).toBeLessThanOrEqual(messages.length)
  })

  it('lets a chain of four decide: each hears its neighbours alone', () => {
    const cluster = miniCluster()
    cluster.filter = (from, to) => Math.abs(from - to) === 1
    cluster.run(500)
    cluster.submit([0, 1, 2, 3], 'a', 'b')
    cluster.run(1000)
    cluster.submit([3], 'c')
    cluster.run(2000)
    for (const replica of cluster.replicas) expect(commands(replica)).toEqual(['a', 'b', 'c'])
    expect(cluster.replicas.map((each) => each.views)).toEqual([[], [], [], []])
  })
})

/** Replica 3 is heard by nobody but through replica 1; the other three hear one another. */
function onlyHeardByOne(): MiniCluster {
  const cluster = miniCluster({ liars: { 3: 'mute' } })
  cluster.run(400)
  return cluster
}

function counted(cluster: MiniCluster): () => number {
  let count = 0
  cluster.filter = (_, __, message) => {
    if (message.kind !== 'heartbeat') count += 1
    return count < STORM
  }
  return () => count
}

const digests: readonly Digest[] = ['a', 'b', 'c'].map(nonsense)

function contradictingVotes(cluster: MiniCluster): Message[] {
  const liar = liarOf(cluster, 3)
  return digests.map((digest) => ({ kind: 'vote', vote: liar.vote('prepare', { slot: slot(1), digest }) }))
}

function earlyVotes(cluster: MiniCluster): Message[] {
  const liar = liarOf(cluster, 3)
  return digests.map((digest) => ({
    kind: 'vote',
    vote: liar.vote('prepare', { view: view(5), slot: slot(1), digest }),
  }))
}

function farNotes(cluster: MiniCluster): Message[] {
  const liar = liarOf(cluster, 3)
  const slots = [90, 80, 70, 60, 50, 40, 30, 20, 10].map((each) => slot(each * 8))
  return slots.map((at) => ({
    kind: 'checkpoint',
    vote: liar.checkpoint({ slot: at, logRoot: nonsense('log'), stateRoot: nonsense('state') }),
  }))
}
