// Agreed time while nobody asks for anything: clock entries of an idle leader (E1), and leaders that make none (E2).

import { describe, expect, it } from 'vitest'
import { slot } from '../../crypto/index.ts'
import { batchEntry } from '../../src/consensus/index.ts'
import { liarOf, safetyFault } from '../support/attack.ts'
import { EPOCHS } from '../support/epochs.ts'
import { type MiniCluster, miniCluster, PARAMETERS } from '../support/mini-cluster.ts'

/** What the wall clocks show at the cluster's time 0. */
const START = 1_000_000
const DRIFT = PARAMETERS.clockDriftMs
const { viewTimeoutMs } = PARAMETERS

const timesOf = (cluster: MiniCluster, index = 1) =>
  cluster.replicas[index]?.executed.map(({ header }) => header.timestampMs - START)
const views = (cluster: MiniCluster) => cluster.replicas.map((each) => each.views)
const NO_CHANGES = [[], [], [], []]

describe.each(EPOCHS)('an idle leader $name', (epoch) => {
  it('proposes an empty batch with its time once that is when the machine has something to do, and no other', () => {
    const cluster = miniCluster({ epoch, due: [START + 1000, START + 4000] })
    cluster.run(975)
    expect(timesOf(cluster)).toEqual([])
    cluster.run(25)
    expect(timesOf(cluster)).toEqual([1000])
    cluster.run(10_000)
    expect([0, 1, 2, 3].map((index) => timesOf(cluster, index))).toEqual(Array(4).fill([1000, 4000]))
    expect(cluster.replicas.flatMap(({ executed }) => executed.map(({ requests }) => requests.length))).toEqual(
      Array(8).fill(0),
    )
    expect(views(cluster)).toEqual(NO_CHANGES)
  })

  it('does so too with b = 0', () => {
    const cluster = miniCluster({ epoch, replicas: 3, byzantine: 0, crash: 1, due: [START + 1000] })
    cluster.run(3000)
    expect(timesOf(cluster)).toEqual([1000])
  })

  it('goes on after a restart, and after a state that came as a snapshot', () => {
    const cluster = miniCluster({ epoch, due: [START + 3000] })
    cluster.run(50)
    cluster.crash(0)
    cluster.restart(0)
    cluster.run(4000)
    expect(timesOf(cluster)).toEqual([3000])

    const late = miniCluster({ epoch, due: [START + 12_000], parameters: { maxBatchRequests: 1 } })
    late.run(50)
    late.crash(3)
    for (let i = 0; i < 30; i++) {
      late.submit([0, 1, 2], `r${i}`)
      late.run(50)
    }
    late.restart(3)
    late.run(2000)
    expect(late.status(3)).toMatchObject({ executed: late.slot(30), dueMs: START + 12_000 })
  })
})

describe.each(EPOCHS)('a busy leader $name', (epoch) => {
  it('proposes no clock entry: what it orders carries the time along', () => {
    const cluster = miniCluster({ epoch, due: [START + 1000] })
    for (let i = 0; i < 60; i++) {
      cluster.submit([0, 1, 2, 3], `r${i}`)
      cluster.run(25)
    }
    const empty = cluster.replicas[1]?.executed.filter(({ requests }) => requests.length === 0)
    expect(empty).toEqual([])
    expect(cluster.status(1).dueMs).toBeUndefined()
  })

  it('waits with it for what is in flight', () => {
    const cluster = miniCluster({ epoch, due: [START + 1000] })
    cluster.run(900)
    // Nothing is decided any more.
    cluster.filter = (_from, _to, message) => message.kind !== 'vote'
    cluster.submit([0, 1, 2, 3], 'a')
    cluster.run(300)
    expect(cluster.replicas[0]?.state.nextSlot).toBe(cluster.slot(2))
  })
})

describe.each(EPOCHS)('a leader that proposes no clock entry $name', (epoch) => {
  /** Everything from it but proposals arrives, as long as it leads. */
  const withholding = (cluster: MiniCluster) => {
    cluster.filter = (from, _to, message) => from !== 0 || message.kind !== 'propose'
  }

  it('is replaced once the time has passed by the drift bound and a time-out, and the next one makes up for it', () => {
    const cluster = miniCluster({ epoch, due: [START + 1000] })
    withholding(cluster)
    cluster.run(1000 + DRIFT + viewTimeoutMs)
    expect(cluster.replicas.slice(1).map((each) => each.views)).toEqual([[], [], []])
    cluster.run(200)
    const changed = ['1 changing no-progress', '1 active new-view']
    expect(cluster.replicas.slice(1).flatMap((each) => each.views)).toEqual(expect.arrayContaining(changed))
    expect(timesOf(cluster)?.at(-1)).toBeGreaterThanOrEqual(1000)
    expect(cluster.status(1).dueMs).toBeUndefined()
    expect(safetyFault(cluster)).toBeUndefined()
  })

  it('is replaced with b = 0 too, once a quorum misses the entry', () => {
    const cluster = miniCluster({ epoch, replicas: 3, byzantine: 0, crash: 1, due: [START + 1000] })
    withholding(cluster)
    cluster.run(1000 + DRIFT + 3 * viewTimeoutMs)
    expect(cluster.status(1).view).toBeGreaterThan(0)
    expect(timesOf(cluster)?.at(-1)).toBeGreaterThanOrEqual(1000)
  })

  it('is not saved by entries that bring no time: no-ops of a NewView', () => {
    const cluster = miniCluster({ epoch, due: [START + 1000], mutations: ['no-clock-entries'] })
    cluster.run(1000 + DRIFT + 20 * viewTimeoutMs)
    expect(cluster.status(1).view).toBeGreaterThan(1)
    expect(cluster.status(1).dueMs).toBe(START + 1000)
  })
})

describe('clocks', () => {
  it.each([
    ['ahead of', { 0: -DRIFT }],
    ['behind', { 1: -DRIFT, 2: -DRIFT, 3: -DRIFT }],
    ['on both sides of', { 1: DRIFT / 2, 2: -DRIFT / 2 }],
  ])("that are %s the leader's by the drift bound change no view", (_where, clocks) => {
    const cluster = miniCluster({ due: [START + 1000, START + 2000, START + 9000], clocks })
    cluster.run(9000 + 2 * DRIFT + 5 * viewTimeoutMs)
    expect(views(cluster)).toEqual(NO_CHANGES)
    expect(cluster.status(1).dueMs).toBeUndefined()
  })

  it('set back after the time had passed leave nothing to complain about', () => {
    const cluster = miniCluster({ due: [START + 1000] })
    cluster.filter = () => false
    const wallMs = START + 1000 + DRIFT
    cluster.input(1, { kind: 'tick', nowMs: 100, wallMs })
    cluster.input(1, { kind: 'tick', nowMs: 200, wallMs: START })
    cluster.input(1, { kind: 'tick', nowMs: 200 + 3 * viewTimeoutMs, wallMs: START + 300 })
    expect(cluster.replicas[1]?.views).toEqual([])
  })
})

describe('a liar', () => {
  it('may propose an empty batch at any time: it moves time as far as its clock may, and is executed like any other', () => {
    const cluster = miniCluster({ due: [START + 1000] })
    cluster.run(100)
    const pen = liarOf(cluster, 0)
    const entry = batchEntry(slot(1), cluster.context.membership.epoch, START + 100 + DRIFT, [])
    const early = pen.propose(entry)
    for (const to of [1, 2, 3]) cluster.inject(0, to, early)
    cluster.run(100)
    expect(timesOf(cluster)).toEqual([100 + DRIFT])
    expect(cluster.status(1)).toMatchObject({ view: 0, dueMs: undefined })
  })
})
