// Watches that follow the whole log of one real replica: from the first slot, from the state of a checkpoint, while it is restarted, and
// beside a replica that lies.

import { afterEach, describe, expect, it } from 'vitest'
import { replicaIndex, slot, utf8 } from '../../crypto/index.ts'
import { type Client, connect, type Watch } from '../../src/client/index.ts'
import { encodeKvCommand, FIRST_PATH } from '../../src/machine/index.ts'
import { seedNamed, signerNamed } from '../keys/sample.ts'
import { MemoryCluster, type MemoryClusterOptions, until } from '../replica/memory-cluster.ts'
import { follow, lineOf } from './watch-fakes.ts'

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

/** No view changes on a busy machine, whose no-ops would move the checkpoints on. */
const patient = { parameters: { viewTimeoutMs: 5_000 } } as const

const wholeLog = { replica: replicaIndex(2), wholeLog: true } as const

async function read(watch: Watch, count: number): Promise<string[]> {
  const lines: string[] = []
  while (lines.length < count) {
    const { done, value } = await watch.next()
    if (done) break
    lines.push(...value.events.map(lineOf))
  }
  return lines
}

describe('a watch of the whole log of one replica', () => {
  it('tells what the others tell, with certificates, and which branch was taken', async () => {
    const c = await started()
    const client = await connected(c)
    const watch = client.watch({ prefix: 'a/' }, { ...wholeLog, after: 0 })
    const twin = client.watch({ prefix: 'a/' }, { after: 0 })
    await client.put('a/1', 'x')
    await client.put('b/1', 'y')
    await client.txn({
      compares: [{ target: 'value', relation: '=', key: utf8('b/1'), value: utf8('z') }],
      success: [{ kind: 'put', key: utf8('a/yes'), value: utf8('1'), previous: false }],
      failure: [{ kind: 'put', key: utf8('a/no'), value: utf8('1'), previous: false }],
    })
    const { slot: last } = await client.kv({ kind: 'delete-range', start: utf8('a/'), end: undefined, previous: false })
    const expected = ['a/1=x v1', 'a/no=1 v1', 'a/1 gone', 'a/no gone']
    expect(await read(twin, 4)).toEqual(expected)
    expect(await read(watch, 2)).toEqual(expected.slice(0, 2))
    const { value } = await watch.next()
    expect(value?.events.map(lineOf)).toEqual(expected.slice(2))
    expect(value).toMatchObject({ slot: last, header: { slot: last } })
    expect(value?.certificate?.signatures).toHaveLength(3)
    expect(value?.events[0]?.request?.client).toEqual(client.publicKey)
    expect(watch.position).toBe(last)
  })

  it('tells what a lease takes along when it ends by itself', async () => {
    const c = await started()
    const client = await connected(c)
    const watch = client.watch({ prefix: 'k' }, { ...wholeLog, after: 0 })
    const { value: granted } = await client.kv({ kind: 'lease-grant', ttlMs: 1_000 })
    const lease = granted.response.kind === 'lease-grant' ? granted.response.lease : 0
    await client.kv({ kind: 'put', key: utf8('k'), value: utf8('held'), previous: false, lease })
    const { value: put } = await watch.next()
    expect(put?.events.map(lineOf)).toEqual(['k=held v1'])
    const { value: gone } = await watch.next()
    expect(gone?.events.map(lineOf)).toEqual(['k gone'])
    expect(gone?.events[0]?.request).toBeUndefined()
  })

  it('begins with the state of a checkpoint where the log before it is gone', async () => {
    const c = await started({ limits: { snapshotSlots: 8 }, ...patient })
    const client = await connected(c)
    let last = 0
    for (let i = 0; i < 20; i++) last = (await client.put(`k${i % 3}`, 'v'.repeat(60_000))).slot
    // One replica may be behind those that answered.
    await until(() => c.status(2).firstSlot > 1 && c.status(2).executed >= last)
    const watch = client.watch({ prefix: 'k' }, wholeLog)
    const at = await watch.started
    const { slot: next } = await client.put('k1', 'after')
    expect(next).toBeGreaterThan(at)
    // Its version shows that the state before it is known.
    expect(await read(watch, 1)).toEqual(['k1=after v8'])
    const early = client.watch({ prefix: 'k' }, { ...wholeLog, after: 0 })
    await expect(early.next()).rejects.toMatchObject({ code: 'fell-behind' })
  })

  it('goes on where it was while the replica is restarted, and from a slot in another client', async () => {
    const c = await started({ retention: { slots: 1_000 } })
    const client = await connected(c)
    const watch = client.watch({ key: 'k' }, { ...wholeLog, after: 0 })
    await client.put('k', '1')
    expect(await read(watch, 1)).toEqual(['k=1 v1'])
    await c.stop(2)
    await client.put('k', '2')
    await c.start(2)
    await client.put('k', '3')
    expect(await read(watch, 2)).toEqual(['k=2 v2', 'k=3 v3'])
    for (let i = 0; i < 10; i++) await client.put('k', `${4 + i}`)
    const second = await connected(c, 'client admin')
    const later = second.watch({ key: 'k' }, { ...wholeLog, after: watch.position ?? -1 })
    expect((await read(later, 10)).slice(0, 2)).toEqual(['k=4 v4', 'k=5 v5'])
    expect(watch.dropped).toEqual([])
  })

  it('keeps a state for whoever fetches it while checkpoints pass', async () => {
    const c = await started(patient)
    const [client, fetcher] = [await connected(c), await c.client('admin')]
    for (let i = 0; i < 10; i++) await client.put('k', `${i}`)
    await until(() => c.status(2).stable > 0)
    const ask = async (atMost: number) => {
      const [answer] = await fetcher.ask(2, { kind: 'state', atMost: slot(atMost), path: FIRST_PATH })
      return answer?.kind === 'state' ? answer.part?.checkpoint.slot : undefined
    }
    const at = (await ask(1_000)) ?? 0
    expect(at).toBeGreaterThan(0)
    for (let i = 0; i < 60; i++) {
      await client.put('k', `${i}`)
      expect(await ask(at)).toBe(at)
    }
    // One replica may be behind those that answered.
    await until(() => c.status(2).stable > at + 40)
    expect(await ask(1_000)).toBeGreaterThan(at + 40)
  })

  it('tells a slow reader everything later', async () => {
    const c = await started({ retention: { slots: 1_000 } })
    const client = await connected(c)
    const value = 'v'.repeat(20_000)
    const keys = Array.from({ length: 40 }, (_, i) => `k${i}`)
    const slow = client.watch({ prefix: 'k' }, { ...wholeLog, after: 0 })
    for (const key of keys) await client.put(key, value)
    expect(await read(slow, keys.length)).toEqual(keys.map((key) => `${key}=${value} v1`))
  })

  it('ends where nothing young enough is told, and is refused without a replica', async () => {
    const c = await started()
    const client = await connected(c)
    const { slot: first } = await client.put('k', '1')
    await until(() => c.status(2).executed >= first)
    const watch = client.watch({ key: 'k' }, { ...wholeLog, after: 0, maxAgeMs: 1 })
    const seen = follow(watch)
    await until(() => seen.done)
    expect(seen.lines).toEqual(['k=1 v1'])
    expect(seen.error).toMatchObject({ code: 'too-old' })
    expect(() => client.watch({ key: 'k' }, { wholeLog: true })).toThrow('name the replica')
    expect(() => client.watch({ key: 'k' }, { maxAgeMs: 1 })).toThrow('only with wholeLog')
  })

  it('of a machine that is not the key-value store says so', async () => {
    const c = await started({ machine: () => other })
    const client = await connected(c)
    await client.submit(encodeKvCommand({ kind: 'get', key: utf8('k') })).catch(() => undefined)
    for (let i = 0; i < 10; i++) await client.submit(utf8('x'))
    await until(() => c.status(2).stable > 0)
    const watch = client.watch({ key: 'k' }, wholeLog)
    await expect(watch.next()).rejects.toThrow('not the key-value store')
  })
})

const other = { name: 'other', apply: () => new Uint8Array(0) }
