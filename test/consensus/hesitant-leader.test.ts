// T7: a leader that is late with what others decide on at once is given up, where a quorum sees it; and nobody else is.

import { describe, expect, it } from 'vitest'
import { batchEntry, type Message } from '../../src/consensus/index.ts'
import { liarOf } from '../support/attack.ts'
import { EPOCHS } from '../support/epochs.ts'
import { type MiniCluster, miniCluster, request } from '../support/mini-cluster.ts'

const ROUNDS = 17
/** Between ticks 25 ms apart, which is as long as nobody counts as hesitant. */
const LATE_MS = 30

function pass(cluster: MiniCluster, ms: number): void {
  cluster.nowMs += ms
  const moment = { nowMs: cluster.nowMs, wallMs: 1_000_000 + cluster.nowMs }
  for (const { index } of cluster.replicas) cluster.input(index, { kind: 'time', ...moment })
}

/** Requests that `at` know of, each proposed alone by replica 0 after LATE_MS, and decided `takes` ms after that. */
function hesitate(cluster: MiniCluster, { at = [1, 2, 3], takes = 0, rounds = ROUNDS, first = 1 }): void {
  const { clusterId, epoch } = cluster.context.membership
  const pen = liarOf(cluster, 0)
  for (let i = first; i < first + rounds && cluster.status(1).view === 0; i++) {
    cluster.submit(at, `r${i}`)
    cluster.run(25)
    pass(cluster, LATE_MS - 25)
    const one = request(clusterId, `r${i}`, i)
    const proposal = pen.propose(batchEntry(cluster.slot(i), epoch, 1_000_000 + cluster.nowMs, [one]))
    const held: [number, number, Message][] = []
    cluster.filter = (from, to, message) => {
      const waits = takes > 0 && message.kind === 'vote'
      if (waits) held.push([from, to, message])
      return !waits
    }
    for (const to of [1, 2, 3]) cluster.inject(0, to, proposal)
    cluster.settle()
    pass(cluster, takes)
    cluster.filter = () => true
    for (const [from, to, message] of held) cluster.inject(from, to, message)
    cluster.settle()
  }
  // It is silent otherwise, and would be missed.
  for (const { state } of cluster.replicas) {
    const leader = state.peers[0]
    if (leader !== undefined) leader.heardAt = Number.POSITIVE_INFINITY
  }
}

const viewsOf = (cluster: MiniCluster) => [1, 2, 3].map((index) => cluster.replicas[index]?.views)

describe.each(EPOCHS)('$name, a leader that is late with its proposals', (epoch) => {
  const setUp = () => {
    const cluster = miniCluster({ epoch, liars: { 0: 'mute' } })
    cluster.run(50)
    return cluster
  }

  it('is given up by all of those who follow it, at once', () => {
    const cluster = setUp()
    hesitate(cluster, {})
    cluster.run(50)
    const changed = ['1 changing hesitant-leader', '1 active new-view']
    expect(viewsOf(cluster)).toEqual([changed, changed, changed])
  })

  it('is given up together by one who is asked because of it and finds it almost as late', () => {
    const cluster = setUp()
    hesitate(cluster, { rounds: 16 })
    for (const { state } of cluster.replicas.slice(2)) state.hesitations.fill(20)
    cluster.run(50)
    const changed = ['1 changing hesitant-leader', '1 active new-view']
    expect(viewsOf(cluster)).toEqual([changed, changed, changed])
  })

  it('is not left by one who is asked and only lags', () => {
    const cluster = setUp()
    hesitate(cluster, { rounds: 16 })
    for (const { index, state } of cluster.replicas.slice(2)) {
      for (const peer of state.peers.filter((_, i) => i !== 0 && i !== index)) {
        if (peer.heartbeat !== undefined) peer.heartbeat = { ...peer.heartbeat, chosen: cluster.slot(100) }
      }
    }
    cluster.run(50)
    expect(cluster.replicas[1]?.state.probe).toBeDefined()
    expect(viewsOf(cluster)).toEqual([[], [], []])
  })

  it('is kept while decisions take a third as long or more', () => {
    const cluster = setUp()
    hesitate(cluster, { takes: 10 })
    expect(cluster.status(1).executed).toBe(cluster.slot(ROUNDS))
    expect(cluster.replicas[1]?.state.decisions).toHaveLength(16)
    cluster.run(50)
    expect(viewsOf(cluster)).toEqual([[], [], []])
  })

  it.each([1, 2])(
    'is kept where only %i of those who follow it see so, and they are of use to it as before',
    (count) => {
      const cluster = setUp()
      hesitate(cluster, { at: [1, 2].slice(0, count) })
      cluster.run(600)
      expect(cluster.status(1)).toMatchObject({ view: 0, executed: cluster.slot(ROUNDS), phase: 'active' })
      expect(viewsOf(cluster)).toEqual([[], [], []])
    },
  )

  it('is asked about for a while only, once it is late no more', () => {
    const cluster = setUp()
    hesitate(cluster, { at: [1] })
    cluster.run(25)
    const state = cluster.replicas[1]?.state
    expect(state?.probe?.reason).toBe('hesitant-leader')
    state?.hesitations.fill(0)
    cluster.run(250)
    expect(state?.probe).toBeDefined()
    cluster.run(75)
    expect(state?.probe).toBeUndefined()
    expect(viewsOf(cluster)).toEqual([[], [], []])
  })
})
