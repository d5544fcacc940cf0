// Reads from a quorum, against replicas that answer as the test says.

import { describe, expect, it } from 'vitest'
import { epoch, slot, utf8 } from '../../crypto/index.ts'
import { type Client, Refused } from '../../src/client/index.ts'
import { encodeKvCommand, encodeKvResult, type KvResult, type ReadResult } from '../../src/machine/index.ts'
import type { Answer } from '../../src/wire/index.ts'
import { FakeCluster } from './fake-cluster.ts'
import { rounds, useTestClock, watched } from './support.ts'

const pass = useTestClock()
const QUORUM = { read: 'quorum' } as const

/** A cluster in which `k` is `new`, and was `old` before. */
async function written(): Promise<{ cluster: FakeCluster; client: Client }> {
  const cluster = new FakeCluster()
  const client = await cluster.connect()
  await client.put('k', 'old')
  await client.put('k', 'new')
  cluster.sent.length = 0
  return { cluster, client }
}

const OLD = entryOf('old', 1)

function entryOf(value: string, revision: number): ReadResult {
  const numbers = { createRevision: 1, modRevision: revision, version: revision, lease: 0 }
  const entry = { key: utf8('k'), value: utf8(value), ...numbers }
  const result: KvResult = { revision, response: { kind: 'get', entry } }
  return { outcome: 'done', result: encodeKvResult(result) }
}

/** The replica answers a read with these results. */
function say(
  cluster: FakeCluster,
  from: number,
  results: readonly ReadResult[],
  at = cluster.executor.slot,
  first = 0,
) {
  cluster.counters.set(from, (id) =>
    answer(cluster, from, id, { kind: 'read', epoch: epoch(0), slot: slot(at), first, results }),
  )
}

function answer(cluster: FakeCluster, from: number, id: number, given: Answer, last = true): void {
  cluster.say(from, { kind: 'answer', id, last, answer: given })
}

function throughLog({ sent }: FakeCluster): number {
  return sent.filter(({ frame }) => frame.kind === 'requests').length
}

const NEW = { value: expect.objectContaining({ value: utf8('new') }) }

describe('a read from a quorum', () => {
  it('is done when q replicas gave one answer, costs no request, and says who answered', async () => {
    const { cluster, client } = await written()
    cluster.silent.add(1)
    const read = await client.get('k', QUORUM)
    expect(read).toMatchObject({ ...NEW, slot: 2, evidence: { mode: 'quorum', replicas: [0, 2, 3], slots: [2, 2, 2] } })
    expect(throughLog(cluster)).toBe(0)
    await client.close()
  })

  it('is not done by fewer, be they t that agree', async () => {
    const { cluster, client } = await written()
    cluster.silent.add(2).add(3)
    const read = watched(client.get('k', QUORUM))
    await rounds()
    expect(read.outcome).toBeUndefined()
    await client.close()
  })

  it('names as its slot one that an honest replica has executed: the t-th highest of those told', async () => {
    const { cluster, client } = await written()
    const truth = [entryOf('new', 2)]
    say(cluster, 0, truth, 1_000_000)
    say(cluster, 1, truth, 7)
    say(cluster, 2, truth, 5)
    cluster.silent.add(3)
    expect((await client.get('k', QUORUM)).slot).toBe(7)
    await client.close()
  })

  it('agrees with replicas that are a write to another key apart', async () => {
    const { cluster, client } = await written()
    say(cluster, 0, [{ outcome: 'done', result: shifted(entryOf('new', 2).result) }], 3)
    cluster.silent.add(1)
    expect(await client.get('k', QUORUM)).toMatchObject({ ...NEW, evidence: { mode: 'quorum', slots: [3, 2, 2] } })
    await client.close()
  })

  it('goes through the log where no q can agree any more, and says so', async () => {
    const { cluster, client } = await written()
    say(cluster, 0, [OLD])
    say(cluster, 1, [OLD])
    const read = await client.get('k', QUORUM)
    expect(read).toMatchObject({ ...NEW, evidence: { mode: 'ordered', receipt: expect.anything() } })
    expect(client.counters()).toMatchObject({ 'read-fallbacks': 1 })
    await client.close()
  })

  it('goes through the log where q do not answer for half a view time-out', async () => {
    const { cluster, client } = await written()
    const silenced = [2, 3]
    for (const replica of silenced) cluster.counters.set(replica, () => {})
    const read = watched(client.get('k', QUORUM))
    await rounds()
    expect(throughLog(cluster)).toBe(0)
    await pass(cluster.genesis.parameters.viewTimeoutMs / 2 + 50)
    expect(read.outcome).toMatchObject({ value: { ...NEW, evidence: { mode: 'ordered' } } })
    await client.close()
  })

  it('leaves the log half of a deadline that is shorter than its patience', async () => {
    const { cluster, client } = await written()
    for (const replica of [1, 2]) cluster.counters.set(replica, () => {})
    const timeoutMs = cluster.genesis.parameters.viewTimeoutMs / 2
    const read = watched(client.get('k', { ...QUORUM, timeoutMs }))
    await pass(timeoutMs / 2 + 50)
    expect(read.outcome).toMatchObject({ value: { evidence: { mode: 'ordered' } } })
    await client.close()
  })

  it('takes one word of each replica, the first', async () => {
    const { cluster, client } = await written()
    cluster.silent.add(2).add(3)
    cluster.counters.set(0, (id) => {
      const lie = { kind: 'read', epoch: epoch(0), slot: slot(2), first: 0, results: [OLD] } as const
      for (let i = 0; i < 5; i++) answer(cluster, 0, id, lie, false)
    })
    const read = watched(client.get('k', QUORUM))
    await rounds()
    expect(read.outcome).toBeUndefined()
    await client.close()
  })

  it('is not moved by garbage: results of nothing asked, empty answers, answers of another kind', async () => {
    const { cluster, client } = await written()
    const lies: readonly Answer[] = [
      { kind: 'read', epoch: epoch(0), slot: slot(2), first: 200, results: [OLD, OLD] },
      { kind: 'read', epoch: epoch(0), slot: slot(2), first: 0, results: [] },
      {
        kind: 'read',
        epoch: epoch(0),
        slot: slot(2),
        first: 0,
        results: [{ outcome: 'done', result: utf8('garbage') }],
      },
      { kind: 'prove', state: undefined },
      { kind: 'refused', reason: 'no' },
    ]
    for (const lie of lies) {
      cluster.counters.set(0, (id) => answer(cluster, 0, id, lie))
      expect(await client.get('k', QUORUM)).toMatchObject({ ...NEW, evidence: { mode: 'quorum', replicas: [1, 2, 3] } })
    }
    await client.close()
  })

  it('takes no answer from a replica that was not asked, and none to a question of before', async () => {
    const { cluster, client } = await written()
    cluster.silent.add(1).add(2)
    cluster.down.add(3)
    const read = watched(client.get('k', QUORUM))
    await rounds()
    const asked = cluster.sent.findLast(({ frame }) => frame.kind === 'ask')?.frame
    const id = asked?.kind === 'ask' ? asked.id : 0
    cluster.down.delete(3)
    for (const [from, at] of [
      [3, id],
      [1, id - 1],
      [2, id - 1],
    ] as const)
      cluster.read(from, at, [])
    await rounds()
    expect(read.outcome).toBeUndefined()
    await client.close()
  })

  it('asks a replica that comes up meanwhile', async () => {
    const cluster = new FakeCluster()
    for (const replica of [1, 2, 3]) cluster.down.add(replica)
    const client = await cluster.connect()
    const read = watched(client.get('k', QUORUM))
    await rounds()
    for (const replica of [1, 2, 3]) cluster.raise(replica)
    await rounds()
    expect(read.outcome).toMatchObject({ value: { value: undefined, evidence: { mode: 'quorum' } } })
    await client.close()
  })

  it('tells what q replicas refuse, without a receipt', async () => {
    const { client } = await written()
    const put = encodeKvCommand({ kind: 'put', key: utf8('k'), value: utf8('x'), previous: false })
    const error = await client.read(put).catch((each: unknown) => each)
    expect(error).toBeInstanceOf(Refused)
    expect(error).toMatchObject({ code: 'forbidden', receipt: undefined })
    expect(await client.get('k', QUORUM)).toMatchObject(NEW)
    await client.close()
  })

  it('reads ranges too', async () => {
    const { client } = await written()
    const read = await client.range({ prefix: '' }, QUORUM)
    expect(read).toMatchObject({ value: { count: 1 }, evidence: { mode: 'quorum' } })
    await client.close()
  })
})

describe('reads from a quorum', () => {
  it('of one turn are one question to each replica, and each has its own answer', async () => {
    const { cluster, client } = await written()
    const keys = Array.from({ length: 100 }, (_, i) => (i % 2 === 0 ? 'k' : 'none'))
    const reads = await Promise.all(keys.map((key) => client.get(key, QUORUM)))
    expect(reads.map(({ value }) => value !== undefined)).toEqual(keys.map((key) => key === 'k'))
    expect(cluster.sent.map(({ to }) => to).sort()).toEqual([0, 1, 2, 3])
    await client.close()
  })

  it('are answered in pieces, in any order, and one that was lost is told by the last', async () => {
    const { cluster, client } = await written()
    cluster.counters.set(3, (id) => answer(cluster, 3, id, { kind: 'refused', reason: 'busy' }))
    cluster.counters.set(0, (id, question) => {
      if (question.kind !== 'read') return
      const results = question.commands.map(() => entryOf('new', 2))
      answer(
        cluster,
        0,
        id,
        { kind: 'read', epoch: epoch(0), slot: slot(2), first: 2, results: results.slice(2) },
        false,
      )
      // Of the first two nothing is ever said.
      answer(cluster, 0, id, { kind: 'read', epoch: epoch(0), slot: slot(2), first: 1, results: [] })
    })
    const reads = ['k', 'k', 'k'].map(() => client.get('k', QUORUM))
    const done = await Promise.all(reads)
    expect(done.map(({ evidence }) => evidence.mode)).toEqual(['ordered', 'ordered', 'quorum'])
    await client.close()
  })

  it('end with the client, and when their caller gives up', async () => {
    const { cluster, client } = await written()
    for (const replica of [0, 1, 2, 3]) cluster.silent.add(replica)
    const stop = new AbortController()
    const given = watched(client.get('k', { ...QUORUM, signal: stop.signal }))
    const left = watched(client.get('k', QUORUM))
    await rounds()
    stop.abort()
    await rounds()
    expect(given.outcome).toMatchObject({ error: { code: 'not-sent' } })
    await client.close()
    await rounds()
    expect(left.outcome).toMatchObject({ error: { code: 'closed' } })
  })
})

/** The same result of a store whose revision is one higher. */
function shifted(result: Uint8Array): Uint8Array {
  const copy = Uint8Array.from(result)
  copy[7] = (copy[7] ?? 0) + 1
  return copy
}
