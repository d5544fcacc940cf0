// Four replicas over libp2p on the loopback interface, each with a store on disk.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { libp2pClientTransport } from '../../net/index.ts'
import { freePorts } from '../../src/cli/launch/ports.ts'
import { createReplica, openArchive, type Replica } from '../../src/replica/index.ts'
import { genesisOf, memberDraft, sample, seedNamed, signerNamed } from '../keys/sample.ts'
import { keysOf, TEST_PARAMETERS, TestClient, until } from './memory-cluster.ts'

let folder = ''
const running = new Map<number, Replica>()
let client: TestClient | undefined

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'quorate-replica-'))
})

afterEach(async () => {
  await client?.close()
  client = undefined
  await Promise.all([...running.values()].map((each) => each.stop()))
  running.clear()
  await rm(folder, { recursive: true, force: true })
})

async function genesis() {
  const ports = await freePorts(4)
  return genesisOf(
    sample({
      quorum: { byzantine: 1, crash: 0 },
      members: ports.map((port, i) => ({ ...memberDraft(i), addresses: [`/ip4/127.0.0.1/tcp/${port}`] })),
      parameters: { ...TEST_PARAMETERS, viewTimeoutMs: 500 },
    }),
  )
}

type TestGenesis = Awaited<ReturnType<typeof genesis>>

async function start(of: TestGenesis, index: number, create = false): Promise<Replica> {
  const data = join(folder, `replica-${index}`)
  const replica = createReplica({
    genesis: of,
    keys: keysOf(index),
    data,
    create,
    metricsPort: 0,
    retention: { slots: 1000 },
  })
  await replica.start()
  // One that did not start has given everything back, and must not take the place of one that runs.
  running.set(index, replica)
  return replica
}

async function connect(of: TestGenesis): Promise<TestClient> {
  const signer = signerNamed('client writer-1')
  const transport = libp2pClientTransport({
    clusterId: of.clusterId,
    roster: of.members,
    seed: seedNamed('client writer-1'),
  })
  client = new TestClient(of, transport, signer)
  await client.start()
  return client
}

describe('real replicas', () => {
  it('agree, survive stops and restarts of any of them and of all, and leave an archive', async () => {
    const of = await genesis()
    for (let i = 0; i < 4; i++) await start(of, i, true)
    const user = await connect(of)
    for (let i = 0; i < 10; i++) await user.submit([user.put(`k${i}`, 'v')])

    const leader = running.get(1)?.status().leader ?? 0
    await running.get(leader)?.stop()
    running.delete(leader)
    for (let i = 0; i < 10; i++) await user.submit([user.put(`without ${i}`, 'v')])
    await start(of, leader)

    const slot = Math.max(...[...running.values()].map((each) => each.status().executed))
    await until(() => [...running.values()].every((each) => each.status().executed >= slot))
    await Promise.all([...running.values()].map((each) => each.stop()))
    running.clear()
    for (let i = 0; i < 4; i++) await start(of, i)
    await until(() => [...running.values()].every((each) => each.status().executed >= slot))
    for (let i = 0; i < 5; i++) await user.submit([user.put(`after ${i}`, 'v')])

    const port = running.get(2)?.metricsPort
    const metrics = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text()
    expect(metrics).toMatch(/^quorate_slot_executed \d+$/m)
    expect((await fetch(`http://127.0.0.1:${port}/healthz`)).status).toBe(200)

    await running.get(2)?.stop()
    const archive = await openArchive(join(folder, 'replica-2'), of)
    const { first, last } = await archive.extent()
    const slots = []
    for await (const each of archive.slots(first, last)) slots.push(each.entry.header.slot)
    expect(first).toBe(1)
    expect(slots).toEqual(Array.from({ length: last }, (_, i) => i + 1))
    const newViews = await archive.newViews()
    expect(newViews.length).toBeGreaterThan(0)
    await archive.close()
  })

  it('refuse a store that is missing, foreign or in use, each with one sentence', async () => {
    const of = await genesis()
    await expect(start(of, 0)).rejects.toMatchObject({ name: 'StoreError', code: 'missing' })
    await start(of, 0, true)
    await expect(start(of, 0)).rejects.toMatchObject({ name: 'StoreError', code: 'locked' })
    const other = await genesis()
    const data = join(folder, 'replica-0')
    const stranger = createReplica({ genesis: other, keys: keysOf(0), data })
    await expect(stranger.start()).rejects.toMatchObject({ name: 'StoreError' })
  })
})
