// A client of real replicas over libp2p, at work while the members change.

import { afterEach, describe, expect, it } from 'vitest'
import { memberId, replicaIndex } from '../../crypto/index.ts'
import { genesisCharter } from '../../keys/charter/index.ts'
import { freePorts } from '../../src/cli/launch/ports.ts'
import { type Client, connect, lock, verifyFencingToken, type Watch } from '../../src/client/index.ts'
import type { EpochChain, StableCheckpoint } from '../../src/consensus/index.ts'
import { seedNamed, signerNamed } from '../keys/sample.ts'
import { ChangingCluster } from '../replica/changing-cluster.ts'

let cluster: ChangingCluster | undefined
const clients: Client[] = []

afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.close()))
  await cluster?.close()
  expect(cluster?.fatal).toEqual([])
  cluster = undefined
})

async function clientOf({ genesis }: ChangingCluster, name: string): Promise<Client> {
  const client = await connect({ genesis, key: signerNamed(`client ${name}`), seed: seedNamed(`client ${name}`) })
  clients.push(client)
  return client
}

/** Writes keys of their own one after another, a few at once, and reads each from a quorum, until it is told to stop. */
class Worker {
  /** Slot of each write, by its key. */
  readonly written = new Map<string, number>()
  readonly ended = new AbortController()
  private readonly lanes: Promise<void>[]

  constructor(client: Client) {
    this.lanes = [0, 1, 2].map((lane) => this.work(client, lane))
    // Told by `stop`.
    for (const lane of this.lanes) lane.catch(() => this.ended.abort())
  }

  async stop(): Promise<void> {
    this.ended.abort()
    await Promise.all(this.lanes)
  }

  private async work(client: Client, lane: number): Promise<void> {
    for (let i = 0; !this.ended.signal.aborted; i++) {
      const key = `k ${lane} ${i}`
      const { slot } = await client.put(key, key)
      const read = await client.get(key, { read: 'quorum' })
      expect(read.value).toMatchObject({ version: 1 })
      expect(read.slot).toBeGreaterThanOrEqual(slot)
      this.written.set(key, slot)
    }
  }
}

/** The keys of the next `count` events, with their slots. */
async function eventsOf(watch: Watch, count: number): Promise<[string, number][]> {
  const seen: [string, number][] = []
  while (seen.length < count) {
    const { value } = await watch.next()
    for (const event of value?.events ?? []) seen.push([new TextDecoder().decode(event.key), event.slot])
  }
  return seen
}

/** The first one that members in office have signed. */
async function checkpointOf(client: Client): Promise<StableCheckpoint> {
  for (;;) {
    const { evidence } = await client.get('held', { read: 'stale' })
    if (evidence.mode !== 'stale') throw new Error('unreachable: a stale read has a proof')
    if (evidence.checkpoint.slot > client.chain.last.start.slot) return evidence.checkpoint
  }
}

describe('a client at work', () => {
  it('loses and doubles nothing while a member is replaced, and while the cluster grows from four to seven', async () => {
    const made = new ChangingCluster({ ports: await freePorts(8) })
    cluster = made
    await made.start(0, 1, 2, 3)
    const [admin, client] = [await clientOf(made, 'admin'), await clientOf(made, 'writer-1')]
    const watch = client.watch({ prefix: 'k ' }, { after: 0 })
    const alone = client.watch({ prefix: 'k ' }, { after: 0, replica: replicaIndex(3) })
    const whole = client.watch({ prefix: 'k ' }, { after: 0, replica: replicaIndex(3), wholeLog: true })
    const lease = await client.leases.grant({ ttlMs: 60_000 })
    await client.put('held', 'by the lease', { lease })
    const worker = new Worker(client)

    const first = genesisCharter(made.genesis)
    const replace = { op: 'replace', id: memberId(1), member: made.newcomer(4, first) } as const
    await admin.submit(made.change(first, { edits: [replace] }))
    const second = await admin.follow({ until: 1 })
    await made.join(4, second.links)
    await made.start(4)
    await made.inEpoch(1, 0, 2, 3, 4)

    // The watch goes on with those who came.
    const events: [string, number][] = []
    const readInto = async ({ last }: EpochChain) => {
      while ((events.at(-1)?.[1] ?? 0) <= last.start.slot) events.push(...(await eventsOf(watch, 1)))
    }
    await readInto(second)

    const base = second.last.charter
    const held = await checkpointOf(admin)
    const edits = [5, 6, 7].map((number) => ({ op: 'add', member: made.newcomer(number, base, held) }) as const)
    await admin.submit(made.change(base, { edits, quorum: { byzantine: 2, crash: 0 } }))
    const third = await admin.follow({ until: 2 })
    for (const number of [5, 6, 7]) await made.join(number, third.links)
    await made.start(5, 6, 7)
    await made.inEpoch(2, 0, 2, 3, 4, 5, 6, 7)
    // Of what came before, two of those that stay know, which are too few to be believed.
    await readInto(third)

    // From here on nothing is decided, and no result believed, without those that the genesis does not know.
    await made.stop(0, 2)
    const before = worker.written.size
    while (worker.written.size < before + 10 && !worker.ended.signal.aborted) await client.put('more', 'x')
    await worker.stop()

    expect(client.chain.last.charter.members.map(({ id }) => id)).toHaveLength(7)
    while (events.length < worker.written.size) events.push(...(await eventsOf(watch, 1)))
    expect(new Map(events)).toEqual(worker.written)
    expect(events).toHaveLength(worker.written.size)
    expect(events.map(([, slot]) => slot)).toEqual(events.map(([, slot]) => slot).toSorted((a, b) => a - b))
    for (const single of [alone, whole]) expect(await eventsOf(single, events.length)).toEqual(events)
    await lease.keepAlive()
    expect(lease.lost.aborted).toBe(false)
    expect((await client.get('held', { read: 'quorum' })).value).toBeDefined()
    const late = await client.range({ prefix: 'k ', countOnly: true })
    expect(late.value.count).toBe(worker.written.size)
    for (const each of [watch, alone, whole]) each.close()

    const { token } = await lock(client, 'db')
    const { genesis } = made
    const checked = await verifyFencingToken(token.bytes, { genesis, name: 'db', chain: client.chain })
    expect(checked).toMatchObject({ ok: true, value: { slot: token.slot, retired: false } })
    expect(await verifyFencingToken(token.bytes, { genesis, name: 'db' })).toMatchObject({
      fault: { code: 'ambiguous' },
    })
  }, 120_000)
})
