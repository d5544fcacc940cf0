// What a follower votes for (P1-P6), and when it accepts (V2): replica 1 and a pen in the name of the leader, replica 0.

import { describe, expect, it } from 'vitest'
import { view } from '../../crypto/index.ts'
import { type Liar, nonsense } from '../../src/byzantine/index.ts'
import { batchEntry, type Entry, logWindow } from '../../src/consensus/index.ts'
import { liarOf } from '../support/attack.ts'
import { EPOCHS, type TestEpoch } from '../support/epochs.ts'
import { type MiniCluster, miniCluster, PARAMETERS, request } from '../support/mini-cluster.ts'

describe.each(EPOCHS)('a follower $name', (epoch) => {
  it('prepares what the leader of its view proposes, and stores the body with the vote (P1, P6)', () => {
    const { cluster, pen, entry } = setUp(epoch)
    cluster.inject(0, 1, pen.propose(entry(1)))
    expect(preparedSlots(cluster)).toEqual([1])
    const kinds = cluster.replicas[1]?.records.map((record) => record.kind)
    expect(kinds?.indexOf('entry')).toBeLessThan(kinds?.indexOf('vote') ?? -1)
  })

  it('passes over what relies on another NewView, is beyond the window, or is of another view (P1, P2)', () => {
    const { cluster, pen, entry } = setUp(epoch)
    const vote = pen.vote('prepare', {
      slot: cluster.slot(1),
      digest: entry(1).digest,
      justification: nonsense('view'),
    })
    expect(cluster.inject(0, 1, { kind: 'propose', vote, entry: entry(1) })).toBe('other-new-view')
    const last = logWindow(PARAMETERS)
    expect(cluster.inject(0, 1, pen.propose(entry(last + 1)))).toBe('outside-window')
    const early = pen.vote('prepare', { slot: cluster.slot(1), digest: entry(1).digest, view: view(4) })
    expect(cluster.inject(0, 1, { kind: 'propose', vote: early, entry: entry(1) })).toBeUndefined()
    expect(preparedSlots(cluster)).toEqual([])
  })

  it('holds a slot back until all before it are proposed, and then prepares them in order (P3)', () => {
    const { cluster, pen, entry } = setUp(epoch)
    cluster.inject(0, 1, pen.propose(entry(3)))
    cluster.inject(0, 1, pen.propose(entry(2)))
    expect(preparedSlots(cluster)).toEqual([])
    cluster.inject(0, 1, pen.propose(entry(1)))
    expect(preparedSlots(cluster)).toEqual([1, 2, 3])
  })

  it('prepares one of two, whichever came first, and leaves the view with the proof (P4, T4)', () => {
    const { cluster, pen, entry } = setUp(epoch)
    cluster.inject(0, 1, pen.propose(entry(1)))
    cluster.inject(0, 1, pen.propose(entry(1, 1_000_060)))
    expect(preparedSlots(cluster)).toEqual([1])
    expect(cluster.replicas[1]?.views).toEqual(['1 changing leader-lied'])
    expect(cluster.replicas[1]?.evidence).toHaveLength(1)
  })

  it('waits with a time ahead of its clock until the clock is there, and never takes one that goes back (P5)', () => {
    const { cluster, pen, entry } = setUp(epoch)
    cluster.inject(0, 1, pen.propose(entry(1, 1_000_050 + PARAMETERS.clockDriftMs + 200)))
    expect(preparedSlots(cluster)).toEqual([])
    cluster.run(250)
    expect(preparedSlots(cluster)).toEqual([1])
    cluster.inject(0, 1, pen.propose(entry(2, 1_000_300)))
    cluster.run(250)
    expect(preparedSlots(cluster)).toEqual([1])
  })

  it('does not prepare for a time long past (P5)', () => {
    const { cluster, pen, entry } = setUp(epoch)
    cluster.inject(0, 1, pen.propose(entry(1, 1_000_050 - PARAMETERS.clockDriftMs - 1)))
    cluster.run(200)
    expect(preparedSlots(cluster)).toEqual([])
  })

  it('accepts only with a prepare certificate that holds the vote of the leader, and the body (V2)', () => {
    const { cluster, pen, entry } = setUp(epoch)
    const said = { slot: cluster.slot(1), digest: entry(1).digest }
    // Everybody but the leader prepared: no certificate.
    for (const i of [2, 3]) cluster.inject(i, 1, { kind: 'vote', vote: liarOf(cluster, i).vote('prepare', said) })
    expect(cluster.replicas[1]?.state.slots.get(cluster.slot(1))?.ownAccept).toBeUndefined()
    // The leader's vote alone, without the body: still none.
    cluster.inject(0, 1, { kind: 'vote', vote: pen.vote('prepare', said) })
    expect(cluster.replicas[1]?.state.slots.get(cluster.slot(1))?.ownAccept).toBeUndefined()
    cluster.inject(0, 1, pen.propose(entry(1)))
    expect(cluster.replicas[1]?.state.slots.get(cluster.slot(1))?.ownAccept).toBeDefined()
    const kinds = cluster.replicas[1]?.records.map((record) => record.kind)
    expect(kinds).toEqual(['entry', 'vote', 'prepared', 'vote'])
  })

  it('takes as chosen what q accepted, though it never saw it proposed, and asks for the body (V3, H5)', () => {
    const { cluster, entry } = setUp(epoch)
    const said = { slot: cluster.slot(1), digest: entry(1).digest }
    for (const i of [0, 2, 3]) cluster.inject(i, 1, { kind: 'vote', vote: liarOf(cluster, i).vote('accept', said) })
    expect(cluster.status(1)).toMatchObject({ chosen: cluster.slot(1), executed: cluster.slot(0) })
    const asked: string[] = []
    cluster.filter = (from, _, message) => {
      if (from === 1) asked.push(message.kind)
      return true
    }
    cluster.run(200)
    expect(asked).toContain('fetch-bodies')
    cluster.inject(2, 1, { kind: 'bodies', entries: [entry(2), entry(1)] })
    expect(cluster.status(1)).toMatchObject({ chosen: cluster.slot(1), executed: cluster.slot(1) })
  })

  it('counts one vote of a replica: two Accepts of one signer and one of another are no quorum (V1, V3)', () => {
    const { cluster, entry } = setUp(epoch)
    const said = { slot: cluster.slot(1), digest: entry(1).digest }
    for (const i of [2, 2, 3]) cluster.inject(i, 1, { kind: 'vote', vote: liarOf(cluster, i).vote('accept', said) })
    expect(cluster.status(1).chosen).toBe(cluster.slot(0))
  })
})

interface Setting {
  readonly cluster: MiniCluster
  readonly pen: Liar
  readonly entry: (at: number, timestampMs?: number) => Entry
}

function setUp(epoch: TestEpoch): Setting {
  const cluster = miniCluster({ epoch })
  cluster.run(50)
  cluster.crash(0)
  cluster.filter = (from) => from === 1
  const { clusterId, epoch: named } = cluster.context.membership
  return {
    cluster,
    pen: liarOf(cluster, 0),
    entry: (at, timestampMs = 1_000_050) =>
      batchEntry(cluster.slot(at), named, timestampMs, [request(clusterId, `for ${at}`, at)]),
  }
}

/** The slots of the Prepare votes that replica 1 stored, by their number in the epoch, in their order. */
function preparedSlots(cluster: MiniCluster): number[] {
  return (cluster.replicas[1]?.records ?? []).flatMap((record) =>
    record.kind === 'vote' && record.vote.statement.kind === 'prepare'
      ? [record.vote.statement.slot - cluster.slot(0)]
      : [],
  )
}
