// From where on a read sees what was decided with a replica's help: the argument is in src/consensus/status.ts.

import { describe, expect, it } from 'vitest'
import { readIndex } from '../../src/consensus/index.ts'
import { EPOCHS } from '../support/epochs.ts'
import { miniCluster } from '../support/mini-cluster.ts'

const ALL = [0, 1, 2, 3]

describe.each(EPOCHS)('the read index $name', (epoch) => {
  it('is the last slot, where everything is decided', () => {
    const cluster = miniCluster({ epoch })
    cluster.run(50)
    for (const text of ['a', 'b', 'c']) {
      cluster.submit(ALL, text)
      cluster.settle()
    }
    expect(cluster.replicas.map(({ state }) => readIndex(state))).toEqual(Array(4).fill(cluster.slot(3)))
  })

  it('covers a slot that others may have decided with the own Accept, also after a restart and in the next view', () => {
    const cluster = miniCluster({ epoch })
    cluster.run(50)
    // Only replica 3 hears the Accepts: it alone knows that slot 1 is decided, and clients may know it from there.
    cluster.filter = (_, to, message) =>
      !(message.kind === 'vote' && message.vote.statement.kind === 'accept' && to !== 3) && message.kind !== 'entries'
    cluster.submit(ALL, 'a')
    cluster.settle()
    expect(ALL.map((i) => cluster.status(i).chosen)).toEqual([0, 0, 0, 1].map(cluster.slot))
    expect(cluster.replicas.map(({ state }) => readIndex(state))).toEqual(Array(4).fill(cluster.slot(1)))
    cluster.crash(1)
    cluster.restart(1)
    expect(cluster.replicas.map(({ state }) => readIndex(state))[1]).toBe(cluster.slot(1))
    cluster.crash(3)
    cluster.run(1000)
    expect(cluster.status(1).view).toBeGreaterThan(0)
    for (const i of [0, 1, 2])
      expect(readIndex(cluster.replicas[i]?.state ?? never())).toBeGreaterThanOrEqual(cluster.slot(1))
  })
})

function never(): never {
  throw new Error('no such replica')
}
