// Changes of the membership over libp2p on the loopback interface: addresses, connections and positions change with the members.

import { afterEach, describe, expect, it } from 'vitest'
import { memberId } from '../../crypto/index.ts'
import { genesisCharter } from '../../keys/charter/index.ts'
import { freePorts } from '../../src/cli/launch/ports.ts'
import { ChangingCluster, type ChangingOptions, write } from './changing-cluster.ts'
import { until } from './memory-cluster.ts'

let cluster: ChangingCluster | undefined

afterEach(async () => {
  await cluster?.close()
  expect(cluster?.fatal).toEqual([])
  cluster = undefined
})

async function started(options: ChangingOptions = {}): Promise<ChangingCluster> {
  cluster = new ChangingCluster({ ports: await freePorts(7), parameters: { viewTimeoutMs: 500 }, ...options })
  await cluster.start(...cluster.genesis.members.keys())
  return cluster
}

describe('over libp2p', () => {
  it('a member is replaced while requests run, and the one that left stops by itself', async () => {
    const c = await started()
    const [admin, client] = [await c.client('admin'), await c.client()]
    await write(client, 2)
    const base = genesisCharter(c.genesis)
    const edit = { op: 'replace', id: memberId(1), member: c.newcomer(4, base) } as const
    await Promise.all([admin.submit([c.change(base, { edits: [edit] })]), write(client, 20, 'meanwhile')])
    await c.inEpoch(1, 0, 2, 3)
    await c.join(4, await c.links(client, 2))
    await c.start(4)
    c.meet(0, 4, 2, 3)
    await write(client, 20, 'after')
    await until(() => c.retired.length > 0)
    await c.stop(3)
    await write(client, 4, 'without another')
    await c.settled(0, 4, 2)
    expect(c.retired.map(({ number }) => number)).toEqual([1])
    expect(c.status(4)).toMatchObject({ replica: 1, epoch: 1, alarms: [], lies: [] })
  })

  it('four become seven, and go on without two of the first ones', async () => {
    const c = await started()
    const [admin, client] = [await c.client('admin'), await c.client()]
    const base = genesisCharter(c.genesis)
    const edits = [4, 5, 6].map((number) => ({ op: 'add', member: c.newcomer(number, base) }) as const)
    await admin.submit([c.change(base, { edits, quorum: { byzantine: 2, crash: 0 } })])
    await c.inEpoch(1, 0, 1, 2, 3)
    const links = await c.links(client, 0)
    for (const number of [4, 5, 6]) await c.join(number, links)
    await c.start(4, 5, 6)
    c.meet(0, 1, 2, 3, 4, 5, 6)
    await c.stop(0, 1)
    await write(client, 10, 'after')
    await c.settled(2, 3, 4, 5, 6)
  })

  it('one that was away over two changes, of which the second replaced it, stops by itself while the others go on', async () => {
    const c = await started()
    const [admin, client] = [await c.client('admin'), await c.client()]
    await write(client, 2)
    await c.stop(3)
    const base = genesisCharter(c.genesis)
    const parameters = { ...c.genesis.parameters, window: 3 }
    await Promise.all([admin.submit([c.change(base, { parameters })]), write(client, 10, 'in the first')])
    await c.inEpoch(1, 0, 1, 2)
    const { last, links } = c.chainOf(await c.links(client, 0))
    const member = c.newcomer(4, last.charter, links.at(-1)?.checkpoint, base)
    const command = c.change(last.charter, { edits: [{ op: 'replace', id: memberId(3), member }] })
    const [[replaced]] = await Promise.all([admin.submit([command]), write(client, 10, 'in the second')])
    expect(replaced?.outcome).toBe('done')
    await c.inEpoch(2, 0, 1, 2)
    await c.join(4, await c.links(client, 0))
    c.meet(0, 1, 2, 4)
    await write(client, 20, 'without it')
    await Promise.all([c.start(3, 4), write(client, 20, 'meanwhile'), until(() => c.retired.length > 0)])
    await c.stop(2)
    await write(client, 4, 'with the other')
    await c.settled(0, 1, 4)
    expect(c.retired).toMatchObject([{ number: 3, retired: { epoch: 1 } }])
    expect(c.retired[0]?.retired.why).toMatch(/^replica 3 was removed; epoch 1 ended with slot \d+; its key is erased$/)
  })
})
