// T6: a leader whose process died is given up long before its time-out, and one that somebody merely lost his own channel to is not.

import { describe, expect, it } from 'vitest'
import { replicaIndex } from '../../crypto/index.ts'
import { EPOCHS } from '../support/epochs.ts'
import { commands, type MiniCluster, miniCluster } from '../support/mini-cluster.ts'

/** A tenth of the time-out of 500 ms, and a tick. */
const SOON = 75
const SIZES = [
  { replicas: 4, byzantine: 1, crash: 0 },
  { replicas: 7, byzantine: 2, crash: 0 },
  { replicas: 7, byzantine: 1, crash: 1 },
  { replicas: 3, byzantine: 0, crash: 1 },
  { replicas: 5, byzantine: 0, crash: 2 },
]

function link(cluster: MiniCluster, peer: number, up: boolean, at: readonly number[]): void {
  for (const index of at) cluster.input(index, { kind: 'link', peer: replicaIndex(peer), up })
}

/** All but the first, which leads. */
function followers(cluster: MiniCluster): number[] {
  return cluster.replicas.map(({ index }) => index).slice(1)
}

/** The leader dies, and `at` are told that their channels to it ended. */
function leaderDies(cluster: MiniCluster, at: readonly number[] = followers(cluster)): void {
  cluster.crash(0)
  link(cluster, 0, false, at)
}

function done(cluster: MiniCluster, index: number): readonly string[] {
  const replica = cluster.replicas[index]
  return replica === undefined ? [] : commands(replica)
}

function viewsOf(cluster: MiniCluster): number[] {
  return followers(cluster).map((index) => cluster.status(index).view)
}

describe.each(EPOCHS)('$name, a leader that died', (epoch) => {
  it.each(SIZES)(
    'is followed by the next one a tenth of the time-out later (n=$replicas, b=$byzantine, c=$crash)',
    (size) => {
      const cluster = miniCluster({ epoch, ...size })
      const inCrashMode = size.byzantine === 0
      cluster.run(300)
      leaderDies(cluster)
      cluster.submit(followers(cluster), 'a')
      // In crash mode what was promised to the leader binds for half a time-out (A4).
      cluster.run(inCrashMode ? 250 + SOON : SOON)
      expect(viewsOf(cluster)).toEqual(followers(cluster).map(() => 1))
      expect(cluster.replicas[1]?.views).toContain('1 changing leader-gone')
      cluster.run(25)
      for (const index of followers(cluster)) expect(done(cluster, index)).toContain('a')
    },
  )

  it('is given up for what comes later, too, as soon as that has waited a tenth of the time-out', () => {
    const cluster = miniCluster({ epoch })
    cluster.run(300)
    leaderDies(cluster)
    cluster.run(5000)
    expect(viewsOf(cluster)).toEqual([0, 0, 0])
    cluster.submit([1, 2, 3], 'a')
    cluster.run(SOON)
    expect(viewsOf(cluster)).toEqual([1, 1, 1])
  })

  it('is given up by those who have something to wait for later than the first who left', () => {
    const cluster = miniCluster({ epoch })
    cluster.run(300)
    leaderDies(cluster)
    cluster.submit([2], 'a')
    cluster.run(SOON)
    expect(viewsOf(cluster)).toEqual([0, 1, 0])
    cluster.submit([1, 3], 'b')
    cluster.run(SOON)
    expect(viewsOf(cluster)).toEqual([1, 1, 1])
  })

  it('is left at once by who asks about it when the last that was missing leaves', () => {
    const cluster = miniCluster({ epoch, replicas: 7, byzantine: 2 })
    cluster.run(300)
    leaderDies(cluster)
    // Their answers are lost, so what they want shows in their ViewChanges alone, one fewer than would take the others along.
    cluster.filter = (_, to, { kind }) => kind !== 'probe-answer' || to === 2 || to === 3
    cluster.submit([2, 3], 'a')
    cluster.run(SOON)
    expect(viewsOf(cluster)).toEqual([0, 1, 1, 0, 0, 0])
    const answers = (from: number, kind: string) => kind !== 'probe-answer' || from === 4 || from === 5
    cluster.filter = (from, to, { kind }) => answers(from, kind) && !(kind === 'view-change' && to === 1)
    const first = cluster.replicas[1]?.state
    first?.viewChanges.clear()
    cluster.submit([1], 'b')
    cluster.run(SOON)
    expect(first?.probe?.granted.size).toBe(3)
    cluster.filter = (from, _, { kind }) => answers(from, kind)
    while (first?.viewChanges.size === 0) cluster.run(25)
    expect(viewsOf(cluster)).toEqual([1, 1, 1, 1, 1, 1])
  })

  it('is waited for as long as ever by those who lost it in silence', () => {
    const cluster = miniCluster({ epoch })
    cluster.run(300)
    cluster.crash(0)
    cluster.submit([1, 2, 3], 'a')
    cluster.run(475)
    expect(viewsOf(cluster)).toEqual([0, 0, 0])
    cluster.run(100)
    expect(viewsOf(cluster)).toEqual([1, 1, 1])
  })

  it('is not waited for by a successor that died with it: the lowest that is alive leads next (n=5, b=0)', () => {
    const rotation = { policy: 'lowest-alive' } as const
    const cluster = miniCluster({ epoch, replicas: 5, byzantine: 0, crash: 2, parameters: { rotation } })
    cluster.run(300)
    cluster.crash(1)
    link(cluster, 1, false, [2, 3, 4])
    leaderDies(cluster, [2, 3, 4])
    cluster.submit([2, 3, 4], 'a')
    cluster.run(250 + SOON + 25)
    expect([2, 3, 4].map((index) => cluster.status(index).leader)).toEqual([2, 2, 2])
    expect(done(cluster, 4)).toContain('a')
  })
})

describe.each(EPOCHS)('$name, a leader that lives', (epoch) => {
  it.each(SIZES)('is kept where one follower lost it (n=$replicas, b=$byzantine, c=$crash)', (size) => {
    const cluster = miniCluster({ epoch, ...size })
    cluster.run(300)
    link(cluster, 0, false, [1])
    cluster.filter = (from, to) => !(from + to === 1)
    for (let i = 0; i < 20; i++) {
      cluster.submit(followers(cluster), `r${i}`)
      cluster.run(100)
    }
    cluster.run(300)
    expect(viewsOf(cluster)).toEqual(followers(cluster).map(() => 0))
    expect(done(cluster, 1)).toContain('r19')
  })

  it('is kept by a follower that lost it and gets nothing done, while too few others lost it, though a liar says so', () => {
    const cluster = miniCluster({ epoch })
    cluster.run(300)
    link(cluster, 0, false, [1])
    // Replica 1 hears replica 3 alone, which lies about what it misses.
    cluster.filter = (from, to, { kind }) => (from !== 1 && to !== 1) || (from + to === 4 && kind.startsWith('probe'))
    cluster.submit([1], 'a')
    cluster.run(450)
    cluster.inject(3, 1, { kind: 'probe-answer', view: cluster.replicas[1]?.state.probe?.view ?? never() })
    cluster.run(25)
    expect(cluster.replicas[1]?.views).toEqual([])
  })

  it('is kept where its channels are replaced while nothing moves for other reasons', () => {
    const cluster = miniCluster({ epoch })
    cluster.run(300)
    cluster.filter = (_, __, { kind }) => kind !== 'vote'
    cluster.submit([0, 1, 2, 3], 'a')
    cluster.run(200)
    link(cluster, 0, false, [1, 2, 3])
    cluster.run(25)
    link(cluster, 0, true, [1, 2, 3])
    cluster.run(200)
    expect(viewsOf(cluster)).toEqual([0, 0, 0])
  })

  it('is kept where the channel is made anew in time', () => {
    const cluster = miniCluster({ epoch })
    cluster.run(300)
    cluster.filter = (from, to) => from !== 0 && to !== 0
    link(cluster, 0, false, [1, 2, 3])
    cluster.submit([1, 2, 3], 'a')
    cluster.run(25)
    link(cluster, 0, true, [1, 2, 3])
    cluster.run(450)
    expect(viewsOf(cluster)).toEqual([0, 0, 0])
  })

  it('is kept while slots go on, whoever says that it is gone', () => {
    const cluster = miniCluster({ epoch })
    cluster.run(300)
    link(cluster, 0, false, [1, 2, 3])
    for (let i = 0; i < 50; i++) {
      cluster.submit([0, 1, 2, 3], `r${i}`)
      cluster.run(25)
    }
    expect(viewsOf(cluster)).toEqual([0, 0, 0])
  })
})

function never(): never {
  throw new Error('the replica did not ask')
}
