import { afterEach, describe, expect, it, vi } from 'vitest'
import { hex, replicaIndex, utf8 } from '../../crypto/index.ts'
import { AuthenticatedMap, decodeKvResult, encodeKvCommand, openChunk } from '../../src/machine/index.ts'
import { Snapshots } from '../../src/replica/snapshots.ts'
import { signerNamed } from '../keys/sample.ts'
import { altered } from './altered-store.ts'
import { MemoryCluster, type MemoryClusterOptions, type TestClient, until } from './memory-cluster.ts'

let cluster: MemoryCluster | undefined

afterEach(async () => {
  vi.restoreAllMocks()
  await cluster?.close()
  expect(cluster?.fatal).toEqual([])
  cluster = undefined
})

async function started(options: MemoryClusterOptions = {}): Promise<MemoryCluster> {
  cluster = new MemoryCluster(options)
  await cluster.start()
  return cluster
}

/** One request after the other, so that each has a slot of its own. */
async function write(client: TestClient, count: number, key = 'key'): Promise<void> {
  for (let i = 0; i < count; i++) await client.submit([client.put(`${key} ${i}`, `value ${i}`)])
}

async function* unsealed(chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  for await (const sealed of chunks) {
    const opened = openChunk(sealed)
    if (!opened.ok) throw new Error('a chunk that is not sealed')
    yield opened.value.chunk
  }
}

function executed(c: MemoryCluster): number {
  return Math.max(...c.running.map((each) => each.status().executed))
}

/** Waits until all that run have executed what one of them has, and agree on the last checkpoint up to there. */
async function settled(c: MemoryCluster): Promise<void> {
  const slot = executed(c)
  const interval = c.genesis.parameters.checkpointInterval
  const stable = Math.floor(slot / interval) * interval
  await until(() => c.running.every((each) => each.status().executed >= slot && each.status().stable >= stable))
  await until(() => new Set(c.running.map((each) => each.status().stable)).size === 1)
  expect(new Set(c.running.map((each) => hex(each.status().stateRoot))).size).toBe(1)
}

describe('replicas in one process', () => {
  it('agree on what a client asks, answer it with receipts, and come to the same state (n = 4)', async () => {
    const c = await started()
    const client = await c.client()
    const results = await client.submit(Array.from({ length: 20 }, (_, i) => client.put(`k${i}`, `v${i}`)))
    expect(results.map(({ outcome }) => outcome)).toEqual(Array.from({ length: 20 }, () => 'done'))
    await write(client, 20)
    await settled(c)
    expect(c.status(0).stable).toBeGreaterThanOrEqual(16)
    for (const replica of c.running) expect(replica.status()).toMatchObject({ alarms: [], lies: [], liar: '' })
  })

  it('do the same in crash mode (n = 3, b = 0)', async () => {
    const c = await started({ replicas: 3, byzantine: 0, crash: 1 })
    const client = await c.client()
    await write(client, 10)
    await settled(c)
  })

  it('agree on the time at which a request came, and not on that of the tick before it', async () => {
    // A tick every three seconds.
    const c = await started({ parameters: { viewTimeoutMs: 60_000, viewTimeoutCapMs: 120_000 } })
    const client = await c.client()
    for (let i = 0; i < 3; i++) {
      const beforeMs = Date.now()
      const [granted] = await client.submit([encodeKvCommand({ kind: 'lease-grant', ttlMs: 60_000 })])
      const response = granted && decodeKvResult(granted.result)?.response
      if (response?.kind !== 'lease-grant') throw new Error('no lease')
      expect(response.expiresAtMs - 60_000).toBeGreaterThanOrEqual(beforeMs)
    }
  })

  it('answer each request once where a client repeats itself, and with the record of the first time', async () => {
    const c = await started()
    const client = await c.client()
    const [request] = client.bundle([client.put('once', '1')])
    if (request === undefined) throw new Error('no request')
    client.send([request])
    await until(() => client.resultOf(request) !== undefined)
    const first = client.resultOf(request)
    const slots = executed(c)
    const frames = client.replyFrames
    client.send([request])
    await until(() => client.replyFrames >= frames + 4)
    expect(client.resultOf(request)).toEqual(first)
    expect(executed(c)).toBe(slots)
  })

  it('go on when the leader is gone, and take it back', async () => {
    const c = await started()
    const client = await c.client()
    await write(client, 3)
    const { leader } = c.status(1)
    await c.stop(leader)
    await write(client, 3, 'without')
    await c.start(leader)
    await settled(c)
    expect(c.running).toHaveLength(4)
  })

  it('give up a leader whose channels ended, and wait for no time-out', async () => {
    const c = await started({ parameters: { viewTimeoutMs: 5000, viewTimeoutCapMs: 40_000 } })
    const client = await c.client()
    await write(client, 3)
    const { leader } = c.status(1)
    await c.stop(leader)
    await write(client, 3, 'without')
    const left = c.logged.filter(({ text }) => text === 'changing the view').map(({ facts }) => facts)
    expect(left).toContainEqual({ view: 1, active: false, reason: 'leader-gone' })
    expect(left).not.toContainEqual({ view: 1, active: false, reason: 'no-progress' })
  })

  it('take a leader that is back for gone no longer', async () => {
    const rotation = { policy: 'every', slots: 8 } as const
    const c = await started({ parameters: { rotation, viewTimeoutMs: 2000, viewTimeoutCapMs: 16_000 } })
    const client = await c.client()
    await write(client, 1)
    await c.stop(0)
    await write(client, 1, 'without')
    await c.start(0)
    await settled(c)
    for (let i = 0; c.status(1).leader !== 0 || !c.status(1).active; i++) await write(client, 1, `turn ${i}`)
    // It waits with the others for a quarter of the time-out, before they pass it on.
    const requests = client.bundle([client.put('passed on', '')])
    client.send(requests, 1, 2, 3)
    await until(() => requests.every((each) => client.resultOf(each) !== undefined))
    const gone = c.logged.flatMap(({ facts }) => ('reason' in facts && facts.reason === 'leader-gone' ? [facts] : []))
    expect(new Set(gone.map((facts) => 'view' in facts && facts.view))).toEqual(new Set([1]))
  })

  it('survive a restart of all of them at once, with nothing lost that was answered', async () => {
    const c = await started()
    const client = await c.client()
    await write(client, 13)
    await settled(c)
    const before = executed(c)
    await c.stop()
    await c.start()
    expect(c.running.map((each) => each.status().executed).every((slot) => slot >= 8)).toBe(true)
    const again = await c.client()
    await write(again, 5, 'after')
    await settled(c)
    expect(executed(c)).toBeGreaterThanOrEqual(before + 5)
  })
})

describe('the log', () => {
  it('is cut once a snapshot is on disk, and a restart goes on from there', async () => {
    const c = await started({ limits: { snapshotSlots: 16 } })
    const client = await c.client()
    await write(client, 50)
    await settled(c)
    await until(() => c.running.every((each) => each.status().firstSlot > 16))
    const contents = c.contents[1]
    expect(contents?.records.every(({ slot }) => slot === 0 || slot > 16)).toBe(true)
    await c.stop(1)
    await c.start(1)
    expect(c.status(1).executed).toBeGreaterThanOrEqual(32)
    await write(client, 10, 'after')
    await settled(c)
  })

  it('goes on from a snapshot that an earlier version wrote, with chunks that are not sealed', async () => {
    const c = await started({
      limits: { snapshotSlots: 16 },
      wrapStore: (_, store) =>
        altered(store, { putSnapshot: (at, meta, chunks) => store.putSnapshot(at, meta, unsealed(chunks)) }),
    })
    const client = await c.client()
    await write(client, 50)
    await settled(c)
    await until(() => c.running.every((each) => each.status().firstSlot > 16))
    await c.stop(1)
    await c.start(1)
    expect(c.logged.filter(({ text }) => text.includes('snapshot on disk'))).toEqual([])
    expect(c.status(1).executed).toBeGreaterThanOrEqual(32)
    await write(client, 10, 'after')
    await settled(c)
  })

  it('keeps what retention asks for', async () => {
    const c = await started({ limits: { snapshotSlots: 16 }, retention: { slots: 1000 } })
    const client = await c.client()
    await write(client, 40)
    await settled(c)
    await until(() => (c.contents[1]?.cut ?? 0) >= 16)
    expect(c.status(1).firstSlot).toBe(1)
  })
})

describe('a replica that was away', () => {
  it('fetches the entries that it missed', async () => {
    const c = await started()
    const client = await c.client()
    await write(client, 2)
    await c.stop(3)
    await write(client, 5, 'missed')
    await c.start(3)
    await settled(c)
    expect(c.logged.some(({ replica, text }) => replica === 3 && text.includes('fetching the state'))).toBe(false)
  })

  it('installs the state of a checkpoint where the entries are gone, and writes it down at once', async () => {
    const c = await started()
    const client = await c.client()
    await write(client, 2)
    await c.stop(3)
    await write(client, 40, 'missed')
    await c.start(3)
    await settled(c)
    expect(c.logged.some(({ replica, text }) => replica === 3 && text.includes('fetching the state'))).toBe(true)
    await until(() => (c.contents[3]?.snapshots.length ?? 0) > 0)
    const { executed: before } = c.status(3)
    await c.stop(3)
    await c.start(3)
    expect(c.status(3).executed).toBeGreaterThanOrEqual(Math.floor(before / 8) * 8 - 8)
    await write(client, 3, 'after')
    await settled(c)
  })

  it('puts a chunk of the state into its map once the question for the next one has left', async () => {
    const c = await started()
    const client = await c.client()
    await c.stop(3)
    const value = new Uint8Array(50_000)
    for (let i = 0; i < 24; i++) {
      await client.submit([encodeKvCommand({ kind: 'put', key: utf8(`key ${i}`), value, previous: false })])
    }
    /** Of replica 3, with the number of its turn: loads are within `settle`, or where they must be. */
    const events: string[] = []
    const turn = () => c.replicas[3]?.counters?.turns ?? 0
    const transport = c.network.replica(replicaIndex(3))
    vi.spyOn(transport, 'flush').mockImplementation(() => void events.push(`flush ${turn()}`))
    const { settle } = Snapshots.prototype
    vi.spyOn(Snapshots.prototype, 'settle').mockImplementation(function (this: Snapshots) {
      const before = load.mock.calls.length
      settle.call(this)
      if (load.mock.calls.length > before) events.push(`load ${turn()}`)
    })
    const load = vi.spyOn(AuthenticatedMap.prototype, 'load')
    await c.startWith(3, { transport })
    await settled(c)
    const loads = events.filter((event) => event.startsWith('load'))
    expect(loads.length).toBeGreaterThan(1)
    for (const event of loads) expect(events[events.indexOf(event) - 1]).toBe(event.replace('load', 'flush'))
  })

  it('gets past a peer that hands out wrong chunks', async () => {
    const c = await started({ liars: { 1: 'bad-snapshot' } })
    const client = await c.client()
    await c.stop(3)
    await write(client, 40, 'missed')
    await c.start(3)
    await settled(c)
    await until(() => !c.status(3).transferring)
  })
})

describe('a liar', () => {
  it('that equivocates as leader is found out by all, and the others go on', async () => {
    const c = await started({ liars: { 0: 'equivocate' } })
    const client = await c.client()
    await write(client, 12)
    await until(() => [1, 2, 3].every((i) => c.status(i).lies.some(({ accused }) => accused === 0)))
    expect(c.status(0).liar).toBe('equivocate')
    for (const i of [1, 2, 3]) expect(c.status(i).lies.every(({ accused }) => accused === 0)).toBe(true)
    const [answer] = await client.ask(2, { kind: 'evidence' })
    expect(answer?.kind === 'evidence' && answer.evidence.length).toBeGreaterThan(0)
  })

  it('is remembered after a restart, once for each proof', async () => {
    const c = await started({ liars: { 0: 'equivocate' } })
    const client = await c.client()
    await write(client, 6)
    await until(() => c.status(2).lies.length > 0)
    await c.stop(0)
    const before = c.status(2).lies
    await c.stop(2)
    await c.start(2)
    expect(c.status(2).lies).toEqual(before)
  })
})

describe('the door', () => {
  it('says why it refuses', async () => {
    const c = await started()
    const client = await c.client()
    const forged = client.bundle([client.put('a', 'b')], signerNamed('somebody else'))
    client.send(forged, 2)
    await until(() => client.refusals.length === 1)
    const other = await c.client('admin')
    const [borrowed] = client.bundle([client.put('a', 'b')])
    if (borrowed === undefined) throw new Error('no request')
    other.send([borrowed], 2)
    await until(() => other.refusals.length === 1)
    client.sendFrame(Uint8Array.of(1, 2, 3), 2)
    expect(client.refusals).toEqual([{ from: 2, code: 'bad-signature' }])
    expect(other.refusals).toEqual([{ from: 2, code: 'not-allowed' }])
    await until(() => c.replica(2).counters?.refused.get('malformed-frame') === 1)
  })

  it('takes no more of one client than its session tells apart', async () => {
    const c = await started()
    // Nothing is decided without a quorum, so that requests pile up.
    await c.stop(1, 2, 3)
    const client = await c.client()
    const command = client.put('k', 'v')
    for (let i = 0; i < 11; i++) client.send(client.bundle(Array.from({ length: 100 }, () => command)), 0)
    await until(() => client.refusals.length === 1100 - 1024)
    expect(new Set(client.refusals.map(({ code }) => code))).toEqual(new Set(['busy']))
    expect(c.status(0).pending).toBe(1024)
  })
})

describe('questions', () => {
  it('are answered with status, slots, checkpoints and NewViews, in pages', async () => {
    const c = await started()
    const client = await c.client()
    await write(client, 20)
    await settled(c)
    const [status] = await client.ask(1, { kind: 'status' })
    expect(status).toMatchObject({ kind: 'status', status: { replica: 1 } })
    const last = c.status(1).executed
    const answers = await client.ask(1, { kind: 'slots', from: c.status(1).firstSlot, to: c.status(1).executed })
    const slots = answers.flatMap((each) => (each.kind === 'slots' ? each.slots : []))
    expect(slots.map(({ entry }) => entry.header.slot)).toEqual(Array.from({ length: last }, (_, i) => i + 1))
    expect(slots.every(({ receipt, records, entry }) => receipt && records.length === entry.requests.length)).toBe(true)
    const found = await client.ask(1, { kind: 'checkpoints', from: c.status(1).firstSlot, to: c.status(1).stable })
    const checkpoints = found.flatMap((each) => (each.kind === 'checkpoints' ? each.checkpoints : []))
    expect(checkpoints.map(({ checkpoint }) => checkpoint.slot)).toContain(c.status(1).stable)
    await c.stop(c.status(1).leader)
    await write(client, 2, 'later')
    const [running] = c.running
    const index = c.replicas.indexOf(running)
    const views = await client.ask(index, { kind: 'new-views' })
    expect(views.flatMap((each) => (each.kind === 'new-views' ? each.newViews : [])).length).toBeGreaterThan(0)
  })
})
