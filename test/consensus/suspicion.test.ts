// When leaders are given up and when not (T1-T5, pitfalls P17, P48, P49, P50, P62, P63).

import { describe, expect, it } from 'vitest'
import { replicaIndex, view } from '../../crypto/index.ts'
import { nonsense } from '../../src/byzantine/index.ts'
import { batchEntry } from '../../src/consensus/index.ts'
import { accusations, honestOf, liarOf, load, missing, runUntilDone, safetyFault } from '../support/attack.ts'
import { EPOCHS } from '../support/epochs.ts'
import { commands, miniCluster, request } from '../support/mini-cluster.ts'

const ALL = [0, 1, 2, 3]

describe.each(EPOCHS)('a leader is given up $name', (epoch) => {
  it('when it is just fast enough never to time out, but far slower than it could be (P48)', () => {
    const cluster = miniCluster({ epoch, liars: { 0: 'slow' }, parameters: { maxBatchRequests: 64 } })
    cluster.run(50)
    load(cluster, 150, 50)
    expect(cluster.status(1).view).toBeGreaterThan(0)
    expect(cluster.replicas.slice(1).flatMap((each) => each.views)).toContain('1 changing slow-leader')
    const from = cluster.nowMs
    const texts = load(cluster, 10, 50, 'late')
    runUntilDone(cluster, texts)
    expect(cluster.nowMs - from).toBeLessThan(700)
  })

  it('when it proposes at once, but hardly anything of what waits', () => {
    const cluster = miniCluster({ epoch, liars: { 0: 'mute' }, parameters: { maxBatchRequests: 64 } })
    const { clusterId, epoch: number } = cluster.context.membership
    const pen = liarOf(cluster, 0)
    cluster.run(50)
    const waiting = Array.from({ length: 40 }, (_, i) => `r${i}`)
    cluster.submit([1, 2, 3], ...waiting)
    for (const [i, text] of waiting.entries()) {
      if (cluster.status(1).view > 0) break
      const one = request(clusterId, text, i + 1)
      const proposal = pen.propose(batchEntry(cluster.slot(i + 1), number, 1_000_000 + cluster.nowMs, [one]))
      for (const to of [1, 2, 3]) cluster.inject(0, to, proposal)
      cluster.run(50)
    }
    expect(cluster.replicas.slice(1).flatMap((each) => each.views)).toContain('1 changing slow-leader')
  })

  it('when it passes one client over, though all the others are served (P49)', () => {
    const cluster = miniCluster({ epoch, liars: { 0: 'censor' } })
    cluster.run(50)
    cluster.submitAs('victim', ALL, 'help')
    load(cluster, 80, 50)
    expect(cluster.replicas.slice(1).flatMap((each) => each.views)).toContain('1 changing censorship')
    runUntilDone(cluster, ['help'])
    expect(missing(cluster, ['help'])).toEqual([])
  })

  it('by all honest replicas at once when it offers two entries for one slot (P26, S02)', () => {
    const cluster = miniCluster({ epoch, liars: { 0: 'equivocate' } })
    cluster.run(50)
    cluster.submit(ALL, 'a')
    cluster.run(2 * 500)
    expect(accusations(cluster)).toContain('two-votes 0')
    expect(safetyFault(cluster)).toBeUndefined()
    expect(missing(cluster, ['a'])).toEqual([])
    expect(honestOf(cluster).map(({ index }) => cluster.status(index).view)).toEqual([1, 1, 1])
  })

  it('when it proposes with holes, so that nothing can be executed (P54, S23)', () => {
    for (const liar of ['hole-maker', 'window-edge']) {
      const cluster = miniCluster({ epoch, liars: { 0: liar } })
      cluster.run(50)
      const texts = load(cluster, 8)
      runUntilDone(cluster, texts)
      expect(safetyFault(cluster)).toBeUndefined()
      expect(missing(cluster, texts)).toEqual([])
      expect(cluster.status(1).view).toBeGreaterThan(0)
    }
  })
})

describe.each(EPOCHS)('a leader is kept $name', (epoch) => {
  it('when one proposal is late, however many requests it holds', () => {
    const cluster = miniCluster({ epoch, liars: { 0: 'mute' }, parameters: { maxBatchRequests: 64 } })
    const { clusterId, epoch: number } = cluster.context.membership
    const pen = liarOf(cluster, 0)
    cluster.run(50)
    const texts = Array.from({ length: 36 }, (_, i) => `r${i}`)
    const propose = (at: number, from: number, to: number, afterMs: number) => {
      cluster.submit([1, 2, 3], ...texts.slice(from, to))
      cluster.run(afterMs)
      const requests = texts.slice(from, to).map((text, i) => request(clusterId, text, from + i + 1))
      const proposal = pen.propose(batchEntry(cluster.slot(at), number, 1_000_000 + cluster.nowMs, requests))
      for (const replica of [1, 2, 3]) cluster.inject(0, replica, proposal)
      cluster.settle()
    }
    for (let i = 0; i < 16; i++) propose(i + 1, i, i + 1, 25)
    propose(17, 16, 36, 475)
    expect(cluster.status(1).executed).toBe(cluster.slot(17))
    cluster.run(100)
    expect(cluster.replicas.slice(1).map((each) => each.views)).toEqual([[], [], []])
  })

  it('when requests wait for slots that take long, and not for it', () => {
    const cluster = miniCluster({ epoch, parameters: { maxBatchRequests: 64 } })
    cluster.run(50)
    // A first view in which it was seen how fast a leader can be.
    const texts = load(cluster, 20, 25, 'calm')
    cluster.crash(0)
    texts.push(...load(cluster, 1, 1500, 'change'))
    const views = ['1 changing no-progress', '1 active new-view']
    expect(cluster.replicas.slice(1).map((each) => each.views)).toEqual([views, views, views])
    for (let round = 0; round < 12; round++) {
      // As many slots as are begun however little is in them, and then requests for which there is no room.
      cluster.filter = (_, __, message) => message.kind !== 'vote' || message.vote.statement.kind !== 'accept'
      texts.push(...load(cluster, 10, 25, `${round} `))
      cluster.run(75)
      cluster.filter = () => true
      cluster.run(300)
    }
    expect(cluster.replicas.slice(1).map((each) => each.views)).toEqual([views, views, views])
    expect(commands(cluster.replicas[1] ?? none())).toHaveLength(texts.length)
  })

  it('when one liar wants another view at every moment (P17)', () => {
    const cluster = miniCluster({ epoch })
    const pen = liarOf(cluster, 3)
    cluster.filter = (from) => from !== 3
    cluster.run(50)
    for (let target = 1; target < 60; target++) {
      const viewChange = pen.emptyViewChange(view(target))
      if (viewChange === undefined) throw new Error('no checkpoint known')
      for (const to of [0, 1, 2]) cluster.inject(3, to, { kind: 'view-change', viewChange })
      cluster.submit([0, 1, 2], `r${target}`)
      cluster.run(50)
    }
    expect([0, 1, 2].map((i) => cluster.replicas[i]?.views)).toEqual([[], [], []])
    expect(commands(cluster.replicas[1] ?? none())).toHaveLength(59)
  })

  it('when a request reaches a replica only after it was executed (P50)', () => {
    const cluster = miniCluster({ epoch })
    cluster.run(50)
    cluster.submit([0], 'a')
    cluster.run(100)
    // The shell's session table knows it; a peer that passes it on late changes nothing either.
    const late = request(cluster.context.membership.clusterId, 'a', 1)
    for (const to of [1, 2, 3]) cluster.inject(0, to, { kind: 'requests', requests: [late] })
    cluster.run(3000)
    expect(cluster.replicas.map((each) => each.views)).toEqual([[], [], [], []])
    expect(cluster.replicas.map((each) => each.executed.length)).toEqual([1, 1, 1, 1])
  })

  it('when a proposal that only one replica ever saw has died with its view: nothing is left to wait for', () => {
    const cluster = miniCluster({ epoch })
    const pen = liarOf(cluster, 0)
    cluster.run(300)
    // Nor is it passed on to the others, once its leader is not heard any more.
    cluster.filter = (_, __, message) => message.kind !== 'propose' || message.vote.statement.view > 0
    const only = request(cluster.context.membership.clusterId, 'ghost', 77)
    cluster.inject(0, 1, pen.propose(batchEntry(cluster.slot(1), cluster.context.membership.epoch, 1_000_300, [only])))
    cluster.crash(0)
    // The leader is caught in a lie, and view 1 begins without that proposal and without a request that waits.
    const said = { slot: cluster.slot(9), view: view(0) } as const
    const first = pen.vote('prepare', { ...said, digest: nonsense('a') })
    const second = pen.vote('prepare', { ...said, digest: nonsense('b') })
    for (const to of [1, 2, 3]) {
      cluster.inject(1, to, {
        kind: 'evidence',
        evidence: { kind: 'two-votes', accused: replicaIndex(0), first, second },
      })
    }
    cluster.run(20_000)
    const gone = ['1 changing leader-lied', '1 active new-view']
    expect([1, 2, 3].map((i) => cluster.replicas[i]?.views)).toEqual([gone, gone, gone])
    expect(cluster.replicas.flatMap((each) => each.executed)).toEqual([])
  })

  it('after a view that began with values that everybody has executed already: they are no work', () => {
    const cluster = miniCluster({ epoch, liars: { 0: 'mute' } })
    cluster.run(50)
    load(cluster, 3)
    cluster.run(1000)
    const views = cluster.replicas.map((each) => each.views.length)
    expect(cluster.status(1)).toMatchObject({ view: 1, phase: 'active', stable: { slot: cluster.slot(0) } })
    expect(cluster.status(1).executed).toBeGreaterThan(cluster.slot(0))
    // A lie of the leader of view 1, and another change of views: what was executed is carried over, and nothing waits.
    const pen = liarOf(cluster, 1)
    const said = { slot: cluster.slot(16), view: view(1) } as const
    const first = pen.vote('prepare', { ...said, digest: nonsense('a') })
    const second = pen.vote('prepare', { ...said, digest: nonsense('b') })
    for (const to of [2, 3]) {
      cluster.inject(1, to, {
        kind: 'evidence',
        evidence: { kind: 'two-votes', accused: replicaIndex(1), first, second },
      })
    }
    cluster.run(1000)
    expect(cluster.status(2)).toMatchObject({ view: 2, phase: 'active' })
    cluster.run(20_000)
    expect(cluster.replicas.slice(1).map((each) => each.views.length)).toEqual(views.slice(1).map((n) => n + 2))
  })

  it('by a replica that gets nothing across and sees in the heartbeats of others that they go on', () => {
    const cluster = miniCluster({ epoch })
    cluster.run(300)
    cluster.filter = (_, to, message) => to !== 3 || message.kind === 'heartbeat'
    const texts = load(cluster, 40)
    expect(cluster.status(3).executed).toBe(cluster.slot(0))
    expect(cluster.status(3).pending).toBeGreaterThan(0)
    cluster.filter = () => true
    runUntilDone(cluster, texts)
    expect(missing(cluster, texts)).toEqual([])
    expect(cluster.replicas.map((each) => each.views)).toEqual([[], [], [], []])
  })

  it.each([
    [3, 0, 1],
    [5, 0, 2],
    [4, 1, 0],
    [7, 2, 0],
  ])('when a follower merely lost its own link to it (n=%i, b=%i, c=%i; P62, P63)', (replicas, byzantine, crash) => {
    const cluster = miniCluster({ epoch, replicas, byzantine, crash })
    const last = replicas - 1
    cluster.run(300)
    cluster.filter = (from, to) => !((from === 0 && to === last) || (from === last && to === 0))
    const texts = load(cluster, 40)
    cluster.run(2000)
    expect(missing(cluster, texts)).toEqual([])
    expect(cluster.replicas.flatMap((each) => each.views)).toEqual([])
  })

  it.each([
    [3, 0, 1],
    [4, 1, 0],
  ])('when a replica that was cut off comes back (n=%i, b=%i, c=%i; P62)', (replicas, byzantine, crash) => {
    const cluster = miniCluster({ epoch, replicas, byzantine, crash })
    const last = replicas - 1
    cluster.run(300)
    cluster.filter = (from, to) => from !== last && to !== last
    const texts = load(cluster, 40)
    cluster.submit([last], 'lonely')
    cluster.run(4000)
    cluster.filter = () => true
    cluster.run(2000)
    // What waited there may be in the snapshot that it fetched; a client without an answer asks all again.
    cluster.submit(
      cluster.replicas.map(({ index }) => index),
      'lonely',
    )
    runUntilDone(cluster, [...texts, 'lonely'])
    expect(missing(cluster, [...texts, 'lonely'])).toEqual([])
    cluster.run(5000)
    expect(cluster.replicas.map(({ index }) => cluster.status(index).pending)).toEqual(cluster.replicas.map(() => 0))
    const others = cluster.replicas.filter(({ index }) => index !== last)
    // With b = 0 it asked first, and disturbed nobody; with b > 0 it wanted another view, and alone moved nobody.
    if (byzantine === 0) expect(cluster.replicas.flatMap((each) => each.views)).toEqual([])
    else expect(others.flatMap((each) => each.views).length).toBeLessThanOrEqual(2 * others.length)
  })
})

describe.each(EPOCHS)('the time-out $name', (epoch) => {
  it('doubles while views fail, is capped, and returns to the base with the first progress', () => {
    const cluster = miniCluster({ epoch, parameters: { viewTimeoutCapMs: 1000 } })
    cluster.run(50)
    cluster.crash(0)
    cluster.filter = (_, __, message) => message.kind !== 'new-view'
    cluster.submit([1, 2, 3], 'a')
    cluster.run(6000)
    const reached = cluster.status(1).view
    expect(reached).toBeGreaterThan(4)
    expect(reached).toBeLessThan(12)
    cluster.filter = () => true
    cluster.run(2500)
    cluster.restart(0)
    cluster.run(1000)
    expect(missing(cluster, ['a'])).toEqual([])
    cluster.crash(cluster.status(1).leader)
    const alive = ALL.filter((i) => cluster.replicas[i]?.up)
    cluster.submit(alive, 'b')
    cluster.run(700)
    for (const i of alive) expect(commands(cluster.replicas[i] ?? none())).toContain('b')
  })
})

function none(): never {
  throw new Error('no such replica')
}
