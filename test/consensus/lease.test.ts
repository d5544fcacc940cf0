// Leases of leaders, in crash mode: while one is held nobody else decides, whatever the network and the clocks do to them.

import { describe, expect, it } from 'vitest'
import { type Slot, view } from '../../crypto/index.ts'
import { leaseIndex, leaseMs, type Message, type Mutation } from '../../src/consensus/index.ts'
import { EPOCHS } from '../support/epochs.ts'
import { type MiniCluster, miniCluster } from '../support/mini-cluster.ts'

const THREE = { replicas: 3, byzantine: 0, crash: 1 } as const

/** What replica `index` may answer from alone now; undefined without a lease. */
function lease(cluster: MiniCluster, index: number): Slot | undefined {
  const state = cluster.replicas[index]?.state
  return state && leaseIndex(state, state.nowMs, state.wallMs)
}

/** Leaders of views of their own, of whom one holds a lease: never two, or one reads what another has overwritten. */
function overlaps(cluster: MiniCluster): boolean {
  const active = cluster.replicas.filter(({ up, state }) => up && state.phase === 'active')
  const views = active.map(({ state }) => state.view)
  return active.some(
    ({ state, index }) => lease(cluster, index) !== undefined && views.some((each) => each > state.view),
  )
}

/** Runs step by step; whether a lease and a later view ever were at once. */
function runLooking(cluster: MiniCluster, ms: number): boolean {
  let found = false
  for (const end = cluster.nowMs + ms; cluster.nowMs < end; ) {
    cluster.run(25)
    found ||= overlaps(cluster)
  }
  return found
}

const ASK = 'lease-ask'
const kindOf = (message: Message) => message.kind

describe.each(EPOCHS)('a lease $name', (epoch) => {
  it.each([
    [3, 1],
    [5, 2],
  ])('is held by a leader that a quorum follows, and covers what it has proposed (n=%d)', (replicas, crash) => {
    const cluster = miniCluster({ epoch, replicas, byzantine: 0, crash })
    cluster.run(300)
    expect(cluster.replicas.map(({ index }) => lease(cluster, index) !== undefined)).toEqual(
      cluster.replicas.map(({ index }) => index === 0),
    )
    // Nobody answers: the leader alone knows of slot 1, and a follower may have told a client that it is decided.
    cluster.filter = (_, to, message) => to !== 0 || kindOf(message) === 'lease-grant'
    cluster.submit([0], 'a')
    cluster.settle()
    expect(lease(cluster, 0)).toBe(cluster.slot(1))
  })

  it('is given again by one who asked whether to leave, once it has nothing to complain of', () => {
    const cluster = miniCluster({ epoch, ...THREE })
    cluster.run(300)
    // The leader's proposals reach nobody for a while, and nobody answers what followers ask one another.
    cluster.filter = (_, __, message) => !['propose', 'probe', 'probe-answer'].includes(kindOf(message))
    cluster.submit([0, 1, 2], 'a')
    cluster.run(1000)
    const follower = cluster.replicas[1]?.state
    expect(follower?.probe).toBeDefined()
    cluster.filter = (_, to, message) => to !== 2 && kindOf(message) !== 'probe-answer'
    cluster.crash(2)
    cluster.run(1000)
    expect(cluster.status(1)).toMatchObject({ view: 0, executed: cluster.slot(1) })
    expect(follower?.probe).toBeUndefined()
    expect(lease(cluster, 0)).toBeDefined()
  })

  it('is over before another leads, when its leader is cut off', () => {
    const cluster = miniCluster({ epoch, ...THREE })
    cluster.run(300)
    cluster.filter = (from, to) => from !== 0 && to !== 0
    cluster.submit([0, 1, 2], 'a')
    expect(runLooking(cluster, 3000)).toBe(false)
    expect(lease(cluster, 0)).toBeUndefined()
    expect(cluster.status(1)).toMatchObject({ phase: 'active', leader: 1 })
    expect(lease(cluster, 1)).toBeDefined()
  })

  /** Heartbeats and asks get through between leader and one follower, nothing else: it promises, and wants to leave. */
  function stuck(mutations: readonly Mutation[]): MiniCluster {
    const cluster = miniCluster({ epoch, ...THREE, mutations })
    cluster.run(300)
    cluster.filter = (from, to, message) => {
      if (from !== 0 && to !== 0) return true
      return from !== 2 && to !== 2 && ['heartbeat', ASK, 'lease-grant'].includes(kindOf(message))
    }
    cluster.submit([0, 1, 2], 'a')
    return cluster
  }

  it('binds who promised, also when another takes it along to the next view', () => {
    const cluster = stuck([])
    expect(runLooking(cluster, 5000)).toBe(false)
    expect(cluster.status(1).view).toBeGreaterThan(0)
    expect(cluster.status(1).executed).toBeGreaterThanOrEqual(cluster.slot(1))
  })

  it('would not be worth anything if promises were not kept', () => {
    expect(runLooking(stuck(['break-lease-promise']), 5000)).toBe(true)
  })

  it('would not be worth anything if it had no end', () => {
    const cluster = miniCluster({ epoch, ...THREE, mutations: ['lease-without-end'] })
    cluster.run(300)
    cluster.filter = (from, to) => from !== 0 && to !== 0
    cluster.submit([0, 1, 2], 'a')
    expect(runLooking(cluster, 3000)).toBe(true)
  })

  it('is not cut short by a follower that loses power: it promises nothing new, and leaves nobody, for as long', () => {
    const cluster = miniCluster({ epoch, ...THREE })
    cluster.run(300)
    cluster.crash(1)
    cluster.restart(1)
    cluster.filter = (from, to) => from !== 0 && to !== 0
    cluster.submit([1, 2], 'a')
    expect(runLooking(cluster, 3000)).toBe(false)
    expect(cluster.status(1)).toMatchObject({ phase: 'active', leader: 1 })
  })

  it('is not had from promises to an earlier life, nor from ones that nobody asked for', () => {
    const cluster = miniCluster({ epoch, ...THREE })
    cluster.run(300)
    const promise = cluster.replicas[0]?.state.lease.promised.get(cluster.replicas[1]?.index ?? never()) ?? never()
    cluster.crash(0)
    cluster.restart(0)
    for (const change of [{}, { monotonicMs: promise.monotonicMs + 1e6 }, { wallMs: promise.wallMs + 1 }]) {
      cluster.inject(1, 0, { kind: 'lease-grant', view: view(0), ...promise, ...change })
    }
    expect(lease(cluster, 0)).toBeUndefined()
    cluster.run(300)
    expect(lease(cluster, 0)).toBeDefined()
  })

  it('is over when either clock says so, and when one was set back', () => {
    const cluster = miniCluster({ epoch, ...THREE })
    cluster.run(300)
    const state = cluster.replicas[0]?.state ?? never()
    const { nowMs, wallMs } = state
    const length = leaseMs(state.config.parameters)
    expect(leaseIndex(state, nowMs, wallMs)).toBeDefined()
    expect(leaseIndex(state, nowMs + length, wallMs)).toBeUndefined()
    expect(leaseIndex(state, nowMs, wallMs + length)).toBeUndefined()
    expect(leaseIndex(state, nowMs, wallMs - 3_600_000)).toBeUndefined()
    // Clocks may differ by a tenth: a leader counts that much less than its followers do.
    const asked = Math.max(...[...state.lease.promised.values()].map(({ monotonicMs }) => monotonicMs))
    expect(leaseIndex(state, asked + Math.floor(length / 1.1), wallMs)).toBeDefined()
    expect(leaseIndex(state, asked + Math.ceil(length / 1.1), wallMs)).toBeUndefined()
  })

  it('does not exist where replicas may lie: nobody asks, and nobody promises', () => {
    const cluster = miniCluster({ epoch })
    const kinds = new Set<string>()
    cluster.filter = (_, __, message) => {
      kinds.add(message.kind)
      return true
    }
    cluster.run(300)
    cluster.inject(0, 1, { kind: ASK, view: view(0), monotonicMs: 100, wallMs: 100 })
    cluster.settle()
    expect([...kinds].filter((kind) => kind.startsWith('lease'))).toEqual([])
    expect(lease(cluster, 0)).toBeUndefined()
  })
})

function never(): never {
  throw new Error('not there')
}
