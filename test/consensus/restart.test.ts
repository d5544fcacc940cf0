// Restarts: a core that is rebuilt from its records never contradicts what it sent (pitfalls P08, P27, P28; scenario S12).

import { describe, expect, it } from 'vitest'
import { load, missing, runUntilDone, safetyFault } from '../support/attack.ts'
import { EPOCHS } from '../support/epochs.ts'
import { commands, miniCluster } from '../support/mini-cluster.ts'

describe.each(EPOCHS)('a restart $name', (epoch) => {
  it('forgets no value that was accepted beyond the own log window (n=3, b=0)', () => {
    // 0 and 1 decide slots 1-24 while 2 is cut off and notes above 8 are lost; 0 crashes; the NewView of 1 starts at 8, so 2,
    // whose own window ends at 16, is asked to accept up to 24.
    const cluster = miniCluster({ epoch, replicas: 3, byzantine: 0, crash: 1 })
    cluster.filter = (from, to, message) =>
      from !== 2 && to !== 2 && (message.kind !== 'checkpoint' || message.vote.slot <= cluster.slot(8))
    cluster.run(100)
    const before = load(cluster, 24)
    expect(cluster.status(1)).toMatchObject({ chosen: cluster.slot(24), stable: { slot: cluster.slot(8) } })
    cluster.crash(0)
    cluster.filter = (_, to, message) => !(to === 2 && (message.kind === 'entries' || message.kind === 'stable'))
    cluster.submit([1, 2], 'x')
    cluster.run(600)
    expect(cluster.status(2)).toMatchObject({ view: 1, phase: 'active', stable: { slot: cluster.slot(0) } })
    cluster.run(2400)
    cluster.restart(2)
    cluster.crash(1)
    cluster.restart(0)
    cluster.filter = () => true
    cluster.run(8000)
    cluster.restart(1)
    cluster.run(3000)
    expect(cluster.replicas.flatMap((each) => each.refused)).toEqual([])
    expect(safetyFault(cluster)).toBeUndefined()
    expect(missing(cluster, before)).toEqual([])
  })

  it('of all replicas at once loses nothing that was executed, and they go on', () => {
    const cluster = miniCluster({ epoch })
    const texts = load(cluster, 20)
    for (const { index } of cluster.replicas) cluster.crash(index)
    for (const { index } of cluster.replicas) cluster.restart(index)
    const more = load(cluster, 4, 50, 'more')
    runUntilDone(cluster, [...texts, ...more])
    expect(safetyFault(cluster)).toBeUndefined()
    for (const replica of cluster.replicas) expect(commands(replica)).toEqual([...texts, ...more])
  })

  it('in the middle of a view change keeps the promise and the prepared values', () => {
    const cluster = miniCluster({ epoch })
    cluster.run(50)
    // Everything is prepared, nothing is chosen: the Accepts are lost.
    cluster.filter = (_, __, message) => !(message.kind === 'vote' && message.vote.statement.kind === 'accept')
    cluster.submit([0, 1, 2, 3], 'a', 'b')
    cluster.run(200)
    cluster.crash(0)
    cluster.filter = (_, __, message) => message.kind !== 'new-view'
    cluster.run(700)
    for (const i of [1, 2, 3]) {
      cluster.crash(i)
      cluster.restart(i)
    }
    cluster.filter = () => true
    cluster.run(4000)
    expect(safetyFault(cluster)).toBeUndefined()
    for (const i of [1, 2, 3]) expect(commands(cluster.replicas[i] ?? fail())).toEqual(['a', 'b'])
  })
})

function fail(): never {
  throw new Error('no such replica')
}
