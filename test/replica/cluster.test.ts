import { afterEach, describe, expect, it } from 'vitest'
import { hex } from '../../crypto/index.ts'
import { MemoryCluster, type MemoryClusterOptions, until } from './memory-cluster.ts'

let cluster: MemoryCluster | undefined

afterEach(async () => {
  await cluster?.close()
  expect(cluster?.fatal).toEqual([])
  cluster = undefined
})

async function started(options: MemoryClusterOptions = {}): Promise<MemoryCluster> {
  cluster = new MemoryCluster(options)
  await cluster.start()
  return cluster
}

describe('four replicas in one process', () => {
  it('agree on what a client asks, answer it with receipts, and come to the same state', async () => {
    const c = await started()
    const client = await c.client()
    const results = await client.submit(Array.from({ length: 20 }, (_, i) => client.put(`k${i}`, `v${i}`)))
    expect(results.map(({ outcome }) => outcome)).toEqual(Array.from({ length: 20 }, () => 'done'))
    for (let i = 0; i < 20; i++) await client.submit([client.put('again', `${i}`)])
    const slot = Math.max(...c.running.map((each) => each.status().executed))
    await until(() => c.running.every((each) => each.status().executed >= slot))
    const stable = Math.floor(slot / 8) * 8
    await until(() => c.running.every((each) => each.status().stable >= stable))
    expect(stable).toBeGreaterThan(0)
    const roots = c.running.map((each) => hex(each.status().stateRoot))
    expect(new Set(roots).size).toBe(1)
    for (const replica of c.running) expect(replica.status()).toMatchObject({ alarms: [], lies: [], liar: '' })
  })
})
