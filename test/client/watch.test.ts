// What a watch makes of what replicas say: with at most b liars exactly what happened, whatever they say and however late.

import { describe, expect, it } from 'vitest'
import { digest, replicaIndex, slot, utf8 } from '../../crypto/index.ts'
import { type Client, type DropReason, WatchEnded, type WatchOptions } from '../../src/client/index.ts'
import { WATCH_STALL_MS, WATCH_WINDOW_BYTES } from '../../src/client/limits.ts'
import type { WatchedSlot } from '../../src/wire/index.ts'
import { rounds, useTestClock } from './support.ts'
import { follow, slots, WatchFakes, type WatchLie } from './watch-fakes.ts'

const pass = useTestClock()

async function watching(options: WatchOptions = { after: 0 }, fakes = new WatchFakes()) {
  const client: Client = await fakes.cluster.connect()
  const watch = client.watch({ prefix: 'k' }, options)
  await rounds()
  return { fakes, client, watch, seen: follow(watch) }
}

/** The same slot with its first change changed. */
function changed(truth: WatchedSlot, change: Partial<WatchedSlot['changes'][number]>): WatchedSlot {
  return { ...truth, changes: truth.changes.map((each, i) => (i === 0 ? { ...each, ...change } : each)) }
}

const LIES: readonly (readonly [name: string, lie: () => WatchLie, reason: DropReason])[] = [
  ['leaves an event out', () => slots(() => undefined), 'watch-contradicted'],
  [
    'changes a value',
    () => slots((truth) => changed(truth, { value: Uint8Array.of(...(truth.changes[0]?.value ?? []), 1) })),
    'watch-contradicted',
  ],
  ['turns a put into a deletion', () => slots((truth) => changed(truth, { value: undefined })), 'watch-contradicted'],
  [
    'names another slot',
    () =>
      slots((truth) =>
        truth.slot === 2 ? { ...truth, slot: slot(1), header: { ...truth.header, slot: slot(1) } } : truth,
      ),
    'watch-malformed',
  ],
  [
    'names another entry',
    () => slots((truth) => ({ ...truth, header: { ...truth.header, root: digest(new Uint8Array(32)) } })),
    'watch-contradicted',
  ],
  ['names another time', () => slots((truth) => ({ ...truth, timestampMs: 1 })), 'watch-contradicted'],
  [
    'names another client',
    () =>
      slots((truth) => ({
        ...truth,
        requests: truth.requests.map((each) => ({ ...each, sequence: each.sequence + 1 })),
      })),
    'watch-contradicted',
  ],
  [
    'invents an event',
    () => slots((truth) => ({ ...truth, changes: [...truth.changes, ...truth.changes] })),
    'watch-contradicted',
  ],
  [
    'tells of keys that were not asked for',
    () => slots((truth) => changed(truth, { key: utf8('zzz') })),
    'watch-malformed',
  ],
  ['names a request that it does not show', () => slots((truth) => ({ ...truth, requests: [] })), 'watch-malformed'],
  [
    'leaves slots out of its account',
    () => (truth) =>
      truth.kind === 'batch' && truth.upTo > 1
        ? { ...truth, after: slot(truth.after + 1), upTo: slot(truth.upTo + 1) }
        : truth,
    'watch-gap',
  ],
  [
    'shows a certificate that nobody signed',
    () => slots((truth) => ({ ...truth, certificate: { ...truth.certificate, signatures: [] } })),
    'watch-bad-certificate',
  ],
]

describe('a watch of t replicas', () => {
  it('listens to t, tells each event once, and its position is where another one goes on', async () => {
    const { fakes, client, watch, seen } = await watching()
    fakes.put('k1', 'a')
    fakes.put('x', 'b')
    fakes.put('k1', 'c')
    fakes.delete('k1')
    await rounds()
    expect(fakes.serving()).toHaveLength(2)
    expect(seen.lines).toEqual(['k1=a v1', 'k1=c v2', 'k1 gone'])
    expect(watch.position).toBe(4)
    const second = follow(client.watch({ prefix: 'k' }, { after: 3 }))
    await rounds()
    expect(second.lines).toEqual(['k1 gone'])
    watch.close()
    await rounds()
    expect(seen.done).toBe(true)
    expect(seen.error).toBeUndefined()
    await client.close()
    await rounds()
    expect(second.error).toMatchObject({ name: 'ClientError', code: 'closed' })
  })

  it.each(LIES)('tells the truth though one of them %s, and gives that one up', async (_, lie, reason) => {
    const fakes = new WatchFakes()
    fakes.lies.set(0, lie())
    const { client, watch, seen } = await watching({ after: 0 }, fakes)
    fakes.put('k', '1')
    await rounds(30)
    fakes.put('k', '2')
    await rounds(30)
    fakes.put('k', '3')
    await rounds(30)
    expect(seen.lines).toEqual(['k=1 v1', 'k=2 v2', 'k=3 v3'])
    expect(seen.slots).toEqual([1, 2, 3])
    expect(watch.dropped).toEqual([{ replica: 0, reason }])
    expect(client.counters()[reason]).toBe(1)
    expect(fakes.serving()).not.toContain(0)
    await client.close()
  })

  it('replaces one that says nothing, and one that lies about how far it is takes nobody else out', async () => {
    const fakes = new WatchFakes()
    fakes.lies.set(0, () => undefined)
    const { client, watch, seen } = await watching({ after: 0 }, fakes)
    fakes.put('k', '1')
    await pass(WATCH_STALL_MS + 1000)
    expect(watch.dropped).toEqual([{ replica: 0, reason: 'watch-stalled' }])
    expect(seen.lines).toEqual(['k=1 v1'])
    fakes.lies.set(1, (truth) => (truth.kind === 'batch' ? { ...truth, upTo: slot(2 ** 40) } : truth))
    fakes.put('k', '2')
    for (let i = 0; i < 10; i++) {
      fakes.tell()
      await pass(1000)
    }
    fakes.put('k', '3')
    await rounds()
    expect(seen.lines).toEqual(['k=1 v1', 'k=2 v2', 'k=3 v3'])
    expect(watch.dropped.every(({ replica }) => replica < 2)).toBe(true)
    await client.close()
  })

  it('asks another one while one lags, and does not give it up for good', async () => {
    const { fakes, client, watch, seen } = await watching()
    const [late] = fakes.serving()
    fakes.lagging.add(late ?? 0)
    fakes.put('k', '1')
    await rounds()
    expect(seen.lines).toEqual([])
    await pass(WATCH_STALL_MS + 1000)
    expect(seen.lines).toEqual(['k=1 v1'])
    await pass(WATCH_STALL_MS + 1000)
    expect(watch.dropped).toEqual([{ replica: late, reason: 'watch-stalled' }])
    expect(fakes.serving()).toHaveLength(2)
    await client.close()
  })

  it('goes on with others when links break, and waits when there are too few', async () => {
    const { fakes, client, seen } = await watching()
    for (const replica of [0, 1, 2]) {
      fakes.cluster.cut(replica)
      fakes.replicas[replica]?.watches.down(fakes.replicas[replica].link)
    }
    fakes.put('k', '1')
    await rounds()
    expect(seen.lines).toEqual([])
    fakes.cluster.raise(1)
    await rounds()
    expect(seen.lines).toEqual(['k=1 v1'])
    await client.close()
  })

  it('gives a replica no more credit than its reader has read for', async () => {
    const fakes = new WatchFakes()
    const client = await fakes.cluster.connect()
    const watch = client.watch({ prefix: 'k' }, { after: 0 })
    await rounds()
    const value = 'v'.repeat(10_000)
    for (let i = 0; i < 100; i++) fakes.put(`k${i}`, value)
    await rounds()
    const told = fakes
      .serving()
      .map((replica) => fakes.cluster.sent.filter(({ to, frame }) => to === replica && frame.kind === 'credit'))
    expect(told.flat()).toEqual([])
    const seen = follow(watch)
    await rounds(100)
    fakes.tell()
    await rounds(100)
    expect(seen.slots).toHaveLength(100)
    const credits = fakes.cluster.sent.flatMap(({ frame }) => (frame.kind === 'credit' ? frame.credits : []))
    expect(credits.every(({ more }) => more >= WATCH_WINDOW_BYTES / 4)).toBe(true)
    await client.close()
  })

  it('gives one up that tells more than it has credit for', async () => {
    const fakes = new WatchFakes()
    const client = await fakes.cluster.connect()
    const watch = client.watch({ prefix: 'k' }, { after: 0 })
    await rounds()
    const [greedy] = fakes.serving()
    const replica = fakes.replicas[greedy ?? 0]
    for (const { to, frame } of fakes.cluster.sent) {
      if (to === greedy && frame.kind === 'watch') replica?.watches.credit(replica.link, [{ id: frame.id, more: 1e9 }])
    }
    const value = 'v'.repeat(10_000)
    for (let i = 0; i < 100; i++) fakes.put(`k${i}`, value)
    await rounds()
    expect(watch.dropped).toEqual([{ replica: greedy, reason: 'watch-overdrawn' }])
    await client.close()
  })

  it('ends when a quorum no longer has what it needs, and says from where there is something', async () => {
    const fakes = new WatchFakes()
    fakes.put('k', '1')
    fakes.put('k', '2')
    for (const [index, { log }] of fakes.replicas.entries()) log.restart(2 + index)
    for (const index of [1, 2, 3]) fakes.lagging.add(index)
    fakes.lagging.add(0)
    const { seen } = await watching({ after: 0 }, fakes)
    await rounds(30)
    expect(seen.error).toBeInstanceOf(WatchEnded)
    // Two say that they have slots from 4 on, or earlier ones.
    expect(seen.error).toMatchObject({ code: 'fell-behind', firstSlot: 4 })
  })

  it('is not ended by one liar that says so', async () => {
    const fakes = new WatchFakes()
    fakes.lies.set(0, ({ id }) => ({ kind: 'ended', id, code: 'fell-behind', firstSlot: slot(9) }))
    fakes.lies.set(1, (truth) => truth)
    const { client, seen } = await watching({ after: 0 }, fakes)
    fakes.put('k', '1')
    await rounds(30)
    expect(seen).toMatchObject({ lines: ['k=1 v1'], done: false })
    await client.close()
  })

  it('without a slot begins at one that t replicas have executed, whatever a liar says', async () => {
    const fakes = new WatchFakes()
    for (let i = 0; i < 5; i++) fakes.put('k', `${i}`)
    fakes.replicas[0]?.log.restart(1_000_000)
    fakes.lagging.add(0)
    const { client, watch, seen } = await watching({}, fakes)
    await rounds(30)
    expect(await watch.started).toBe(5)
    fakes.put('k', 'new')
    await pass(2 * WATCH_STALL_MS)
    expect(seen.lines).toEqual(['k=new v6'])
    await client.close()
  })

  it('ends with the reason of its signal, and refuses what cannot be', async () => {
    const fakes = new WatchFakes()
    const abort = new AbortController()
    const { client, seen } = await watching({ after: 0, signal: abort.signal }, fakes)
    const reason = new Error('enough')
    abort.abort(reason)
    await rounds()
    expect(seen).toMatchObject({ done: true, error: reason })
    expect(fakes.serving()).toEqual([])
    expect(() => client.watch({ key: 'k' }, { replica: replicaIndex(7) })).toThrow(
      'replica: expected an index below 4, got 7',
    )
    expect(() => client.watch({ key: 'k' }, { after: -1 })).toThrow(RangeError)
    await client.close()
  })
})
