// What a client does when the members change.

import { describe, expect, it } from 'vitest'
import { epoch, replicaIndex, slot, utf8 } from '../../crypto/index.ts'
import type { Client, ClientError } from '../../src/client/index.ts'
import { FOLLOW_ANSWER_MS, FOLLOW_PAUSE_MS } from '../../src/client/limits.ts'
import type { SignedRequest } from '../../src/consensus/index.ts'
import { FakeCluster, numbersOf } from './fake-cluster.ts'
import { rounds, useTestClock, watched } from './support.ts'

const pass = useTestClock()
const SMALL = { parameters: { checkpointInterval: 32, window: 32 } }
const QUORUM = { read: 'quorum' } as const

/** A client that knows the leader, and what it was told of doubts. */
async function settled(cluster: FakeCluster, options: Parameters<FakeCluster['connect']>[0] = {}) {
  const doubts: ClientError[] = []
  const client = await cluster.connect({ onDoubt: (doubt) => doubts.push(doubt), ...options })
  await client.put('a', '1')
  await rounds()
  cluster.sent.length = 0
  return { client, doubts }
}

const membersOf = (client: Client) => client.chain.last.charter.members.map(({ id }) => id)

/** The answers to the chain question by replica `key` are the hand-overs of another cluster. */
function showOther(cluster: FakeCluster, key: number, other: FakeCluster): void {
  cluster.counters.set(key, (id, question) => {
    if (question.kind === 'chain') cluster.show(key, id, question.from, other.chain.links)
  })
}

describe('a change of the members', () => {
  it.each([
    ['one is replaced', [0, 1, 2, 4], {}],
    ['the cluster grows', [0, 1, 2, 3, 4, 5, 6], { quorum: { byzantine: 2, crash: 0 } }],
    ['the cluster shrinks to one in crash mode', [3, 1, 0], { quorum: { byzantine: 0, crash: 1 } }],
    ['positions change', [3, 2, 1, 0], {}],
  ])('is followed when %s, and what was under way has one outcome', async (_, keys, change) => {
    const cluster = new FakeCluster(SMALL)
    const { client, doubts } = await settled(cluster)
    // Nobody answers meanwhile.
    for (const key of cluster.members) cluster.doors.set(key, () => {})
    const calls = ['b', 'c', 'd'].map((key) => client.put(key, 'x'))
    await rounds()
    cluster.handOver(keys, change)
    cluster.doors.clear()
    await pass(5000)
    const done = await Promise.all(calls)
    expect(membersOf(client)).toEqual(keys)
    expect(done.map(({ receipt }) => receipt.certificate.statement.membership)).toEqual(
      done.map(() => cluster.chain.last.membership.digest),
    )
    expect(cluster.executor.slot).toBeGreaterThan(32)
    // Each was executed once, whoever was asked how often.
    expect(done.map(({ value }) => value.revision).toSorted()).toEqual([2, 3, 4])
    expect((await client.put('e', 'x')).value.revision).toBe(5)
    expect((await client.get('b', QUORUM)).evidence).toMatchObject({ mode: 'quorum', epoch: 1 })
    expect(doubts).toEqual([])
    await client.close()
  })

  it('is followed through several epochs at once', async () => {
    const cluster = new FakeCluster(SMALL)
    const { client } = await settled(cluster)
    for (const keys of [
      [0, 1, 2, 4],
      [0, 1, 5, 4],
      [0, 6, 5, 4],
    ])
      cluster.handOver(keys)
    for (const gone of [1, 2, 3]) cluster.cut(gone)
    const call = client.put('b', '2')
    await pass(2000)
    expect((await call).slot).toBeGreaterThan(96)
    expect(membersOf(client)).toEqual([0, 6, 5, 4])
    expect(client.counters()['epochs-followed']).toBe(3)
    await client.close()
  })

  it('keeps the numbers of requests that are sent again', async () => {
    const cluster = new FakeCluster(SMALL)
    const { client } = await settled(cluster)
    for (const key of cluster.members) cluster.doors.set(key, () => {})
    const calls = [client.put('b', '2'), client.put('c', '3')]
    await rounds()
    const before = cluster.requestsTo(0)[0] ?? []
    expect(before).toHaveLength(2)
    cluster.handOver([4, 0, 1, 2])
    cluster.doors.clear()
    await pass(3000)
    await Promise.all(calls)
    expect(new Set(numbersOf(cluster.requestsTo(4)))).toEqual(new Set(numbersOf([before])))
    await client.close()
  })

  it('is followed when all that is asked is a status', async () => {
    const cluster = new FakeCluster(SMALL)
    const { client } = await settled(cluster)
    cluster.handOver([0, 1, 2, 4])
    const read = watched(client.get('a', QUORUM))
    await pass(1000)
    expect(read.outcome).toMatchObject({ value: { evidence: { mode: 'quorum', epoch: 1 } } })
    expect(membersOf(client)).toEqual([0, 1, 2, 4])
    await client.close()
  })
})

describe('who asks for the epochs', () => {
  it('gets them as they are, without asking for anything else', async () => {
    const cluster = new FakeCluster(SMALL)
    const client = await cluster.connect()
    cluster.handOver([0, 1, 2, 4])
    const asked = watched(client.follow())
    await pass(1000)
    expect(asked.outcome).toMatchObject({ value: { links: { length: 1 } } })
    expect(membersOf(client)).toEqual([0, 1, 2, 4])
    await client.close()
  })

  it('gets no answer from one replica alone, who may lie or lag', async () => {
    const cluster = new FakeCluster(SMALL)
    const client = await cluster.connect()
    for (const cut of [0, 1, 2]) cluster.cut(cut)
    const asked = watched(client.follow({ timeoutMs: 5000 }))
    await pass(4000)
    expect(asked.outcome).toBeUndefined()
    await pass(2000)
    expect(asked.outcome).toMatchObject({ error: { code: 'no-answer', message: expect.stringContaining('too few') } })
    await client.close()
  })

  it('waits for one that has not begun, and is told when it does or when time is over', async () => {
    const cluster = new FakeCluster(SMALL)
    const client = await cluster.connect()
    const [asked, hasty] = [watched(client.follow({ until: 1 })), watched(client.follow({ until: 1, timeoutMs: 1000 }))]
    await pass(3000)
    expect(asked.outcome).toBeUndefined()
    expect(hasty.outcome).toMatchObject({ error: { code: 'no-answer', message: 'epoch 1 has not begun in time' } })
    cluster.handOver([0, 1, 2, 4])
    await pass(2000)
    expect(asked.outcome).toMatchObject({ value: { links: { length: 1 } } })
    await client.close()
  })

  it('is told where the client is closed, or the caller gives up', async () => {
    const cluster = new FakeCluster(SMALL)
    const client = await cluster.connect()
    const abort = new AbortController()
    const given = watched(client.follow({ until: 1, signal: abort.signal }))
    const closed = watched(client.follow({ until: 1 }))
    abort.abort(new Error('enough'))
    await rounds()
    expect(given.outcome).toMatchObject({ error: { message: 'enough' } })
    await client.close()
    await rounds()
    expect(closed.outcome).toMatchObject({ error: { code: 'closed' } })
  })
})

describe('answers to reads', () => {
  it('count within one epoch alone', async () => {
    const cluster = new FakeCluster(SMALL)
    const { client } = await settled(cluster)
    cluster.handOver([0, 1, 2, 3])
    const first = client.get('a', QUORUM)
    await pass(1000)
    expect((await first).evidence).toMatchObject({ mode: 'quorum', epoch: 1 })
    // Two went back, two are in the epoch: nowhere are three of one.
    for (const key of [0, 1]) cluster.lagging.set(key, 0)
    const read = watched(client.get('a', QUORUM))
    await pass(5000)
    expect(read.outcome).toMatchObject({ value: { evidence: { mode: 'ordered' } } })
    await client.close()
  })

  it('are forgotten with the epoch in which they were given', async () => {
    const cluster = new FakeCluster(SMALL)
    const { client } = await settled(cluster)
    cluster.handOver([0, 1, 2, 4])
    for (const key of [0, 1]) cluster.lagging.set(key, 0)
    for (const key of [2, 3]) {
      cluster.counters.set(key, (id, question) => {
        if (question.kind === 'chain') cluster.show(key, id, question.from)
      })
    }
    const read = watched(client.get('a', QUORUM))
    await rounds()
    const news = { kind: 'read', epoch: epoch(1), slot: slot(32), first: 0, results: [] } as const
    cluster.say(2, { kind: 'answer', id: 0, last: true, answer: news })
    await pass(5000)
    expect(membersOf(client)).toEqual([0, 1, 2, 4])
    expect(read.outcome).toMatchObject({ value: { evidence: { mode: 'ordered' } } })
    await client.close()
  })
})

describe('what is under way when the members change', () => {
  it('is sent to all of them at once', async () => {
    const cluster = new FakeCluster(SMALL)
    const { client } = await settled(cluster)
    for (const key of [...cluster.members, 4]) cluster.doors.set(key, () => {})
    const call = watched(client.put('b', '2'))
    await rounds()
    const before = cluster.requestsTo(0).length
    cluster.handOver([0, 1, 2, 4])
    const read = client.get('a', QUORUM)
    await rounds(30)
    await read
    expect(cluster.requestsTo(0)).toHaveLength(before + 1)
    expect(cluster.requestsTo(4)).not.toHaveLength(0)
    expect(call.outcome).toBeUndefined()
    await client.close()
  })

  it('is answered by those who were asked, wherever they stand now, and not by those who left', async () => {
    const cluster = new FakeCluster(SMALL)
    const { client } = await settled(cluster)
    const asked = new Map<number, number>()
    for (const key of [0, 3]) {
      cluster.counters.set(key, (id, question) => {
        if (question.kind === 'evidence') asked.set(key, id)
        else if (question.kind === 'read') cluster.read(key, id, question.commands)
        else cluster.show(key, id, 0)
      })
    }
    const [stays, leaves] = [client.archive(replicaIndex(0)), client.archive(replicaIndex(3))]
    const [first, second] = [watched(stays.evidence()), watched(leaves.evidence())]
    await rounds()
    cluster.handOver([4, 2, 1, 0])
    const read = client.get('a', QUORUM)
    await rounds(30)
    await read
    expect(second.outcome).toMatchObject({ error: { code: 'no-answer', message: 'replica 3 is a member no more' } })
    cluster.say(0, { kind: 'answer', id: asked.get(0) ?? 0, last: true, answer: { kind: 'evidence', evidence: [] } })
    await rounds()
    expect(first.outcome).toEqual({ value: [] })
    await expect(leaves.newViews()).rejects.toThrow('replica 3 is a member no more')
    await client.close()
  })
})

describe('whoever shows what is no hand-over', () => {
  it('is passed over, and what the others show is followed', async () => {
    const cluster = new FakeCluster(SMALL)
    const { client, doubts } = await settled(cluster)
    cluster.handOver([0, 1, 2, 4])
    const [link] = cluster.chain.links
    if (link === undefined) throw new Error('unreachable')
    const { checkpoint } = link
    const bad = { ...link, checkpoint: { ...checkpoint, signatures: checkpoint.signatures.slice(1) } }
    cluster.counters.set(0, (id, question) => {
      if (question.kind === 'chain') cluster.show(0, id, question.from, [bad])
    })
    const call = client.put('b', '2')
    await pass(3000)
    await call
    expect(client.counters()['link-wrong']).toBe(1)
    expect(membersOf(client)).toEqual([0, 1, 2, 4])
    expect(doubts).toEqual([])
    await client.close()
  })

  it('cannot make a client ask all the time by naming epochs that there are not', async () => {
    const cluster = new FakeCluster(SMALL)
    const { client } = await settled(cluster)
    cluster.counters.set(3, (id, question) => {
      const results = [{ outcome: 'done', result: utf8('x') }] as const
      const answer = { kind: 'read', epoch: 999, slot: 1, first: 0, results }
      if (question.kind === 'read') cluster.say(3, { kind: 'answer', id, last: true, answer: Object.assign(answer) })
    })
    const [, mostMs] = FOLLOW_PAUSE_MS
    const asked = () =>
      cluster.sent.filter(({ to, frame }) => to === 1 && frame.kind === 'ask' && frame.question.kind === 'chain')
    for (let i = 0; i < 200; i++) {
      const read = client.get('a', QUORUM)
      await pass(500)
      await read
    }
    // 100 s, with pauses that double up to the longest, and the time for an answer that never comes.
    expect(asked().length).toBeGreaterThan(2)
    expect(asked().length).toBeLessThan(100_000 / mostMs + 8)
    expect(FOLLOW_ANSWER_MS).toBeLessThan(mostMs)
    await client.close()
  })
})

describe('two hand-overs to one epoch', () => {
  function fork() {
    const cluster = new FakeCluster(SMALL)
    const thief = new FakeCluster(SMALL)
    return { cluster, thief }
  }

  it('are ambiguous to who has followed neither, who stays with the members that it knows', async () => {
    const { cluster, thief } = fork()
    const { client, doubts } = await settled(cluster)
    cluster.handOver([0, 1, 2, 4])
    thief.handOver([0, 7, 8, 9])
    showOther(cluster, 3, thief)
    const call = watched(client.put('b', '2', { timeoutMs: 5000 }))
    await pass(6000)
    expect(membersOf(client)).toEqual([0, 1, 2, 3])
    expect(doubts).toMatchObject([{ code: 'ambiguous' }])
    expect(call.outcome).toMatchObject({ error: { name: 'OutcomeUnknown' } })
    await client.close()
  })

  it('are told to who has followed one of them, and goes on with that', async () => {
    const { cluster, thief } = fork()
    const { client, doubts } = await settled(cluster)
    cluster.handOver([0, 1, 2, 4])
    const call = client.put('b', '2')
    await pass(2000)
    await call
    thief.handOver([0, 7, 8, 9])
    showOther(cluster, 2, thief)
    cluster.handOver([0, 1, 2, 5])
    const next = client.put('c', '3')
    await pass(20_000)
    await next
    expect(membersOf(client)).toEqual([0, 1, 2, 5])
    expect(doubts).toMatchObject([{ code: 'ambiguous' }])
    await client.close()
  })

  it('are none to who has a pin of one', async () => {
    const { cluster, thief } = fork()
    thief.handOver([0, 7, 8, 9])
    cluster.handOver([0, 1, 2, 4])
    const { pin } = cluster.chain
    if (pin === undefined) throw new Error('unreachable')
    showOther(cluster, 3, thief)
    const doubts: ClientError[] = []
    const client = await cluster.connect({ pin, onDoubt: (doubt) => doubts.push(doubt) })
    const call = client.put('b', '2')
    await pass(5000)
    await call
    expect(membersOf(client)).toEqual([0, 1, 2, 4])
    expect(doubts).toEqual([])
    await client.close()
  })
})

describe('receipts of an epoch that is over', () => {
  /** A request that left in epoch 0 and has no answer when the client goes over to epoch 1; and one that leaves after that. */
  async function between() {
    const cluster = new FakeCluster(SMALL)
    const { client } = await settled(cluster)
    let held: readonly SignedRequest[] = []
    const hold = () => {
      for (const key of [...cluster.members, 4]) {
        cluster.doors.set(key, (requests) => {
          held = requests
        })
      }
    }
    hold()
    const early = watched(client.put('b', '2'))
    await rounds()
    const requests = held
    const at = cluster.execute(requests)
    cluster.handOver([0, 1, 2, 4])
    await pass(2500)
    expect(membersOf(client)).toEqual([0, 1, 2, 4])
    return { cluster, client, early, at, requests, held: () => held }
  }

  it('still count for requests that left before, and slots up to its last', async () => {
    const { cluster, client, early, at, requests } = await between()
    for (const key of [1, 2]) {
      cluster.lagging.set(key, 0)
      cluster.say(key, { kind: 'replies', replies: [cluster.truth(key, at, requests)] })
    }
    await rounds()
    expect(early.outcome).toMatchObject({ value: { slot: at } })
    await client.close()
  })

  it('do not count for a request that left later', async () => {
    const { cluster, client, held } = await between()
    const late = watched(client.put('c', '3'))
    await pass(100)
    const at = cluster.execute(held())
    for (const key of [0, 1, 2]) {
      cluster.lagging.set(key, 0)
      const { items } = cluster.truth(key, at, held())
      const records = items.map(({ record }) => record)
      cluster.say(key, { kind: 'replies', replies: [cluster.replyWith(key, 5, records)] })
    }
    await rounds()
    expect(late.outcome).toBeUndefined()
    expect(client.counters()['receipt-other-epoch']).toBeGreaterThan(2)
    await client.close()
  })

  it('do not count for a slot after its last', async () => {
    const { cluster, client, early, requests } = await between()
    const at = cluster.execute(requests)
    expect(at).toBeGreaterThan(32)
    for (const key of [0, 1, 2]) {
      cluster.lagging.set(key, 0)
      cluster.say(key, { kind: 'replies', replies: [cluster.truth(key, at, requests)] })
    }
    await rounds()
    expect(early.outcome).toBeUndefined()
    expect(client.counters()['receipt-other-epoch']).toBe(3)
    await client.close()
  })
})
