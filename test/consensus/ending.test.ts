// The end of an epoch, as whole clusters go through it: M1 to M5, M10 (consensus/README.md).

import { describe, expect, it } from 'vitest'
import { EpochCluster } from '../support/epoch-cluster.ts'
import { epochFault } from '../support/epoch-faults.ts'
import { commandsOf, type EpochPlan } from '../support/epoch-machine.ts'

const FOUR: EpochPlan = { keys: [0, 1, 2, 3], byzantine: 1, crash: 0 }
const FIVE: EpochPlan = { keys: [0, 1, 2, 3, 4], byzantine: 1, crash: 0 }
const THREE: EpochPlan = { keys: [0, 1, 2], byzantine: 0, crash: 1 }

/** Everybody of the newest epoch that runs is in it, and has executed `texts`. */
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
