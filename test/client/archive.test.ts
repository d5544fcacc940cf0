import { describe, expect, it } from 'vitest'
import { digest, EMPTY_ROOT, epoch, replicaIndex, slot, type VoteStatement, view } from '../../crypto/index.ts'
import { ARCHIVE_PAGE_SLOTS } from '../../src/client/limits.ts'
import { noopEntry } from '../../src/consensus/index.ts'
import type { ArchivedSlot, Question, ReplicaFrame, ReplicaStatus } from '../../src/wire/index.ts'
import { FakeCluster } from './fake-cluster.ts'
import { rounds, useTestClock, watched } from './support.ts'

const pass = useTestClock()

type Asked = Extract<FakeCluster['sent'][number]['frame'], { kind: 'ask' }> & { readonly to: number }

function asksOf(cluster: FakeCluster): readonly Asked[] {
  return cluster.sent.flatMap(({ to, frame }) => (frame.kind === 'ask' ? [{ ...frame, to }] : []))
}

function status(executed: number): ReplicaStatus {
  return {
    ...{ replica: replicaIndex(2), epoch: epoch(0), view: view(5), leader: replicaIndex(1), active: true },
    ...{ chosen: slot(executed), executed: slot(executed), stable: slot(0), stateRoot: EMPTY_ROOT, firstSlot: slot(3) },
    ...{ pending: 0, transferring: false, requests: 5, uptimeMs: 10, connected: [], lies: [], liar: '', alarms: [] },
    version: '0',
  }
}

const CLUSTER_ID = new FakeCluster().genesis.clusterId

function archived(at: number): ArchivedSlot {
  const entry = noopEntry(slot(at), epoch(0))
  const statement: VoteStatement = {
    kind: 'accept',
    clusterId: CLUSTER_ID,
    membership: digest(new Uint8Array(32)),
    view: view(0),
    justification: EMPTY_ROOT,
    slot: slot(at),
    digest: entry.digest,
  }
  return { entry, certificate: { statement, signatures: [] }, receipt: undefined, records: [] }
}

const answer = (
  id: number,
  last: boolean,
  what: Extract<ReplicaFrame, { kind: 'answer' }>['answer'],
): ReplicaFrame => ({
  ...{ kind: 'answer', id, last },
  answer: what,
})

describe('a question', () => {
  it('goes to the replica that is asked, and only its answer counts', async () => {
    const cluster = new FakeCluster()
    const client = await cluster.connect()
    const call = watched(client.status(replicaIndex(2)))
    await rounds()
    const [asked] = asksOf(cluster)
    expect(asked).toMatchObject({ to: 2, question: { kind: 'status' } })
    const id = asked?.id ?? 0
    cluster.say(1, answer(id, true, { kind: 'status', status: status(1) }))
    cluster.say(2, answer(id + 1, true, { kind: 'status', status: status(2) }))
    cluster.say(2, answer(id, true, { kind: 'evidence', evidence: [] }))
    await rounds()
    expect(call.outcome).toBeUndefined()
    expect(client.counters()['answer-not-needed']).toBe(3)
    cluster.say(2, answer(id, true, { kind: 'status', status: status(4) }))
    await rounds()
    expect(call.outcome).toMatchObject({ value: { executed: 4 } })
    await client.close()
  })

  it('ends when its time is over, and says where the replica could not be reached', async () => {
    const cluster = new FakeCluster()
    cluster.down.add(1)
    const client = await cluster.connect()
    const [reached, unreached] = [2, 1].map((i) => watched(client.status(replicaIndex(i), { timeoutMs: 500 })))
    await pass(600)
    expect(reached?.outcome).toMatchObject({
      error: { code: 'no-answer', message: 'replica 2 did not answer in time' },
    })
    expect(unreached?.outcome).toMatchObject({
      error: { message: 'could not be reached: replica 1 (/ip4/127.0.0.1/tcp/7401)' },
    })
    await client.close()
  })

  it('is asked again when the link comes back', async () => {
    const cluster = new FakeCluster()
    cluster.down.add(2)
    const client = await cluster.connect()
    const call = watched(client.status(replicaIndex(2)))
    await rounds()
    cluster.raise(2)
    const id = asksOf(cluster).at(-1)?.id ?? 0
    cluster.say(2, answer(id, true, { kind: 'status', status: status(4) }))
    await rounds()
    expect(call.outcome).toHaveProperty('value')
    await client.close()
  })

  it('that is refused says why', async () => {
    const cluster = new FakeCluster()
    const client = await cluster.connect()
    const call = watched(client.archive(replicaIndex(0)).evidence())
    await rounds()
    cluster.say(0, answer(asksOf(cluster)[0]?.id ?? 0, true, { kind: 'refused', reason: 'not to you' }))
    await rounds()
    expect(call.outcome).toMatchObject({
      error: { code: 'question-refused', message: expect.stringContaining('not to you') },
    })
    await client.close()
  })
})

describe('an archive', () => {
  /** Answers questions about slots in two parts and an end, but never more than `most` slots. */
  function serve(cluster: FakeCluster, most: number): () => readonly (readonly [number, number])[] {
    const pages: (readonly [number, number])[] = []
    let seen = 0
    cluster.onSent = () => {
      for (const { id, question } of asksOf(cluster).slice(seen)) {
        seen++
        const page = rangeOf(question)
        pages.push(page)
        if (page[1] - page[0] >= most) continue
        const all = Array.from({ length: page[1] - page[0] + 1 }, (_, i) => archived(page[0] + i))
        cluster.say(0, answer(id, false, { kind: 'slots', slots: all.slice(0, 3) }))
        cluster.say(0, answer(id, false, { kind: 'slots', slots: all.slice(3) }))
        cluster.say(0, answer(id, true, { kind: 'slots', slots: [] }))
      }
    }
    return () => pages
  }

  const rangeOf = (question: Question): readonly [number, number] =>
    'to' in question ? [question.from, question.to] : [0, 0]

  async function all(iterable: AsyncIterable<ArchivedSlot>): Promise<number[]> {
    const slots: number[] = []
    for await (const { entry } of iterable) slots.push(entry.header.slot)
    return slots
  }

  it('is read page by page, every slot once and in order', async () => {
    const cluster = new FakeCluster()
    const client = await cluster.connect()
    const pages = serve(cluster, Number.POSITIVE_INFINITY)
    const slots = await all(client.archive(replicaIndex(0)).slots(5, 5 + 2 * ARCHIVE_PAGE_SLOTS))
    expect(slots).toEqual(Array.from({ length: 2 * ARCHIVE_PAGE_SLOTS + 1 }, (_, i) => 5 + i))
    expect(pages()).toHaveLength(3)
    await client.close()
  })

  it('is asked for less at once where a page does not come', async () => {
    const cluster = new FakeCluster()
    const client = await cluster.connect()
    const pages = serve(cluster, ARCHIVE_PAGE_SLOTS / 4)
    const call = watched(all(client.archive(replicaIndex(0)).slots(1, 100)))
    await pass(70_000)
    expect(call.outcome).toEqual({ value: Array.from({ length: 100 }, (_, i) => 1 + i) })
    expect(pages().slice(0, 3)).toEqual([
      [1, 64],
      [1, 32],
      [1, 16],
    ])
    await client.close()
  })

  it('that never answers ends with an error', async () => {
    const cluster = new FakeCluster()
    const client = await cluster.connect()
    const call = watched(all(client.archive(replicaIndex(0)).slots(1, 100)))
    await pass(300_000)
    expect(call.outcome).toMatchObject({ error: { name: 'ClientError', code: 'no-answer' } })
    await client.close()
  })

  it.each([
    [9, { first: 3, last: 9 }],
    [2, { first: 3, last: 0 }],
  ])('executed up to %i has the extent %o', async (executed, extent) => {
    const cluster = new FakeCluster()
    const client = await cluster.connect()
    const call = watched(client.archive(replicaIndex(0)).extent())
    await rounds()
    cluster.say(0, answer(asksOf(cluster)[0]?.id ?? 0, true, { kind: 'status', status: status(executed) }))
    await rounds()
    expect(call.outcome).toEqual({ value: extent })
    await client.close()
  })
})
