import { afterEach, describe, expect, it } from 'vitest'
import { replicaIndex } from '../../crypto/index.ts'
import type { ReplicaTransport } from '../../net/index.ts'
import { SHELL_LIMITS } from '../../src/replica/limits.ts'
import { ReplicaProcess } from '../../src/replica/replica.ts'
import { emptyContents, memoryStore } from '../../src/storage/index.ts'
import { decodeMessage } from '../../src/wire/index.ts'
import { altered } from './altered-store.ts'
import { keysOf, MemoryCluster, until } from './memory-cluster.ts'

let cluster: MemoryCluster | undefined

afterEach(async () => {
  await cluster?.close()
  cluster = undefined
})

describe('persist before send', () => {
  it('holds every vote, proposal and note back until the store says that its records are durable', async () => {
    const held: (() => void)[] = []
    let holding = true
    cluster = new MemoryCluster({
      wrapStore: (replica, store) =>
        replica !== 0
          ? store
          : altered(store, {
              append: (records, done) => store.append(records, () => (holding ? held.push(done) : done())),
            }),
    })
    const c = cluster
    const sent: string[] = []
    const transport = spied(c.network.replica(replicaIndex(0)), (frame) => {
      const message = decodeMessage(frame)
      sent.push(message.ok ? message.value.message.kind : 'unknown')
    })
    await c.start(1, 2, 3)
    await c.startWith(0, { transport })
    const client = await c.client()
    const requests = client.bundle([client.put('k', 'v')])
    client.send(requests, 0)
    await until(() => held.length > 0 && sent.filter((kind) => kind === 'heartbeat').length > 12)
    const binding = ['vote', 'propose', 'view-change', 'new-view', 'checkpoint']
    expect(sent.filter((kind) => binding.includes(kind))).toEqual([])
    holding = false
    for (const done of held.splice(0)) done()
    await until(() => sent.some((kind) => binding.includes(kind)))
  })
})

function spied(inner: ReplicaTransport, seen: (frame: Uint8Array) => void): ReplicaTransport {
  return {
    start: (handlers, options) => inner.start(handlers, options),
    stop: () => inner.stop(),
    update: (roster) => inner.update(roster),
    send(to, channel, frame) {
      if (channel === 'consensus') seen(frame)
      return inner.send(to, channel, frame)
    },
    flush: () => inner.flush(),
    connected: (peer) => inner.connected(peer),
    get addresses() {
      return inner.addresses
    },
    counters: () => inner.counters(),
    sent: () => inner.sent(),
    queuedBytes: () => inner.queuedBytes(),
  }
}

describe('a replica that must not go on', () => {
  it('stops by itself where the disk fails, and says so once', async () => {
    cluster = new MemoryCluster()
    const c = cluster
    const fatal: Error[] = []
    let fail: ((error: Error) => void) | undefined
    const replica = new ReplicaProcess(
      {
        ...{ genesis: c.genesis, keys: keysOf(0), data: 'memory-0', create: true },
        transport: c.network.replica(replicaIndex(0)),
        onFatal: (error) => fatal.push(error),
      },
      {
        openStore: async (options) => {
          fail = options.onFailure
          // The disk hangs: nothing that waits for it ever ends.
          return altered(memoryStore(), { close: () => new Promise(() => {}) })
        },
        limits: SHELL_LIMITS,
      },
    )
    await replica.start()
    fail?.(new Error('no space left on device'))
    fail?.(new Error('and again'))
    await until(() => fatal.length > 0)
    expect(fatal.map(({ message }) => message)).toEqual(['no space left on device'])
    await replica.stop()
  })

  it('stops by itself where an assertion of its own breaks', async () => {
    cluster = new MemoryCluster({
      wrapStore: (replica, store) =>
        replica !== 3
          ? store
          : altered(store, {
              append: () => {
                throw new Error('an assertion')
              },
            }),
    })
    const c = cluster
    await c.start()
    const client = await c.client()
    await client.submit([client.put('k', 'v')])
    await until(() => c.fatal.length > 0)
    expect(c.fatal.map(({ message }) => message)).toEqual(['an assertion'])
    await client.submit([client.put('k', 'w')])
  })
})

describe('the life cycle', () => {
  it('takes start and stop twice, and starts no second life', async () => {
    cluster = new MemoryCluster()
    const replica = cluster.make(0)
    expect(() => replica.status()).toThrow('before it was started')
    await Promise.all([replica.start(), replica.start()])
    await Promise.all([replica.stop(), replica.stop()])
    await expect(replica.start()).rejects.toThrow('make another one')
  })

  it('gives the store back where it is stopped while it starts, or its signal is aborted', async () => {
    cluster = new MemoryCluster()
    let closed = 0
    const made = () =>
      new ReplicaProcess(
        {
          ...{ genesis: cluster?.genesis ?? never(), keys: keysOf(0), data: 'memory-0', create: true },
          transport: cluster?.network.replica(replicaIndex(0)) ?? never(),
        },
        {
          openStore: async () => {
            const store = memoryStore({ contents: emptyContents() })
            return altered(store, {
              close: async () => {
                closed++
                await store.close()
              },
            })
          },
          limits: SHELL_LIMITS,
        },
      )
    const replica = made()
    const starting = replica.start()
    await replica.stop()
    await expect(starting).rejects.toThrow('stopped while it started')
    expect(closed).toBe(1)
    const abort = new AbortController()
    const aborted = made().start({ signal: abort.signal })
    abort.abort(new Error('enough'))
    await expect(aborted).rejects.toThrow('enough')
    expect(closed).toBe(2)
  })
})

function never(): never {
  throw new Error('unreachable')
}
