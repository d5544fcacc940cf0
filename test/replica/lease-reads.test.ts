// Reads under leases from whole replicas in crash mode, through the SDK, across a change of the leader.

import { afterEach, describe, expect, it } from 'vitest'
import { fromUtf8 } from '../../crypto/index.ts'
import { type Client, connect } from '../../src/client/index.ts'
import { seedNamed, signerNamed } from '../keys/sample.ts'
import { MemoryCluster, until } from './memory-cluster.ts'

let cluster: MemoryCluster | undefined
let client: Client | undefined

afterEach(async () => {
  await client?.close()
  await cluster?.close()
  expect(cluster?.fatal).toEqual([])
  client = undefined
  cluster = undefined
})

describe('three replicas in crash mode', () => {
  it('answer reads from their leader alone, and from the next one when it is gone', async () => {
    const made = new MemoryCluster({ replicas: 3, byzantine: 0, crash: 1, parameters: { viewTimeoutMs: 400 } })
    cluster = made
    for (const index of [0, 1, 2]) await made.startWith(index, {})
    const key = signerNamed('client writer-1')
    const transport = made.network.client(key.publicKey)
    const opened = await connect({ genesis: made.genesis, key, seed: seedNamed('client writer-1'), transport })
    client = opened
    await until(() => opened.connected().length === 3)
    await opened.put('k', 'one')
    expect(await leaseRead(opened, 'one')).toBe(0)
    await made.stop(0)
    await opened.put('k', 'two')
    expect(await leaseRead(opened, 'two')).toBe(1)
  })
})

/** Reads until a lease answers: the replica that did. Whoever answers, the value is the newest. */
async function leaseRead(of: Client, expected: string): Promise<number> {
  for (;;) {
    const { value, evidence } = await of.get('k', { read: 'lease' })
    expect(fromUtf8(value?.value ?? new Uint8Array(0))).toBe(expected)
    if (evidence.mode === 'lease') return evidence.replica
  }
}
