// Reads through the SDK from whole replicas, with liars among them: nothing gets stuck, and every history is linearizable.

import { afterEach, describe, expect, it } from 'vitest'
import { fromUtf8, replicaIndex, utf8 } from '../../crypto/index.ts'
import { type Client, connect, type Read } from '../../src/client/index.ts'
import type { KeyValue } from '../../src/machine/index.ts'
import { checkLinearizability, type Operation } from '../../src/simulation/index.ts'
import { seedNamed, signerNamed } from '../keys/sample.ts'
import { lyingTransport, type ReadLie } from './lying-reads.ts'
import { MemoryCluster, type MemoryClusterOptions, until } from './memory-cluster.ts'

const QUORUM = { read: 'quorum' } as const

let cluster: MemoryCluster | undefined
let clients: Client[] = []

afterEach(async () => {
  for (const client of clients) await client.close()
  clients = []
  await cluster?.close()
  expect(cluster?.fatal).toEqual([])
  cluster = undefined
})

async function started(options: MemoryClusterOptions, lies: Readonly<Record<number, ReadLie>> = {}) {
  // Long enough that a busy machine does not make every read one through the log.
  const made = new MemoryCluster({ ...options, parameters: { viewTimeoutMs: 1000, ...options.parameters } })
  cluster = made
  for (const [i] of made.replicas.entries()) {
    const lie = lies[i]
    const transport = made.network.replica(replicaIndex(i))
    await made.startWith(i, lie === undefined ? {} : { transport: lyingTransport(transport, lie) })
  }
  return made
}

async function sdk(of: MemoryCluster, name: string): Promise<Client> {
  const key = signerNamed(`client ${name}`)
  const transport = of.network.client(key.publicKey)
  const client = await connect({ genesis: of.genesis, key, seed: seedNamed(`client ${name}`), transport })
  clients.push(client)
  await until(() => client.connected().length === of.running.length)
  return client
}

/** What workers asked and were told. */
class History {
  readonly operations: Operation[] = []
  quorum = 0
  private values = 0

  async put(client: Client, worker: number, key: string): Promise<void> {
    const value = `v${++this.values}`
    const invokedUs = nowUs()
    const { slot, receipt } = await client.put(key, value)
    this.add(worker, {
      command: { kind: 'put', key, value },
      invokedUs,
      answer: { kind: 'put' },
      slot,
      index: receipt.index,
    })
  }

  async get(client: Client, worker: number, key: string): Promise<Read<KeyValue | undefined>> {
    const invokedUs = nowUs()
    const read = await client.get(key, QUORUM)
    if (read.evidence.mode === 'quorum') this.quorum++
    const value = read.value === undefined ? undefined : (fromUtf8(read.value.value) ?? 'no text')
    // Behind all that its slot holds, as a hint for the search.
    this.add(worker, {
      command: { kind: 'get', key },
      invokedUs,
      answer: { kind: 'get', value },
      slot: read.slot,
      index: 2 ** 20,
    })
    return read
  }

  get verdict() {
    return checkLinearizability(this.operations)
  }

  private add(client: number, about: Pick<Operation, 'command' | 'invokedUs' | 'answer' | 'slot' | 'index'>): void {
    const sequence = this.operations.length + 1
    this.operations.push({ client, sequence, returnedUs: nowUs(), outcome: 'done', givenUp: false, ...about })
  }
}

function nowUs(): number {
  return Math.floor(performance.now() * 1000)
}

describe('reads from a quorum of whole replicas', () => {
  it.each([
    [{ replicas: 4, byzantine: 1 }, 3],
    [{ replicas: 3, byzantine: 0, crash: 1 }, 2],
  ])('see every write that was acknowledged before, and leave the log alone: %o', async (options, quorum) => {
    const c = await started(options)
    const client = await sdk(c, 'writer-1')
    for (let i = 0; i < 10; i++) {
      const { slot } = await client.put('k', `v${i}`)
      const read = await client.get('k', QUORUM)
      expect(read.value?.value).toEqual(utf8(`v${i}`))
      expect(read.slot).toBeGreaterThanOrEqual(slot)
      if (read.evidence.mode === 'quorum') expect(read.evidence.replicas.length).toBe(quorum)
    }
    const { chosen } = c.status(0)
    const modes = new Set(
      (await Promise.all(Array.from({ length: 50 }, () => client.get('k', QUORUM)))).map((r) => r.evidence.mode),
    )
    expect(modes).toEqual(new Set(['quorum']))
    expect(c.status(0).chosen).toBe(chosen)
  })

  it('go on while c of them are stopped, and through the log where too few answer', async () => {
    const c = await started({ replicas: 6, byzantine: 1, crash: 1 })
    const client = await sdk(c, 'writer-1')
    await client.put('k', 'v')
    await c.stop(5)
    expect((await client.get('k', QUORUM)).value?.value).toEqual(utf8('v'))
  })
})

describe('P44: a leader that keeps correct replicas out, and liars that are silent or answer old values', () => {
  it.each([
    ['silent', { replicas: 4, byzantine: 1 }, { 0: { reads: 'silent', excluded: [3] } }],
    ['old', { replicas: 4, byzantine: 1 }, { 0: { reads: 'old', excluded: [3] } }],
    [
      'old',
      { replicas: 7, byzantine: 2 },
      { 0: { reads: 'old', excluded: [5, 6] }, 1: { reads: 'silent', excluded: [5, 6] } },
    ],
  ] as const)(
    'neither reads nor writes get stuck, and the history is linearizable: %s, %o',
    async (_, options, lies) => {
      const c = await started(options, lies)
      const client = await sdk(c, 'writer-1')
      const other = await sdk(c, 'admin')
      const history = new History()
      await Promise.all([
        (async () => {
          for (let i = 0; i < 15; i++) {
            await history.put(client, 0, 'k')
            await history.get(client, 0, 'k')
          }
        })(),
        (async () => {
          for (let i = 0; i < 15; i++) await history.get(other, 1, 'k')
        })(),
      ])
      expect(history.operations).toHaveLength(45)
      expect(history.verdict).toEqual({ kind: 'linearizable' })
    },
  )

  it('t equal answers, of a liar and of a replica that was kept out, do not make a read old', async () => {
    const c = await started({ replicas: 4, byzantine: 1 }, { 0: { reads: 'old', excluded: [3] } })
    const client = await sdk(c, 'writer-1')
    await client.put('k', 'old')
    await until(() => c.running.every((each) => each.status().executed >= 1))
    expect((await client.get('k', QUORUM)).value?.value).toEqual(utf8('old'))
    for (const peer of [0, 1, 2]) c.network.cut(replicaIndex(3), replicaIndex(peer))
    await client.put('k', 'new')
    const read = await client.get('k', QUORUM)
    expect(read.value?.value).toEqual(utf8('new'))
    expect(read.evidence.mode).toBe('ordered')
  })
})

describe('concurrent writers and readers, while a replica comes and goes and a liar answers old values', () => {
  it('leave a linearizable history', async () => {
    const c = await started({ replicas: 4, byzantine: 1 }, { 0: { reads: 'old', excluded: [3] } })
    const history = new History()
    const workers = await Promise.all(['writer-1', 'admin'].map((name) => sdk(c, name)))
    let running = workers.length * 4
    const work = workers.flatMap((client, i) =>
      Array.from({ length: 4 }, async (_, j) => {
        for (let n = 0; n < 25; n++) {
          const key = `k${(n + j) % 3}`
          if ((n + i + j) % 3 === 0) await history.put(client, 4 * i + j, key)
          else await history.get(client, 4 * i + j, key)
        }
        running--
      }),
    )
    for (let cut = false; running > 0; cut = !cut) {
      for (const peer of [0, 1, 2]) {
        if (cut) c.network.heal(replicaIndex(3), replicaIndex(peer))
        else c.network.cut(replicaIndex(3), replicaIndex(peer))
      }
      const before = history.operations.length
      await until(() => running === 0 || history.operations.length >= before + 12)
    }
    await Promise.all(work)
    expect(history.verdict).toEqual({ kind: 'linearizable' })
    // Both kinds were there, or the test says little.
    expect(history.quorum).toBeGreaterThan(0)
  })
})

describe('stale reads from whole replicas', () => {
  it('are proven under the newest checkpoint, once there is one', async () => {
    const c = await started({ replicas: 4, byzantine: 1 })
    const client = await sdk(c, 'writer-1')
    await expect(client.get('k', { read: 'stale' })).rejects.toMatchObject({ code: 'no-checkpoint' })
    for (let i = 1; i <= 8; i++) await client.put('k', `v${i}`)
    await until(() => c.running.every((each) => each.status().stable >= 8))
    await client.put('k', 'later')
    const read = await client.get('k', { read: { mode: 'stale', maxAgeMs: 600_000 } })
    expect(read).toMatchObject({ slot: 8, value: { value: utf8('v8') }, evidence: { mode: 'stale' } })
    expect(await client.get('none', { read: 'stale' })).toMatchObject({ slot: 8, value: undefined })
    const restarted = replicaIndex(2)
    await c.stop(0, 1, 2, 3)
    await c.start(restarted)
    expect(await client.get('k', { read: 'stale' })).toMatchObject({ slot: 8, evidence: { replica: restarted } })
  })
})
