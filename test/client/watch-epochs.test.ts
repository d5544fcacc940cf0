// A watch while the members change.

import { expect, it } from 'vitest'
import { replicaIndex } from '../../crypto/index.ts'
import { type Client, WatchEnded, type WatchOptions } from '../../src/client/index.ts'
import { rounds, useTestClock } from './support.ts'
import { follow, WatchFakes } from './watch-fakes.ts'

const pass = useTestClock()
const SMALL = { parameters: { checkpointInterval: 32, window: 32 }, newcomers: 3 }

async function watching(options: WatchOptions) {
  const fakes = new WatchFakes(SMALL)
  const client: Client = await fakes.cluster.connect()
  const seen = follow(client.watch({ prefix: 'k' }, options))
  await rounds()
  fakes.put('k', 'old')
  await rounds()
  return { fakes, client, seen }
}

it.each([
  ['one is replaced', [0, 4, 2, 3]],
  ['positions change', [3, 2, 1, 0]],
  ['most are others', [4, 5, 6, 0]],
])('tells everything once, slot by slot, where %s', async (_, keys) => {
  const { fakes, client, seen } = await watching({ after: 0 })
  fakes.handOver(keys)
  const slots = [1, 33, 34, 35]
  for (const value of ['1', '2', '3']) {
    fakes.put('k', value)
    await pass(5000)
  }
  expect(client.chain.last.charter.members.map(({ id }) => id)).toEqual(keys)
  expect(seen).toMatchObject({ lines: ['k=old v1', 'k=1 v2', 'k=2 v3', 'k=3 v4'], slots, done: false })
  await client.close()
})

it('of a single replica goes with it to another position, with the proofs of both epochs', async () => {
  const { fakes, client, seen } = await watching({ after: 0, replica: replicaIndex(3) })
  fakes.handOver([3, 0, 1, 2])
  fakes.put('k', 'new')
  await pass(5000)
  expect(client.chain.last.charter.members.map(({ id }) => id)).toEqual([3, 0, 1, 2])
  expect(seen).toMatchObject({ lines: ['k=old v1', 'k=new v2'], done: false })
  await client.close()
})

it('of a single replica ends where that is a member no more', async () => {
  const { fakes, client, seen } = await watching({ after: 0, replica: replicaIndex(3) })
  fakes.handOver([0, 1, 2, 4])
  fakes.put('k', 'new')
  await pass(5000)
  expect(seen.error).toBeInstanceOf(WatchEnded)
  expect(seen.error).toMatchObject({ code: 'left' })
  await client.close()
})
