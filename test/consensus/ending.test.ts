// The end of an epoch, as whole clusters go through it: M1 to M5, M10 (consensus/README.md).

import { describe, expect, it } from 'vitest'
import { EpochCluster } from '../support/epoch-cluster.ts'
import { epochFault } from '../support/epoch-faults.ts'
import { commandsOf, type EpochPlan } from '../support/epoch-machine.ts'

const FOUR: EpochPlan = { keys: [0, 1, 2, 3], byzantine: 1, crash: 0 }
const FIVE: EpochPlan = { keys: [0, 1, 2, 3, 4], byzantine: 1, crash: 0 }
const THREE: EpochPlan = { keys: [0, 1, 2], byzantine: 0, crash: 1 }

/** The change comes in slot 1, so it ends the epoch with this one. */
const LAST = 16
const BEFORE = ['change', 'a', 'b']

/** The processes with these keys are in this epoch, and have executed `texts`. */
function arrived(cluster: EpochCluster, epoch: number, texts: readonly string[], keys: readonly number[]): boolean {
  return keys.every((key) => {
    const done = commandsOf(cluster.process(key))
    return cluster.process(key).chain.links.length === epoch && texts.every((text) => done.includes(text))
  })
}

describe.each<[string, [EpochPlan, EpochPlan]]>([
  ['n=4, b=1, the same members', [FOUR, FOUR]],
  ['n=4, b=1, one more', [FOUR, FIVE]],
  ['n=5, b=1, one less', [FIVE, FOUR]],
  ['n=4, b=1, two replaced', [FOUR, { ...FOUR, keys: [0, 5, 2, 6] }]],
  ['n=3, b=0', [THREE, THREE]],
  ['b=0, then b=1', [THREE, FOUR]],
  ['b=1, then b=0', [FOUR, THREE]],
])('a change of %s', (_name, plans) => {
  it('ends the epoch by itself, and what is asked for before, meanwhile and after is executed once, in one order', () => {
    const cluster = new EpochCluster(...plans)
    const { keys } = plans[1]
    cluster.run(100)
    cluster.submit('a', 'change', 'b')
    cluster.run(25)
    cluster.submit('c')
    const before = ['a', 'change', 'b', 'c']
    expect(cluster.runUntil(() => arrived(cluster, 1, before, keys))).toBe(true)
    cluster.submit('d', 'e')
    expect(cluster.runUntil(() => arrived(cluster, 1, [...before, 'd', 'e'], keys))).toBe(true)
    const [first = -1] = keys
    expect(cluster.status(first)).toMatchObject({ phase: 'active', view: 0 })
    expect(cluster.core(first).config.start.slot).toBe(16)
    expect(epochFault(cluster)).toBeUndefined()
  })
})

describe('several changes one after another', () => {
  it('lead through as many epochs: 4, then 5, then 4 members', () => {
    const cluster = new EpochCluster(FOUR, FIVE, { ...FOUR, keys: [1, 2, 3, 4] })
    cluster.run(100)
    cluster.submit('change')
    expect(cluster.runUntil(() => arrived(cluster, 1, ['change'], [0, 1, 2, 3, 4]))).toBe(true)
    cluster.submit('x', 'change', 'y')
    expect(cluster.runUntil(() => arrived(cluster, 2, ['x', 'y'], [1, 2, 3, 4]))).toBe(true)
    cluster.submit('z')
    expect(cluster.runUntil(() => arrived(cluster, 2, ['x', 'y', 'z'], [1, 2, 3, 4]))).toBe(true)
    expect(cluster.status(0)).toMatchObject({ phase: 'over', ended: true })
    expect(epochFault(cluster)).toBeUndefined()
  })
})

describe('a leader that dies while the epoch ends', () => {
  const plans: readonly (readonly [string, EpochPlan, readonly number[]])[] = [
    ['n=4, b=1', FOUR, [1, 2, 3]],
    ['n=3, b=0', THREE, [1, 2]],
  ]
  const points = Array.from({ length: LAST }, (_, i) => i + 1)
  it.each(plans.flatMap(([name, plan, rest]) => points.map((slot) => ({ name, plan, rest, slot }))))(
    'having executed slot $slot leaves the others to end it ($name)',
    ({ plan, rest, slot }) => {
      const cluster = new EpochCluster(plan, plan)
      cluster.run(100)
      cluster.filter = ({ from }) => {
        if (from.key === 0 && from.machine.executed.length >= slot) cluster.crash(0)
        return from.up
      }
      cluster.submit(...BEFORE)
      expect(cluster.runUntil(() => arrived(cluster, 1, BEFORE, rest))).toBe(true)
      cluster.submit('c')
      expect(cluster.runUntil(() => arrived(cluster, 1, ['c'], rest))).toBe(true)
      cluster.filter = () => true
      cluster.restart(0)
      expect(cluster.runUntil(() => arrived(cluster, 1, [...BEFORE, 'c'], [0, ...rest]))).toBe(true)
      expect(epochFault(cluster)).toBeUndefined()
    },
  )
})

describe('a view that changes while the epoch ends', () => {
  it('carries over what is prepared up to the last slot, and nothing after it; the next leader fills the rest', () => {
    const cluster = new EpochCluster(FOUR, FOUR)
    cluster.run(100)
    let carried: readonly number[] = []
    cluster.filter = ({ from, message }) => {
      if (message.kind === 'new-view') carried = message.newView.proposals.map(({ statement }) => statement.slot)
      // Up to slot 8 everything is decided; above it everything is prepared by as many as the window holds, and nothing accepted.
      const accept =
        message.kind === 'vote' && message.vote.statement.kind === 'accept' ? message.vote.statement : undefined
      const stuck = accept !== undefined && accept.view === 0 && accept.slot > 8
      return !stuck && !(from.key === 0 && cluster.nowMs > 300)
    }
    cluster.submit(...BEFORE)
    expect(cluster.runUntil(() => arrived(cluster, 1, BEFORE, [1, 2, 3]))).toBe(true)
    expect(carried).toEqual([9, 10, 11, 12, 13, 14, 15, 16])
    expect(cluster.process(1).views).toContain('0: 1 active new-view')
    expect(epochFault(cluster)).toBeUndefined()
  })

  it('with a window of slots in flight decides as many as fit, and the others in the next epoch', () => {
    const plan = { ...FOUR, parameters: { maxBatchRequests: 1 } }
    const cluster = new EpochCluster(plan, plan)
    cluster.run(100)
    const more = Array.from({ length: 40 }, (_, i) => `r${i}`)
    cluster.submit('change', ...more)
    expect(cluster.runUntil(() => arrived(cluster, 1, more, [0, 1, 2, 3]))).toBe(true)
    const { executed } = cluster.process(2).machine
    expect(executed.length).toBe(41)
    expect(executed.map(({ header }) => header.epoch)).toEqual([...Array(LAST).fill(0), ...Array(25).fill(1)])
    expect(epochFault(cluster)).toBeUndefined()
  })

  it('gives up a leader that does not fill up, though nobody asks for anything', () => {
    const cluster = new EpochCluster(FOUR, FOUR)
    cluster.run(100)
    cluster.filter = ({ from, message }) =>
      !(from.key === 0 && message.kind === 'propose' && message.entry.header.slot > 3 && cluster.nowMs < 5000)
    cluster.submit('change')
    cluster.run(1500)
    expect(cluster.process(2).views[0]).toBe('0: 1 changing no-progress')
    expect(arrived(cluster, 1, ['change'], [1, 2, 3])).toBe(true)
    expect(epochFault(cluster)).toBeUndefined()
  })

  it('gives up a leader that proposes a slot now and then: it would keep the epoch open for long, and never stand still', () => {
    const cluster = new EpochCluster(FOUR, FOUR)
    cluster.run(100)
    cluster.filter = ({ from, message }) => {
      const drips = from.key === 0 && message.kind === 'propose' && message.vote.statement.view === 0
      return !(drips && message.entry.header.slot > 1 + (cluster.nowMs - 100) / 400)
    }
    cluster.submit('change')
    cluster.run(2000)
    const reasons = [1, 2, 3].flatMap((key) => cluster.process(key).views)
    expect(reasons).toContain('0: 1 changing slow-leader')
    expect(reasons.join()).not.toContain('no-progress')
    expect(arrived(cluster, 1, ['change'], [1, 2, 3])).toBe(true)
    expect(epochFault(cluster)).toBeUndefined()
  })
})

describe('a restart of all while the epoch ends', () => {
  it.each([
    ['n=4, b=1', FOUR],
    ['n=3, b=0', THREE],
  ])(
    'leaves nothing that waits but the end itself, and a leader that does not get there is given up (%s)',
    (_n, plan) => {
      const cluster = new EpochCluster(plan, plan)
      cluster.run(100)
      cluster.filter = ({ message }) =>
        !(message.kind === 'propose' && message.entry.header.slot > 8 && message.vote.statement.view === 0)
      cluster.submit('change')
      cluster.run(100)
      for (const key of plan.keys) cluster.crash(key)
      for (const key of plan.keys) {
        cluster.restart(key)
        expect(cluster.status(key)).toMatchObject({ executed: 8, stable: { slot: 8 }, lastSlot: LAST, pending: 0 })
      }
      cluster.run(25)
      expect(plan.keys.map((key) => cluster.core(key).workSince)).not.toContain(undefined)
      expect(cluster.runUntil(() => arrived(cluster, 1, ['change'], plan.keys), 5000)).toBe(true)
      expect(epochFault(cluster)).toBeUndefined()
    },
  )
})

describe('who was away while the epoch ended', () => {
  it.each([
    ['a little, and has the entries', 10],
    ['for all of it, and takes the state', 0],
  ])('%s goes on in the next one', (_how, slot) => {
    const cluster = new EpochCluster(FOUR, FOUR)
    cluster.run(100)
    let cut = true
    cluster.filter = ({ to, epoch }) => !cut || to.key !== 3 || (to.machine.executed.length < slot && epoch === 0)
    cluster.submit(...BEFORE)
    expect(cluster.runUntil(() => arrived(cluster, 1, BEFORE, [0, 1, 2]))).toBe(true)
    expect(cluster.process(3).machine.executed.length).toBeLessThan(LAST)
    cut = false
    const before = cluster.process(3).machine.executed.length
    expect(before).toBe(slot)
    cluster.submit('c')
    expect(cluster.runUntil(() => arrived(cluster, 1, [...BEFORE, 'c'], [0, 1, 2, 3]))).toBe(true)
    expect(epochFault(cluster)).toBeUndefined()
  })

  it('lacked the notes of the last slot alone is shown the hand-over by one that is no member any more', () => {
    const cluster = new EpochCluster(FIVE, { ...FOUR, keys: [0, 1, 2, 3] })
    cluster.run(100)
    const alone = (key: number) => key === 3 || key === 4
    cluster.filter = ({ from, to, message }) =>
      !(to.key === 3 && message.kind === 'checkpoint') &&
      !(to.key === 3 && message.kind === 'stable' && !alone(from.key))
    cluster.submit(...BEFORE)
    expect(cluster.runUntil(() => arrived(cluster, 1, BEFORE, [0, 1, 2, 3]))).toBe(true)
    expect(cluster.status(4).phase).toBe('over')
    expect(epochFault(cluster)).toBeUndefined()
  })
})
