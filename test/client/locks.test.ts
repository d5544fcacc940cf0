// Leases, locks and elections through the SDK, against replicas in this process: real shell, real core, wires and disks in memory.

import { afterEach, describe, expect, it } from 'vitest'
import { fromUtf8, utf8 } from '../../crypto/index.ts'
import {
  type Client,
  ClientError,
  compareFencing,
  connect,
  elect,
  leaderOf,
  lock,
  observeLeader,
  verifyFencingToken,
} from '../../src/client/index.ts'
import { lockKey } from '../../src/machine/index.ts'
import { seedNamed, signerNamed } from '../keys/sample.ts'
import { MemoryCluster, type MemoryClusterOptions, until } from '../replica/memory-cluster.ts'

/** The machine's leases are longer than the owner's by twice this. */
const DRIFT = 400
const TTL = 1500

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
  cluster = new MemoryCluster({ parameters: { clockDriftMs: DRIFT }, ...options })
  await cluster.start()
  return cluster
}

/** `admin` may do with leases of others what it likes; for contenders two of one kind would do as well. */
async function clientOf(c: MemoryCluster, name = 'writer-1'): Promise<Client> {
  const key = signerNamed(`client ${name}`)
  const seed = seedNamed(`client ${name}`)
  const client = await connect({ genesis: c.genesis, key, seed, transport: c.network.client(key.publicKey) })
  clients.push(client)
  return client
}

/** Resolves when the lease can no longer be counted on. */
function lost(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}

async function gone(client: Client, key: string | Uint8Array): Promise<void> {
  while ((await client.get(key)).value !== undefined) await new Promise((resolve) => setTimeout(resolve, 20))
}

describe('a lease', () => {
  it('ends with its keys in a cluster that nobody asks anything, once its owner stopped to keep it alive', async () => {
    const c = await started()
    const client = await clientOf(c)
    const lease = await client.leases.grant({ ttlMs: TTL })
    const { slot } = await client.put('k', 'v', { lease })
    expect((await client.get('k')).value).toMatchObject({ lease: lease.id })
    lease.close()
    expect(lease.lost.aborted).toBe(true)
    // Two entries beyond the put: the read above, and one that nobody asked for.
    await until(() => c.running.every((each) => each.status().executed >= slot + 2))
    expect((await client.get('k')).value).toBeUndefined()
  })

  it('is kept alive by itself, across the end of the leader', async () => {
    const c = await started()
    const client = await clientOf(c)
    const kept = await client.leases.grant({ ttlMs: 4 * TTL })
    const canary = await client.leases.grant({ ttlMs: 4 * TTL })
    await client.put('kept', 'v', { lease: kept })
    await client.put('canary', 'v', { lease: canary })
    canary.close()
    await c.stop(0)
    await gone(client, 'canary')
    expect((await client.get('kept')).value).toMatchObject({ version: 1 })
    expect(kept.lost.aborted).toBe(false)
    expect(Math.max(...c.running.map((each) => each.status().view))).toBeGreaterThan(0)
  })

  it('is lost to its owner before the cluster ends it, where the owner cannot reach the cluster', async () => {
    const c = await started()
    const [owner, other] = [await clientOf(c), await clientOf(c, 'admin')]
    const lease = await owner.leases.grant({ ttlMs: TTL })
    await owner.put('k', 'v', { lease })
    // Its keep-alives get nowhere.
    const before = owner.kv.bind(owner)
    Object.assign(owner, {
      kv: (...given: Parameters<Client['kv']>) =>
        given[0].kind === 'lease-keep-alive' ? Promise.reject(new ClientError('closed', 'cut')) : before(...given),
    })
    await lost(lease.lost)
    expect(lease.lost.reason).toMatchObject({ code: 'lease-lost' })
    expect((await other.get('k')).value).toMatchObject({ version: 1 })
    await gone(other, 'k')
  })

  it('ends at once when it is revoked, as often as that is asked', async () => {
    const c = await started()
    const client = await clientOf(c)
    const lease = await client.leases.grant({ ttlMs: 60_000 })
    await client.put('k', 'v', { lease })
    await Promise.all([lease.revoke(), lease.revoke()])
    await lease.revoke()
    expect((await client.get('k')).value).toBeUndefined()
    expect(lease.lost.aborted).toBe(true)
    await expect(lease.keepAlive()).rejects.toMatchObject({ code: 'lease-lost' })
    await expect(client.put('k', 'v', { lease })).rejects.toMatchObject({ detail: 'lease-not-found' })
  })

  it('that an admin ended is lost to its owner with the next keep-alive', async () => {
    const c = await started()
    const [owner, admin] = [await clientOf(c), await clientOf(c, 'admin')]
    const lease = await owner.leases.grant({ ttlMs: 60_000 })
    await admin.kv({ kind: 'lease-revoke', lease: lease.id })
    await expect(lease.keepAlive()).rejects.toMatchObject({ detail: 'lease-not-found' })
    expect(lease.lost.aborted).toBe(true)
  })

  it('is not granted for a time out of range', async () => {
    const c = await started()
    const client = await clientOf(c)
    for (const ttlMs of [0, 99, 1.5, Number.NaN, 40 * 24 * 3_600_000]) {
      await expect(client.leases.grant({ ttlMs })).rejects.toThrow(RangeError)
    }
  })
})

describe('a lock', () => {
  it('goes from the one who releases it to the one who waits, with a greater token', async () => {
    const c = await started()
    const [a, b] = [await clientOf(c), await clientOf(c, 'admin')]
    const first = await lock(a, 'db', { ttlMs: 60_000, value: 'a' })
    let waiting = true
    const second = lock(b, 'db', { ttlMs: 60_000 }).finally(() => {
      waiting = false
    })
    expect(fromUtf8((await b.get(lockKey('lock', 'db'))).value?.value ?? new Uint8Array(0))).toBe('a')
    expect(waiting).toBe(true)
    await first.release()
    await first.release()
    const { token, lost: signal } = await second
    expect(compareFencing(first.token, token)).toBeLessThan(0)
    expect(token.slot).toBeGreaterThan(first.token.slot)
    expect([first.lost.aborted, signal.aborted]).toEqual([true, false])
  })

  it('of a holder that is gone goes to the next one after its time, and the stale token is the smaller one', async () => {
    const c = await started()
    const [a, b] = [await clientOf(c), await clientOf(c, 'admin')]
    const first = await lock(a, 'db', { ttlMs: TTL })
    const order: string[] = []
    first.lost.addEventListener('abort', () => order.push('lost'))
    const second = lock(b, 'db', { ttlMs: 60_000 }).then((held) => {
      order.push('taken')
      return held
    })
    await a.close()
    const { token } = await second
    expect(order).toEqual(['lost', 'taken'])
    const options = { genesis: c.genesis, name: 'db' }
    const [old, fresh] = await Promise.all([first.token, token].map(({ bytes }) => verifyFencingToken(bytes, options)))
    if (!old?.ok || !fresh?.ok) throw new Error('a token was refused')
    expect(compareFencing(old.value, fresh.value)).toBeLessThan(0)
    expect(old.value).toMatchObject({ holder: a.publicKey, slot: first.token.slot, revision: first.token.revision })
    expect(fresh.value).toMatchObject({ holder: b.publicKey, slot: token.slot, revision: token.revision })
  })

  it('is held by one at a time, however many want it', async () => {
    const c = await started()
    const contenders = [await clientOf(c), await clientOf(c, 'admin')]
    let holders = 0
    const slots: number[] = []
    const turns = [0, 1, 0, 1, 0].map(async (who) => {
      const client = contenders[who]
      if (client === undefined) throw new Error('no such client')
      const held = await lock(client, 'db', { ttlMs: 60_000 })
      holders++
      expect(holders).toBe(1)
      slots.push(held.token.slot)
      await client.put('work', String(held.token.slot))
      holders--
      await held.release()
    })
    await Promise.all(turns)
    expect(slots).toEqual([...slots].sort((x, y) => x - y))
    expect(new Set(slots).size).toBe(5)
  })

  it('is not waited for any longer once the signal is aborted, and nothing of it stays', async () => {
    const c = await started()
    const [a, b] = [await clientOf(c), await clientOf(c, 'admin')]
    const held = await lock(a, 'db', { ttlMs: 60_000 })
    const stop = new AbortController()
    const waiting = lock(b, 'db', { ttlMs: 60_000, signal: stop.signal })
    const refused = expect(waiting).rejects.toThrow()
    stop.abort(new Error('no more'))
    await refused
    await held.release()
    expect((await a.get(lockKey('lock', 'db'))).value).toBeUndefined()
    await expect(lock(a, '', {})).rejects.toThrow(RangeError)
  })

  it('is taken though the leader lies to everybody', async () => {
    const c = await started({ liars: { 0: 'equivocate' } })
    const held = await lock(await clientOf(c), 'db', { ttlMs: 60_000 })
    expect(await verifyFencingToken(held.token.bytes, { genesis: c.genesis, name: 'db' })).toMatchObject({ ok: true })
    await held.release()
  })
})

describe('an election', () => {
  it('has one leader, who is seen by the others, and another one after it resigned', async () => {
    const c = await started()
    const [a, b] = [await clientOf(c), await clientOf(c, 'admin')]
    const stop = new AbortController()
    const seen: (string | undefined)[] = []
    const watching = (async () => {
      for await (const leader of observeLeader(b, 'boss', { signal: stop.signal })) {
        seen.push(leader && fromUtf8(leader.value))
      }
    })().catch(() => {})
    expect(await leaderOf(a, 'boss')).toBeUndefined()
    const first = await elect(a, 'boss', { ttlMs: 60_000, value: 'a' })
    await until(() => seen.includes('a'))
    const second = elect(b, 'boss', { ttlMs: 60_000, value: utf8('b') })
    await first.resign()
    const { token } = await second
    await until(() => seen.includes('b'))
    stop.abort()
    await watching
    expect(seen.filter((each, i) => each === seen[i - 1] && i > 0)).toEqual([])
    expect(compareFencing(first.token, token)).toBeLessThan(0)
    const options = { genesis: c.genesis, name: 'boss' }
    expect((await verifyFencingToken(token.bytes, { ...options, kind: 'election' })).ok).toBe(true)
    expect((await verifyFencingToken(token.bytes, options)).ok).toBe(false)
  })
})
