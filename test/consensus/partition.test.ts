// Partial partitions, and how leaders take turns (pitfall P63; OmniPaxos' three partitions; the rotation policies).

import { describe, expect, it } from 'vitest'
import { view } from '../../crypto/index.ts'
import { liarOf, load, missing, runUntilDone, safetyFault } from '../support/attack.ts'
import { EPOCHS } from '../support/epochs.ts'
import { commands, type Filter, miniCluster } from '../support/mini-cluster.ts'

const SIZES = [
  [3, 0, 1],
  [5, 0, 2],
  [4, 1, 0],
  [7, 2, 0],
] as const

/** Links that stay, by name; n replicas, the leader is 0. */
const PARTITIONS: Record<string, (n: number) => Filter> = {
  // Everybody hears its neighbours alone.
  chained: () => (from, to) => Math.abs(from - to) === 1,
  // Everybody lost the leader, and one another, but for one hub in the middle that still hears all.
  'quorum-loss': (n) => (from, to) => from === hub(n) || to === hub(n),
  // The leader is gone for all; the others still hear the hub, and one pair not each other.
  constrained: (n) => (from, to) => from !== 0 && to !== 0 && !(isPair(from, to, 1, n - 1) && hub(n) !== 1),
}

describe.each(SIZES)('with n=%i, b=%i, c=%i', (replicas, byzantine, crash) => {
  it.each(Object.keys(PARTITIONS))(
    'a %s partition does not stop the group, and after it nobody lacks anything',
    (name) => {
      const cluster = miniCluster({ replicas, byzantine, crash })
      const filter = PARTITIONS[name]
      if (filter === undefined) throw new Error(name)
      const connected = name === 'constrained' ? cluster.replicas.slice(1) : cluster.replicas
      load(cluster, 5)
      cluster.filter = filter(replicas)
      cluster.run(1000)
      const texts = load(cluster, 10, 50, name)
      const from = cluster.nowMs
      const lacks = () => connected.some((each) => texts.some((text) => !commands(each).includes(text)))
      while (lacks() && cluster.nowMs - from < 15_000) cluster.run(100)
      expect(safetyFault(cluster)).toBeUndefined()
      expect(lacks()).toBe(false)
      cluster.filter = () => true
      runUntilDone(cluster, texts)
      expect(missing(cluster, texts)).toEqual([])
      expect(safetyFault(cluster)).toBeUndefined()
    },
  )

  it('a star around one replica while views change, and then a full mesh: it goes on with no new request (P15, S06)', () => {
    const cluster = miniCluster({ replicas, byzantine, crash })
    const alive = cluster.replicas.map(({ index }) => index).slice(1)
    load(cluster, 3)
    cluster.crash(0)
    // During the change only replica 1 hears the others, one way, and its answers are lost.
    cluster.filter = (from, to) => to === 1 && from !== 1
    cluster.submit(alive, 'x')
    cluster.run(4000)
    cluster.filter = () => true
    const from = cluster.nowMs
    const done = () => alive.every((i) => commands(cluster.replicas[i] ?? none()).includes('x'))
    while (!done() && cluster.nowMs - from < 20_000) cluster.run(100)
    expect(done()).toBe(true)
    expect(safetyFault(cluster)).toBeUndefined()
  })

  it('a ring, with all other links cut one way, does not stop the group', () => {
    const cluster = miniCluster({ replicas, byzantine, crash })
    load(cluster, 3)
    cluster.filter = (from, to) => [1, replicas - 1].includes(Math.abs(from - to)) || from > to
    cluster.run(1000)
    const texts = load(cluster, 5, 100, 'ring')
    runUntilDone(cluster, texts, 20_000)
    expect(missing(cluster, texts)).toEqual([])
    expect(safetyFault(cluster)).toBeUndefined()
  })
})

describe.each(EPOCHS)('rotation $name', (epoch) => {
  it('hands over every N slots at a checkpoint, without a time-out, and loses nothing', () => {
    const cluster = miniCluster({ epoch, parameters: { rotation: { policy: 'every', slots: 8 } } })
    cluster.run(50)
    const texts = load(cluster, 40, 25)
    runUntilDone(cluster, texts)
    expect(missing(cluster, texts)).toEqual([])
    expect(safetyFault(cluster)).toBeUndefined()
    const reasons = cluster.replicas.flatMap((each) => each.views).filter((each) => each.includes('changing'))
    expect(cluster.status(0).view).toBeGreaterThanOrEqual(4)
    expect(reasons.every((each) => each.endsWith('rotation') || each.endsWith('joined'))).toBe(true)
  })

  it('leaves a view at once that begins when its hand-over is past', () => {
    // The NewView of view 1 is built by replicas that do not know the checkpoint of slot 8 as stable yet: it ends at slot 8.
    const cluster = miniCluster({ epoch, parameters: { rotation: { policy: 'every', slots: 8 } } })
    cluster.run(50)
    const pens = [0, 1, 3].map((i) => liarOf(cluster, i))
    const viewChanges = pens.flatMap((pen) => pen.emptyViewChange(view(1)) ?? [])
    cluster.filter = (_, __, message) => message.kind !== 'new-view' && message.kind !== 'view-change'
    load(cluster, 8)
    const replica = cluster.replicas[2]
    expect(replica?.views).toEqual(['1 changing rotation'])
    cluster.inject(1, 2, { kind: 'new-view', newView: (pens[1] ?? none()).newView(view(1), viewChanges) })
    expect(replica?.views).toEqual(['1 changing rotation', '1 active new-view', '2 changing rotation'])
  })

  it('skips a leader that is down when its turn comes', () => {
    const cluster = miniCluster({ epoch, parameters: { rotation: { policy: 'every', slots: 8 } } })
    cluster.run(50)
    cluster.crash(1)
    const texts = Array.from({ length: 30 }, (_, i) => `r${i}`)
    for (const text of texts) {
      cluster.submit([0, 2, 3], text)
      cluster.run(50)
    }
    cluster.run(8000)
    for (const i of [0, 2, 3]) expect(commands(cluster.replicas[i] ?? none())).toEqual(texts)
    cluster.restart(1)
    cluster.run(3000)
    expect(missing(cluster, texts)).toEqual([])
    expect(safetyFault(cluster)).toBeUndefined()
  })

  it('to the lowest that is alive follows crashes up and returns down (n=5, b=0)', () => {
    const cluster = miniCluster({
      epoch,
      replicas: 5,
      byzantine: 0,
      crash: 2,
      parameters: { rotation: { policy: 'lowest-alive' } },
    })
    cluster.run(300)
    load(cluster, 3)
    cluster.crash(0)
    cluster.crash(1)
    cluster.submit([2, 3, 4], 'a')
    cluster.run(4000)
    expect([2, 3, 4].map((i) => cluster.status(i).leader)).toEqual([2, 2, 2])
    for (const i of [2, 3, 4]) expect(commands(cluster.replicas[i] ?? none())).toContain('a')
    cluster.restart(1)
    cluster.run(6000)
    expect([1, 2, 3, 4].map((i) => cluster.status(i).leader)).toEqual([1, 1, 1, 1])
    cluster.restart(0)
    cluster.run(6000)
    expect([0, 1, 2, 3, 4].map((i) => cluster.status(i).leader)).toEqual([0, 0, 0, 0, 0])
    const views = cluster.replicas.map((each) => each.views.length)
    cluster.run(10_000)
    expect(cluster.replicas.map((each) => each.views.length)).toEqual(views)
    const texts = load(cluster, 3, 50, 'b')
    runUntilDone(cluster, texts)
    expect(missing(cluster, texts)).toEqual([])
    expect(safetyFault(cluster)).toBeUndefined()
  })
})

/** In the middle, and not the leader. */
function hub(replicas: number): number {
  return Math.floor(replicas / 2)
}

function isPair(from: number, to: number, a: number, b: number): boolean {
  return (from === a && to === b) || (from === b && to === a)
}

function none(): never {
  throw new Error('no such replica')
}
