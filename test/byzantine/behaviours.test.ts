// Every behaviour, as leader and as follower: whatever one liar among four does, or two among seven, the honest replicas agree,
// everything is executed, and evidence names nobody else.

import { describe, expect, it } from 'vitest'
import { BEHAVIOURS } from '../../src/byzantine/index.ts'
import { accusations, load, missing, runUntilDone, safetyFault } from '../support/attack.ts'
import { miniCluster } from '../support/mini-cluster.ts'

const NAMES = Object.keys(BEHAVIOURS)
const VARIANTS = [
  ...NAMES,
  'bad-new-view:noop',
  'bad-new-view:duplicate',
  'bad-new-view:old',
  'checkpoint-liar:past',
  'checkpoint-liar:future',
]

describe('one liar among four', () => {
  for (const name of VARIANTS) {
    it(`as leader: ${name} neither splits the others nor keeps them from going on`, () => {
      attack({ 0: name }, 4, 1)
    })
    it(`as follower: ${name} neither splits the others nor keeps them from going on`, () => {
      attack({ 2: name }, 4, 1)
    })
    it(`as next leader, after the first one crashed and came back: ${name} neither splits nor stops the others`, () => {
      const cluster = miniCluster({ liars: { 1: name } })
      cluster.run(50)
      const before = load(cluster, 6)
      cluster.crash(0)
      const during = load(cluster, 4, 50, 'during')
      cluster.run(600)
      cluster.restart(0)
      const after = load(cluster, 12, 100, 'after')
      const all = [...before, ...during, ...after]
      runUntilDone(cluster, all)
      expect(safetyFault(cluster)).toBeUndefined()
      expect(missing(cluster, all)).toEqual([])
    })
  }
})

function attack(liars: Record<number, string>, replicas: number, byzantine: number): void {
  const cluster = miniCluster({ replicas, byzantine, liars })
  cluster.run(50)
  const texts = load(cluster, 24)
  runUntilDone(cluster, texts)
  expect(safetyFault(cluster)).toBeUndefined()
  expect(missing(cluster, texts)).toEqual([])
  expect(accusations(cluster).filter((each) => !Object.keys(liars).some((liar) => each.endsWith(` ${liar}`)))).toEqual(
    [],
  )
}
