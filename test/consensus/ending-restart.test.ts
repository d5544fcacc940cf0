// The end of an epoch, and power that goes at any record of it; and the orders in which the notes of its last slot may come.

import { describe, expect, it } from 'vitest'
import { hex } from '../../crypto/index.ts'
import type { EpochCluster, Frame } from '../support/epoch-cluster.ts'
import { epochFault } from '../support/epoch-faults.ts'
import { allArrived, changed, FOUR, LAST, lossOfPower, THREE } from '../support/epoch-power.ts'

describe.each([
  ['n=4, b=1', FOUR],
  ['n=3, b=0', THREE],
] as const)('a power cut at a record of a change (%s)', (_name, plan) => {
  // At every record: ending-restart.slow.test.ts.
  it.each([
    ['the leader', [0]],
    ['a follower', [plan.keys.length - 1]],
    ['everybody', plan.keys],
  ])('of %s loses nothing, and nobody contradicts what it said', (_who, victims) => {
    expect(lossOfPower(plan, victims, 4)).toBeUndefined()
  })
})

describe('the notes of the last slot', () => {
  /** A change whose notes of the last slot are all kept back; the disk of process 0 stands still before its own is on it. */
  function atTheEnd(): { cluster: EpochCluster; notes: Frame[] } {
    const cluster = changed(FOUR)
    const notes: Frame[] = []
    cluster.filter = (frame) => {
      const { from, to, message } = frame
      const { machine } = cluster.process(0)
      if (machine.executed.length >= LAST - 2) cluster.process(0).held ??= []
      const isNote = message.kind === 'checkpoint' && message.vote.slot === LAST
      const isFirst = !notes.some((each) => each.from === from && each.to === to)
      if (isNote && to.key === 0 && isFirst) notes.push(frame)
      return !isNote
    }
    cluster.run(50)
    notes.sort((a, b) => a.from.key - b.from.key)
    return { cluster, notes }
  }

  it('hand the epoch over with any q of them, in any order, at once, and once only; all hand-overs say the same', () => {
    const said = new Set<string>()
    for (const order of permutations([0, 1, 2, 3])) {
      const { cluster, notes } = atTheEnd()
      const target = cluster.process(0)
      expect(notes.map(({ from }) => from.key)).toEqual([1, 2, 3])
      expect(cluster.status(0)).toMatchObject({ executed: LAST, ended: true, phase: 'active' })
      const given: number[] = []
      for (const key of order) {
        const note = notes.find(({ from }) => from.key === key)
        if (note === undefined) cluster.release(target)
        else cluster.deliver(note)
        given.push(key)
        // Without the disk there is no hand-over, whatever came.
        const expected = given.length >= 3 && given.includes(0) ? 1 : 0
        expect([order, given, target.handOvers.length]).toEqual([order, given, expected])
      }
      const [handOver] = target.handOvers
      const signers = handOver?.checkpoint.signatures.map(({ replica }) => Number(replica))
      expect(signers).toEqual(order.slice(0, 3).sort())
      said.add(hex(target.chain.last.start.justification))
      cluster.filter = () => true
      cluster.submit('b')
      expect(cluster.runUntil(() => allArrived(cluster, 'change', 'a', 'b'))).toBe(true)
      expect(epochFault(cluster)).toBeUndefined()
      expect(target.handOvers.length).toBe(1)
    }
    expect(said.size).toBe(1)
  })

  it('fewer than q of them hand nothing over, however often they come', () => {
    const { cluster, notes } = atTheEnd()
    for (let i = 0; i < 3; i++) for (const note of notes.slice(0, 2)) cluster.deliver(note)
    expect(cluster.status(0)).toMatchObject({ ended: true, phase: 'active' })
    expect(cluster.process(0).handOvers).toEqual([])
  })
})

describe('a disk that stands still', () => {
  it('keeps its replica in the old epoch, silent, until the hand-over is on it', () => {
    const cluster = changed(FOUR)
    const { filter } = cluster
    cluster.filter = (frame) => {
      if (cluster.process(0).machine.executed.length >= LAST) cluster.process(0).held ??= []
      return filter(frame)
    }
    cluster.run(400)
    const process = cluster.process(0)
    expect(process.chain.links.length).toBe(0)
    expect(cluster.status(0).phase).toBe('over')
    expect(process.said.filter(({ epoch }) => epoch > 0)).toEqual([])
    cluster.filter = filter
    cluster.release(process)
    cluster.submit('b')
    expect(cluster.runUntil(() => allArrived(cluster, 'a', 'b'))).toBe(true)
    expect(epochFault(cluster)).toBeUndefined()
  })
})

function permutations(items: readonly number[]): number[][] {
  if (items.length === 0) return [[]]
  return items.flatMap((item) => permutations(items.filter((each) => each !== item)).map((rest) => [item, ...rest]))
}
