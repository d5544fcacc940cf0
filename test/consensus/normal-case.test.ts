import { describe, expect, it } from 'vitest'
import { EPOCHS } from '../support/epochs.ts'
import { commands, type MiniCluster, miniCluster } from '../support/mini-cluster.ts'

const ALL = [0, 1, 2, 3]

interface Proposals {
  /** Requests by slot. */
  readonly proposed: ReadonlyMap<number, number>
  /** While false no Accept arrives. */
  decide: boolean
}

function watchProposals(cluster: MiniCluster, { decide }: Pick<Proposals, 'decide'>): Proposals {
  const proposed = new Map<number, number>()
  const watched: Proposals = { proposed, decide }
  cluster.filter = (_, __, message) => {
    if (message.kind === 'propose') proposed.set(message.entry.header.slot, message.entry.requests.length)
    return watched.decide || message.kind !== 'vote' || message.vote.statement.kind !== 'accept'
  }
  return watched
}

describe.each(EPOCHS)('the normal case $name', (epoch) => {
  it('every replica executes every request, in one order (n=4)', () => {
    const cluster = miniCluster({ epoch })
    cluster.run(50)
    for (let i = 0; i < 30; i++) {
      cluster.submit(ALL, `c${i}`)
      cluster.settle()
    }
    cluster.run(200)
    const expected = Array.from({ length: 30 }, (_, i) => `c${i}`)
    for (const replica of cluster.replicas) expect(commands(replica)).toEqual(expected)
    expect(cluster.replicas.map((each) => each.views)).toEqual([[], [], [], []])
    expect(new Set(ALL.map((i) => cluster.status(i).stable.slot))).toEqual(new Set([cluster.slot(24)]))
  })

  it('a crashed leader is replaced and nothing that was submitted is lost (n=4)', () => {
    const cluster = miniCluster({ epoch })
    cluster.run(50)
    cluster.submit(ALL, 'a', 'b')
    cluster.settle()
    cluster.crash(0)
    cluster.submit([1, 2, 3], 'c')
    cluster.run(2000)
    for (const i of [1, 2, 3]) {
      expect(commands(cluster.replicas[i] ?? never())).toEqual(['a', 'b', 'c'])
      expect(cluster.status(i)).toMatchObject({ view: 1, phase: 'active', leader: 1 })
    }
    cluster.restart(0)
    cluster.run(1000)
    expect(commands(cluster.replicas[0] ?? never())).toEqual(['a', 'b', 'c'])
    expect(cluster.status(0)).toMatchObject({ view: 1, phase: 'active' })
  })

  it('with two slots in flight requests wait until they are a quarter of a batch, or a slot is free (n=4)', () => {
    const cluster = miniCluster({ epoch, parameters: { maxBatchRequests: 16 } })
    cluster.run(50)
    const watched = watchProposals(cluster, { decide: false })
    const { proposed } = watched
    const ask = (...texts: string[]) => {
      cluster.submit([0], ...texts)
      cluster.settle()
      return [...proposed.values()]
    }
    for (let i = 1; i <= 2; i++) expect(ask(`c${i}`)).toEqual(Array.from({ length: i }, () => 1))
    for (let i = 3; i <= 5; i++) expect(ask(`c${i}`)).toEqual([1, 1])
    expect(ask('c6')).toEqual([1, 1, 4])
    expect(ask('c7')).toEqual([1, 1, 4])
    watched.decide = true
    cluster.run(400)
    const expected = Array.from({ length: 7 }, (_, i) => `c${i + 1}`)
    for (const replica of cluster.replicas) expect(commands(replica)).toEqual(expected)
    expect([...proposed.values()]).toEqual([1, 1, 4, 1])
  })

  it('a batch is closed at half of its bytes, and beyond two slots no more than a full one is in flight (n=4)', () => {
    const parameters = { maxRequestBytes: 60, maxBatchRequests: 4, maxBatchBytes: 60, window: 16 }
    const cluster = miniCluster({ epoch, parameters })
    cluster.run(50)
    const watched = watchProposals(cluster, { decide: false })
    const { proposed } = watched
    const small = Array.from({ length: 5 }, (_, i) => `${i}`)
    const tenBytes = Array.from({ length: 17 }, (_, i) => `command ${10 + i}`)
    cluster.submit([0], ...small.slice(0, 4))
    cluster.submit([0], ...small.slice(4), ...tenBytes)
    cluster.settle()
    // Of 4, 31 and 30 bytes: with the third there are more than 60 in flight.
    expect([...proposed.values()]).toEqual([4, 4, 3])
    watched.decide = true
    cluster.run(400)
    for (const replica of cluster.replicas) expect(commands(replica)).toEqual([...small, ...tenBytes])
    expect([...proposed.values()]).toEqual([4, 4, 3, 3, 3, 3, 2])
  })

  it('a request larger than half of a batch has one of its own (n=4)', () => {
    const cluster = miniCluster({ epoch, parameters: { maxBatchRequests: 8, maxBatchBytes: 40 } })
    cluster.run(50)
    const { proposed } = watchProposals(cluster, { decide: true })
    const large = ['x'.repeat(40), 'y'.repeat(40)]
    cluster.submit([0], ...large)
    cluster.run(400)
    for (const replica of cluster.replicas) expect(commands(replica)).toEqual(large)
    expect([...proposed.values()]).toEqual([1, 1])
  })

  it('in crash mode a majority goes on without the others, with no Prepare votes (n=3, b=0)', () => {
    const cluster = miniCluster({ epoch, replicas: 3, byzantine: 0, crash: 1 })
    const kinds = new Set<string>()
    cluster.filter = (_, __, message) => {
      kinds.add(message.kind === 'vote' ? message.vote.statement.kind : message.kind)
      return true
    }
    cluster.run(50)
    cluster.submit([0, 1, 2], 'a')
    cluster.settle()
    cluster.crash(0)
    cluster.submit([1, 2], 'b')
    cluster.run(3000)
    expect(commands(cluster.replicas[1] ?? never())).toEqual(['a', 'b'])
    expect(commands(cluster.replicas[2] ?? never())).toEqual(['a', 'b'])
    expect(kinds.has('prepare')).toBe(false)
    expect(kinds.has('accept')).toBe(true)
  })
})

function never(): never {
  throw new Error('no such replica')
}
