// Reads under a leader's lease, as the SDK makes them: in crash mode one answer is enough, and nobody's answer sends them through the log.

import { describe, expect, it } from 'vitest'
import { slot, utf8 } from '../../crypto/index.ts'
import { Refused } from '../../src/client/index.ts'
import { FakeCluster } from './fake-cluster.ts'

const LEASE = { read: 'lease' } as const

/** Who was asked to read under a lease, in order. */
function asked({ sent }: FakeCluster): number[] {
  return sent.flatMap(({ to, frame }) =>
    frame.kind === 'ask' && frame.question.kind === 'read' && frame.question.lease ? [to] : [],
  )
}

function refuses(cluster: FakeCluster, replica: number): void {
  cluster.counters.set(replica, (id) => {
    cluster.say(replica, { kind: 'answer', id, last: true, answer: { kind: 'refused', reason: 'no lease' } })
  })
}

async function crashMode() {
  const cluster = new FakeCluster({ replicas: 3, byzantine: 0 })
  const client = await cluster.connect()
  await client.put('k', 'v')
  return { cluster, client }
}

describe('a read under a lease', () => {
  it('takes the answer of the one that holds it, and asks that one alone from then on', async () => {
    const { cluster, client } = await crashMode()
    for (const other of [0, 2]) refuses(cluster, other)
    const first = await client.get('k', LEASE)
    expect(first).toMatchObject({ value: { value: utf8('v') }, slot: slot(1), evidence: { mode: 'lease', replica: 1 } })
    expect(asked(cluster).sort()).toEqual([0, 1, 2])
    await client.get('k', LEASE)
    expect(asked(cluster).slice(3)).toEqual([1])
    await client.close()
  })

  it('goes through the log at once where nobody holds one, and asks everybody again the next time', async () => {
    const { cluster, client } = await crashMode()
    for (const replica of [0, 1, 2]) refuses(cluster, replica)
    const read = await client.get('k', LEASE)
    expect(read).toMatchObject({ value: { value: utf8('v') }, evidence: { mode: 'ordered' } })
    await client.get('k', LEASE)
    expect(asked(cluster)).toHaveLength(6)
    await client.close()
  })

  it('is refused where replicas may lie, and nothing is asked', async () => {
    const cluster = new FakeCluster()
    const client = await cluster.connect()
    const error: unknown = await client.get('k', LEASE).catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(Refused)
    expect(error).toMatchObject({ code: 'no-leases', message: expect.stringMatching(/crash mode.*read with quorum/) })
    expect(asked(cluster)).toEqual([])
    await client.close()
  })
})
