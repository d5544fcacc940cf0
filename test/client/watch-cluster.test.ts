// Watches over replicas in one process: what a watcher sees while replicas stop, start and lag is exactly what happened.

import fc from 'fast-check'
import { afterEach, describe, expect, it } from 'vitest'
import { fromUtf8, replicaIndex, utf8 } from '../../crypto/index.ts'
import { type Client, connect, type Watch, WatchEnded, type WatchEvent } from '../../src/client/index.ts'
import { type KvCommand, type Operation, prefixRange } from '../../src/machine/index.ts'
import { seedNamed, signerNamed } from '../keys/sample.ts'
import { MemoryCluster, type MemoryClusterOptions, until } from '../replica/memory-cluster.ts'

let cluster: MemoryCluster | undefined
let clients: Client[] = []

afterEach(async () => {
  for (const client of clients) await client.close()
  clients = []
  await cluster?.close()
  expect(cluster?.fatal).toEqual([])
  cluster = undefined
})

async function started(options: MemoryClusterOptions = {}): Promise<MemoryCluster> {
  cluster = new MemoryCluster(options)
  await cluster.start()
  return cluster
}

async function connected(c: MemoryCluster, name = 'client writer-1'): Promise<Client> {
  const key = signerNamed(name)
  const transport = c.network.client(key.publicKey)
  const client = await connect({ genesis: c.genesis, key, seed: seedNamed(name), transport })
  clients.push(client)
  return client
}

function lineOf(event: WatchEvent): string {
  const key = fromUtf8(event.key)
  return event.kind === 'put' ? `${key}=${fromUtf8(event.value)} v${event.version}` : `${key} gone`
}

/** Reads until so many events came. */
async function read(watch: Watch, count: number): Promise<string[]> {
  const lines: string[] = []
  while (lines.length < count) {
    const { done, value } = await watch.next()
    if (done) break
    lines.push(...value.events.map(lineOf))
  }
  return lines
}

describe('a watch', () => {
  it('tells puts, deletes and transactions of a prefix, in order, with who did it and the certificate', async () => {
    const c = await started()
    const client = await connected(c)
    const watch = client.watch({ prefix: 'a/' }, { after: 0 })
    await client.put('a/1', 'x')
    await client.put('b/1', 'y')
    await client.put('a/1', 'z')
    await client.kv({
      ...{ kind: 'txn', compares: [], failure: [] },
      success: [
        { kind: 'put', key: utf8('a/2'), value: utf8('t'), previous: false },
        { kind: 'delete', key: utf8('a/1'), previous: false },
      ],
    })
    const { slot } = await client.kv({ kind: 'delete-range', start: utf8('a/'), end: undefined, previous: false })
    expect(await read(watch, 3)).toEqual(['a/1=x v1', 'a/1=z v2', 'a/2=t v1', 'a/1 gone'])
    const { value } = await watch.next()
    expect(value?.events.map(lineOf)).toEqual(['a/2 gone'])
    expect(value).toMatchObject({ slot, header: { slot } })
    expect(value?.certificate?.signatures).toHaveLength(3)
    expect(value?.events[0]?.request?.client).toEqual(client.publicKey)
    expect(watch.position).toBeGreaterThanOrEqual(slot)
    watch.close()
    expect(await watch.next()).toEqual({ done: true, value: undefined })
  })

  it('without a slot begins with what comes after it has started', async () => {
    const c = await started()
    const client = await connected(c)
    const { slot } = await client.put('k', 'before')
    const watch = client.watch({ key: 'k' })
    expect(await watch.started).toBeGreaterThanOrEqual(slot)
    await client.put('kk', 'other')
    await client.put('k', 'after')
    expect(await read(watch, 1)).toEqual(['k=after v2'])
  })

  it('of one replica alone tells the same, and bears it out', async () => {
    const c = await started()
    const client = await connected(c)
    const watch = client.watch({ prefix: '' }, { after: 0, replica: replicaIndex(2) })
    for (let i = 0; i < 4; i++) await client.put(`k${i % 2}`, `${i}`)
    await client.delete('k0')
    expect(await read(watch, 5)).toEqual(['k0=0 v1', 'k1=1 v1', 'k0=2 v2', 'k1=3 v2', 'k0 gone'])
    expect(watch.dropped).toEqual([])
  })
})

describe('a watch goes on without gap or duplicate', () => {
  it('while every replica is restarted in turn, the leader among them', async () => {
    const c = await started({ limits: { snapshotSlots: 16 } })
    const client = await connected(c)
    const watch = client.watch({ prefix: 'k' }, { after: 0 })
    const lines: string[] = []
    let count = 0
    for (const replica of [0, 1, 2, 3]) {
      for (let i = 0; i < 3; i++) await client.put('k', `${++count}`)
      await c.stop(replica)
      for (let i = 0; i < 3; i++) await client.put('k', `${++count}`)
      lines.push(...(await read(watch, 6)))
      await c.start(replica)
      await until(() => client.connected().length === 4)
    }
    expect(lines).toEqual(Array.from({ length: count }, (_, i) => `k=${i + 1} v${i + 1}`))
  })

  it('in another process that begins after the last position', async () => {
    const c = await started()
    const writer = await connected(c)
    const first = await connected(c, 'client admin')
    const watch = first.watch({ key: 'k' }, { after: 0 })
    for (let i = 1; i <= 6; i++) await writer.put('k', `${i}`)
    expect(await read(watch, 3)).toEqual(['k=1 v1', 'k=2 v2', 'k=3 v3'])
    const { position } = watch
    await first.close()
    const second = await connected(c, 'client admin')
    expect(await read(second.watch({ key: 'k' }, { after: position ?? -1 }), 3)).toEqual(['k=4 v4', 'k=5 v5', 'k=6 v6'])
  })
})

describe('a slow watcher', () => {
  it('takes nothing from others, and reads everything later', async () => {
    const c = await started()
    const client = await connected(c)
    const slow = client.watch({ prefix: 'k' }, { after: 0 })
    const quick = client.watch({ prefix: 'k' }, { after: 0 })
    const value = 'v'.repeat(20_000)
    const keys = Array.from({ length: 30 }, (_, i) => `k${i}`)
    const expected = keys.map((key) => `${key}=${value} v1`)
    const seen = read(quick, keys.length)
    for (const key of keys) await client.put(key, value)
    expect(await seen).toEqual(expected)
    // What waits for it here is its window and one slot more; the rest is not kept for it anywhere.
    expect(slow.position).toBeLessThan(keys.length - 5)
    expect(await read(slow, keys.length)).toEqual(expected)
  })

  it('is told that it fell behind, and from where on there is something left', async () => {
    const c = await started({ limits: { changeSlots: 8 } })
    const client = await connected(c)
    const slow = client.watch({ prefix: 'k' }, { after: 0 })
    await slow.started
    const value = 'v'.repeat(20_000)
    const slots: number[] = []
    for (let i = 0; i < 40; i++) slots.push((await client.put(`k${i}`, value)).slot)
    const lines: string[] = []
    const ended = await (async () => {
      try {
        for await (const { events } of slow) lines.push(...events.map(lineOf))
      } catch (error) {
        return error
      }
    })()
    expect(ended).toBeInstanceOf(WatchEnded)
    if (!(ended instanceof WatchEnded)) return
    expect(ended.code).toBe('fell-behind')
    expect(lines).toEqual(Array.from({ length: lines.length }, (_, i) => `k${i}=${value} v1`))
    expect(ended.firstSlot).toBeGreaterThan(slow.position ?? 0)
    // The log went on meanwhile, so whoever comes late is told so again.
    for (let after = (ended.firstSlot ?? 1) - 1; ; ) {
      const rest = await read(client.watch({ prefix: 'k' }, { after }), 1).catch((error: unknown) => error)
      if (rest instanceof WatchEnded) {
        expect(rest.firstSlot).toBeGreaterThan(after + 1)
        after = (rest.firstSlot ?? 1) - 1
        continue
      }
      expect((slots.at(-1) ?? 0) - after).toBeLessThanOrEqual(8)
      expect(rest).toEqual([`k${slots.findIndex((slot) => slot > after)}=${value} v1`])
      return
    }
  })
})

describe("a watch's events", () => {
  it('replayed give the map that the commands give (random commands)', async () => {
    const c = await started()
    const client = await connected(c)
    let run = 0
    await fc.assert(
      fc.asyncProperty(fc.array(anyCommand, { minLength: 1, maxLength: 25 }), async (shapes) => {
        const prefix = `run ${++run}/`
        const model = new Map<string, string>()
        const replayed = new Map<string, string>()
        const watches = [
          client.watch({ prefix }, { after: 0 }),
          client.watch({ prefix }, { after: 0, replica: replicaIndex(run % 4) }),
          client.watch({ prefix }, { after: 0, replica: replicaIndex(run % 4), wholeLog: true }),
        ]
        let last = 0
        for (const shape of shapes) {
          const command = shape(prefix)
          const done = await client.kv(command).catch(() => undefined)
          if (done === undefined) continue
          last = done.slot
          apply(model, command)
        }
        for (const watch of watches) {
          replayed.clear()
          while ((watch.position ?? 0) < last) {
            const next = await Promise.race([watch.next(), passed(watch, last)])
            for (const event of next?.value?.events ?? []) {
              const key = fromUtf8(event.key) ?? ''
              if (event.kind === 'put') replayed.set(key, fromUtf8(event.value) ?? '')
              else expect(replayed.delete(key)).toBe(true)
            }
          }
          watch.close()
          expect(replayed).toEqual(model)
        }
      }),
      { numRuns: 5 },
    )
  })
})

async function passed(watch: Watch, slot: number): Promise<undefined> {
  await until(() => (watch.position ?? 0) >= slot)
  return undefined
}

const anyKey = fc.constantFrom('a', 'b', 'c', 'd')
const put = fc.tuple(anyKey, fc.nat(9)).map(
  ([key, value]) =>
    (prefix: string): Operation => ({
      ...{ kind: 'put', key: utf8(prefix + key), value: utf8(`${value}`), previous: false },
    }),
)
const del = anyKey.map(
  (key) =>
    (prefix: string): Operation => ({
      ...{ kind: 'delete', key: utf8(prefix + key), previous: false },
    }),
)
const delRange = fc.tuple(anyKey, anyKey).map(
  ([from, to]) =>
    (prefix: string): Operation => ({
      ...{ kind: 'delete-range', start: utf8(prefix + from), previous: false },
      end: from < to ? utf8(prefix + to) : prefixRange(utf8(prefix)).end,
    }),
)
const anyOperation = fc.oneof(put, put, del, delRange)
const anyCommand: fc.Arbitrary<(prefix: string) => KvCommand> = fc.oneof(
  anyOperation,
  fc.array(fc.oneof(put, del), { minLength: 1, maxLength: 3 }).map(
    (operations) =>
      (prefix: string): KvCommand => ({
        ...{ kind: 'txn', compares: [], failure: [] },
        success: operations.map((operation) => operation(prefix)),
      }),
  ),
)

/** The slow twin: a plain map. */
function apply(model: Map<string, string>, command: KvCommand): void {
  if (command.kind === 'txn') for (const operation of command.success) apply(model, operation)
  if (command.kind === 'put') model.set(fromUtf8(command.key) ?? '', fromUtf8(command.value) ?? '')
  if (command.kind === 'delete') model.delete(fromUtf8(command.key) ?? '')
  if (command.kind !== 'delete-range') return
  const [start, end] = [fromUtf8(command.start) ?? '', command.end && fromUtf8(command.end)]
  for (const key of [...model.keys()]) if (key >= start && (end === undefined || key < end)) model.delete(key)
}
