import { afterEach, expect, it } from 'vitest'
import { MemoryCluster } from './memory-cluster.ts'

let cluster: MemoryCluster | undefined

afterEach(async () => {
  await cluster?.close()
  cluster = undefined
})

it('serves metrics and health on a loopback port, and nothing else', async () => {
  // The liar leads again and again: on a slow machine another may lead before the first request is there.
  cluster = new MemoryCluster({ liars: { 0: 'equivocate' }, parameters: { rotation: { policy: 'every', slots: 8 } } })
  const c = cluster
  await c.startWith(2, { metricsPort: 0 })
  await c.start(0, 1, 3)
  const client = await c.client()
  do await client.submit([client.put('k', 'v')])
  while (c.status(2).lies.length === 0)
  const port = c.replica(2).metricsPort
  const at = (path: string, init?: RequestInit) => fetch(`http://127.0.0.1:${port}${path}`, init)
  const text = await (await at('/metrics')).text()
  expect(text).toMatch(/^quorate_slot_executed [1-9]\d*$/m)
  expect(text).toMatch(/^quorate_requests_total [1-9]\d*$/m)
  expect(text).toMatch(/^quorate_lies_total\{accused="0",kind="[a-z-]+"\} [1-9]\d*$/m)
  for (const name of ['signatures_total', 'network_writes_total', 'network_written_bytes_total', 'resident_bytes']) {
    expect(text).toMatch(new RegExp(`^quorate_${name} [1-9]`, 'm'))
  }
  expect(text).toMatch(/^quorate_cpu_microseconds_total\{mode="user"\} [1-9]\d*$/m)
  // Read again, counters do not add up.
  const lies = (page: string) => /^quorate_lies_total.*$/m.exec(page)?.[0]
  expect(lies(await (await at('/metrics')).text())).toBe(lies(text))
  expect(await (await at('/healthz')).text()).toBe('ok\n')
  expect((await at('/other')).status).toBe(404)
  expect((await at('/metrics', { method: 'POST' })).status).toBe(405)
  await c.stop(2)
  await expect(at('/healthz')).rejects.toThrow()
})
