import { afterEach, describe, expect, it } from 'vitest'
import { BEHAVIOURS } from '../../src/byzantine/index.ts'
import { MemoryCluster, until } from './memory-cluster.ts'

let cluster: MemoryCluster | undefined

afterEach(async () => {
  await cluster?.close()
  cluster = undefined
})

describe('a liar of the kind', () => {
  it.each(Object.keys(BEHAVIOURS))('%s keeps nobody from finishing, and nobody else is accused', async (liar) => {
    cluster = new MemoryCluster({ liars: { 0: liar } })
    const c = cluster
    await c.start()
    const client = await c.client()
    for (let i = 0; i < 20; i++) await client.submit([client.put(`k${i}`, 'v')])
    const honest = [1, 2, 3]
    const slot = Math.max(...honest.map((i) => c.status(i).executed))
    await until(() => honest.every((i) => c.status(i).executed >= slot))
    for (const i of honest) expect(c.status(i).lies.every(({ accused }) => accused === 0)).toBe(true)
    for (const i of honest) expect(c.status(i).alarms).toEqual([])
    expect([...client.badProofs].every((each) => each === 0)).toBe(true)
    expect(c.fatal).toEqual([])
  })
})
