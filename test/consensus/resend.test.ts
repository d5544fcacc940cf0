// When a slot that stands still is sent again: soon enough for what was lost, and not so often that what is only late gets later.

import { describe, expect, it } from 'vitest'
import { RESEND_STEPS } from '../../src/consensus/index.ts'
import { type MiniCluster, miniCluster } from '../support/mini-cluster.ts'

const ALL = [0, 1, 2, 3]
/** A quarter of the time-out of 500 ms; so often a replica looks whether anything is to be sent again. */
const INTERVAL = 125

interface Watched {
  readonly cluster: MiniCluster
  /** While true no Accept arrives, so nothing is decided. */
  hold: boolean
  /** Milliseconds from `begin` to each Prepare of replica 1, the first one apart. */
  readonly again: () => readonly number[]
  readonly begin: () => void
}

function watchedCluster(): Watched {
  const cluster = miniCluster()
  let begunMs = 0
  const sent: number[] = []
  const watched: Watched = {
    cluster,
    hold: false,
    again: () => sent.slice(1).map((atMs) => atMs - begunMs),
    begin() {
      begunMs = cluster.nowMs
      sent.length = 0
      cluster.submit(ALL, `at ${begunMs}`)
      cluster.settle()
    },
  }
  cluster.filter = (from, to, message) => {
    if (message.kind !== 'vote') return true
    const { statement, replica } = message.vote
    if (from === 1 && to === 0 && replica === 1 && statement.kind === 'prepare') sent.push(cluster.nowMs)
    return !(watched.hold && statement.kind === 'accept')
  }
  cluster.run(INTERVAL)
  return watched
}

function stateOf({ cluster }: Watched, index: number) {
  const state = cluster.replicas[index]?.state
  if (state === undefined) throw new Error('unreachable')
  return state
}

describe('a slot that stands still', () => {
  it('is sent again after a quarter of the time-out, and then with pauses that double', () => {
    const watched = watchedCluster()
    watched.hold = true
    watched.begin()
    watched.cluster.run(475)
    expect(watched.again()).toEqual([INTERVAL, INTERVAL + 2 * INTERVAL])
  })

  it('is sent again no sooner than slots take to be decided, to the next look', () => {
    const watched = watchedCluster()
    stateOf(watched, 1).decisionMs = 200
    watched.hold = true
    watched.begin()
    watched.cluster.run(475)
    expect(watched.again()).toEqual([2 * INTERVAL])
  })

  it('is sent again before its leader is given up, however long slots take', () => {
    const watched = watchedCluster()
    stateOf(watched, 1).decisionMs = 500
    watched.hold = true
    watched.begin()
    watched.cluster.run(475)
    expect(watched.again()).toEqual([2 * INTERVAL])
    expect(watched.cluster.status(1).view).toBe(0)
  })

  it('begins one step lower than the last one ended', () => {
    const watched = watchedCluster()
    const { cluster } = watched
    watched.hold = true
    watched.begin()
    cluster.run(2 * INTERVAL)
    watched.hold = false
    cluster.run(INTERVAL)
    expect(watched.again()).toEqual([INTERVAL, 3 * INTERVAL])
    expect(cluster.status(1).executed).toBe(1)
    cluster.run(INTERVAL)
    watched.hold = true
    // Another stall: its second pause would be the first one's without the memory of it.
    watched.begin()
    cluster.run(475)
    expect(watched.again()).toEqual([INTERVAL, 3 * INTERVAL])
    expect(stateOf(watched, 1).slotResends).toBe(3)
  })
})

describe('a long outage', () => {
  it('is forgotten after a few stalls', () => {
    const watched = watchedCluster()
    const { cluster } = watched
    watched.hold = true
    watched.begin()
    cluster.run(30_000)
    expect(stateOf(watched, 1).slotResends).toBeLessThanOrEqual(RESEND_STEPS)
  })
})

describe('how long decisions take', () => {
  it('counts from the first vote in the view in which they are made', () => {
    const watched = watchedCluster()
    const { cluster } = watched
    watched.hold = true
    watched.begin()
    cluster.run(1000)
    expect(cluster.status(1).view).toBeGreaterThan(0)
    const begun = stateOf(watched, 1).viewSince
    expect(stateOf(watched, 1).slots.get(1)?.votedAt).toBeGreaterThanOrEqual(begun)
  })

  it('is learned from slots that were voted for, with an eighth of the weight for each', () => {
    const watched = watchedCluster()
    const { cluster } = watched
    const held: (() => void)[] = []
    cluster.filter = (from, to, message) => {
      if (message.kind !== 'vote' || message.vote.statement.kind !== 'accept') return true
      held.push(() => cluster.inject(from, to, message))
      return false
    }
    watched.begin()
    cluster.run(100)
    for (const deliver of held.splice(0)) deliver()
    expect(cluster.status(1).executed).toBe(1)
    expect(stateOf(watched, 1).decisionMs).toBe(100 / 8)
    cluster.filter = () => true
    watched.begin()
    expect(cluster.status(1).executed).toBe(2)
    expect(stateOf(watched, 1).decisionMs).toBe((100 / 8) * (7 / 8))
  })

  it('is not learned from a slot that was sent again, which may have waited for that', () => {
    const watched = watchedCluster()
    watched.hold = true
    watched.begin()
    watched.cluster.run(INTERVAL)
    watched.hold = false
    watched.cluster.run(3 * INTERVAL)
    expect(watched.cluster.status(1).executed).toBe(1)
    expect(stateOf(watched, 1).decisionMs).toBe(0)
  })

  it('counts as one time-out at most', () => {
    const watched = watchedCluster()
    const { cluster } = watched
    const state = stateOf(watched, 1)
    watched.hold = true
    watched.begin()
    const held = state.slots.get(1)
    if (held === undefined) throw new Error('unreachable')
    held.votedAt = state.nowMs
    state.slotsResentAt = Number.NEGATIVE_INFINITY
    state.nowMs += 100_000
    watched.hold = false
    for (const other of [0, 2]) {
      const vote = stateOf(watched, other).slots.get(1)?.ownAccept
      if (vote !== undefined) cluster.inject(other, 1, { kind: 'vote', vote })
    }
    expect(cluster.status(1).executed).toBe(1)
    expect(state.decisionMs).toBe(500 / 8)
  })
})

describe('a request that its leader does not propose', () => {
  it('is passed on to it after a quarter of the time-out, and then after half of it', () => {
    const cluster = miniCluster()
    cluster.run(INTERVAL)
    const begunMs = cluster.nowMs
    const passed: number[] = []
    cluster.filter = (from, to, message) => {
      if (from !== 1 || to !== 0 || message.kind !== 'requests') return true
      passed.push(cluster.nowMs - begunMs)
      return false
    }
    cluster.submit([1], 'passed over')
    // Others go through, so the leader is not given up at once.
    for (let i = 0; i < 25; i++) {
      cluster.submit([0], `another ${i}`)
      cluster.run(100)
    }
    expect(passed).toEqual([1, 3, 5, 7, 9, 11, 13, 15, 17, 19].map((looks) => looks * INTERVAL))
  })
})
