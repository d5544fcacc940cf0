import { describe, expect, it } from 'vitest'
import { replicaIndex, slot, view } from '../../crypto/index.ts'
import type { CoreStatus } from '../../src/simulation/index.ts'
import { LivenessWatch } from '../../src/simulation/index.ts'

const MS = 1000

/** A watch over one replica whose status at look i is `statusAt(i)`, after 40 looks, one a millisecond. */
function watched(statusAt: (look: number) => Partial<CoreStatus>): { watch: LivenessWatch; nowUs: number } {
  let look = 0
  const status = (): CoreStatus => ({
    self: replicaIndex(0),
    view: view(0),
    phase: 'active',
    leader: replicaIndex(0),
    chosen: slot(0),
    executed: slot(0),
    stable: undefined as unknown as CoreStatus['stable'],
    pending: 1,
    slots: 0,
    transferring: false,
    dueMs: undefined,
    lastSlot: undefined,
    ended: false,
    ...statusAt(look),
  })
  const watch = new LivenessWatch(() => [{ address: 0, epoch: 0, status }], 4, 0)
  for (look = 0; look < 40; look++) watch.look(look * MS, 1)
  return { watch, nowUs: look * MS }
}

describe('the liveness watch', () => {
  it('grows hotter while nothing is executed, and cools down with each execution', () => {
    const stuck = watched(() => ({}))
    expect(stuck.watch.temperature(stuck.nowUs)).toBe(40)
    const alive = watched((look) => ({ executed: slot(look) }))
    expect(alive.watch.temperature(alive.nowUs)).toBe(1)
  })

  it('tells standing still', () => {
    const { watch, nowUs } = watched(() => ({}))
    expect(watch.diagnosis(nowUs)).toMatch(/no progress for 40 ms, in one and the same state/)
  })

  it('tells a circle: view changes that come back to the same leader in the same state', () => {
    const { watch, nowUs } = watched((look) => ({ view: view(look) }))
    expect(watch.diagnosis(nowUs)).toMatch(/going in a circle \(a state came back \d+ times, among 4 states\)/)
  })

  it('tells movement that gets nowhere', () => {
    const { watch, nowUs } = watched((look) => ({ pending: look }))
    expect(watch.diagnosis(nowUs)).toMatch(/through 40 states that never came back/)
  })
})
