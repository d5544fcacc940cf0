// A thousand watches on one cluster of real replicas over libp2p: each gets exactly its events.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { loadClientKey, loadGenesis } from '../../keys/index.ts'
import { LocalCluster } from '../../src/cli/launch/local-cluster.ts'
import { connect } from '../../src/client/index.ts'
import { lineOf } from './watch-fakes.ts'

const WATCHES = 1000
const ROUNDS = 3

let root: string
let cluster: LocalCluster

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'quorate-watch-'))
  cluster = await LocalCluster.make({ folder: join(root, 'cluster'), replicas: 4, clients: 1 })
  await cluster.startAll()
})

afterAll(async () => {
  await cluster.dispose()
  await rm(root, { recursive: true, force: true })
})

it('a thousand watches on one cluster each get exactly their events', async () => {
  const genesis = await loadGenesis(join(cluster.folder, 'genesis.json'))
  const [{ name } = { name: '' }] = genesis.clients
  const { signer, seed } = await loadClientKey(join(cluster.folder, `client-${name}`), genesis, {
    name,
    passphrase: undefined,
  })
  const client = await connect({ genesis, key: signer, seed })
  try {
    // Every other one is of a prefix that two keys have.
    const watches = Array.from({ length: WATCHES }, (_, i) =>
      client.watch(i % 2 === 0 ? { key: `k${i}/a` } : { prefix: `k${i}/` }, { after: 0 }),
    )
    const expected = watches.map((_, i) =>
      Array.from({ length: ROUNDS }, (_unused, round) =>
        ['a', 'b'].slice(0, i % 2 === 0 ? 1 : 2).map((end) => `k${i}/${end}=${round} v${round + 1}`),
      ).flat(),
    )
    for (let round = 0; round < ROUNDS; round++) {
      for (const end of ['a', 'b']) {
        await Promise.all(watches.map((_, i) => client.put(`k${i}/${end}`, `${round}`, { timeoutMs: 120_000 })))
      }
    }
    const { slot: last } = await client.put('end', '')
    const lines = await Promise.all(
      watches.map(async (watch, i) => {
        const seen: string[] = []
        while (seen.length < (expected[i]?.length ?? 0)) {
          const { done, value } = await watch.next()
          if (done) break
          seen.push(...value.events.map(lineOf))
        }
        return seen
      }),
    )
    expect(lines.map((each) => each.toSorted())).toEqual(expected.map((each) => each.toSorted()))
    // Nothing more comes until they have all passed the end.
    while (watches.some(({ position }) => (position ?? 0) < last))
      await new Promise((resolve) => setTimeout(resolve, 20))
    for (const watch of watches) watch.close()
    expect(await Promise.all(watches.map((watch) => watch.next()))).toEqual(
      watches.map(() => ({ done: true, value: undefined })),
    )
    // On a busy machine one may have been too late for another, but none has lied.
    const reasons = new Set(watches.flatMap(({ dropped }) => dropped.map(({ reason }) => reason)))
    expect([...reasons].filter((reason) => reason !== 'watch-stalled')).toEqual([])
  } finally {
    await client.close()
  }
})
