import { afterEach, expect, it } from 'vitest'
import { utf8 } from '../../../crypto/index.ts'
import { nativeVerifier } from '../../../keys/native/index.ts'
import { auditContext } from '../../../src/audit/verify/index.ts'
import { fetchState } from '../../../src/cli/member/fetch-state.ts'
import type { Client } from '../../../src/client/index.ts'
import { encodeKvCommand, MapRestoration } from '../../../src/machine/index.ts'
import { MemoryCluster, type TestClient } from '../../replica/memory-cluster.ts'

let cluster: MemoryCluster

afterEach(() => cluster.close())

/** A cluster whose state has several chunks at its checkpoints. */
async function started(): Promise<TestClient> {
  cluster = new MemoryCluster()
  await cluster.start()
  const client = await cluster.client()
  for (let i = 0; i < 17; i++) {
    const value = new Uint8Array(50_000).fill(i)
    await client.submit([encodeKvCommand({ kind: 'put', key: utf8(`key ${i}`), value, previous: false })])
  }
  return client
}

type State = Client['state']

/** What the replicas answer, changed by `change`; counts who was asked. */
function stateBy(client: TestClient, change: (part: Awaited<ReturnType<State>>, asked: number) => void) {
  const asked: number[] = []
  const state: State = async (replica, question) => {
    const [answer] = await client.ask(replica, { kind: 'state', ...question })
    const part = answer?.kind === 'state' ? answer.part : undefined
    change(part, asked.push(replica))
    return part
  }
  return { asked, state }
}

async function fetched({ state }: { readonly state: State }) {
  const { chain } = auditContext(cluster.genesis, nativeVerifier)
  const whole: Uint8Array[] = []
  const found = await fetchState(
    { client: { state }, chain, signal: new AbortController().signal, progress: () => {} },
    async ({ chunks }) => {
      whole.length = 0
      for await (const chunk of chunks) whole.push(chunk)
    },
  )
  if (found === undefined) throw new Error('nobody has a state')
  return { chunks: whole, root: found.checkpoint.stateRoot }
}

it('takes a state of several chunks from one replica, one after the other, and they are all of it', async () => {
  const client = await started()
  const replicas = stateBy(client, () => {})
  const { chunks, root } = await fetched(replicas)
  expect(chunks.length).toBeGreaterThan(2)
  expect(replicas.asked).toEqual(chunks.map(() => 0))
  const restoration = new MapRestoration(root)
  for (const chunk of chunks) expect(restoration.offer(chunk).ok).toBe(true)
  expect(restoration.finish().commit()).toEqual(root)
})

it.each([
  ['the first', 1],
  ['a later', 2],
])('goes to the next replica where %s chunk is not what a quorum signed', async (_, bad) => {
  const client = await started()
  const replicas = stateBy(client, (part, asked) => {
    const { chunk } = part ?? {}
    if (asked === bad && chunk !== undefined) chunk[chunk.length >> 1] = (chunk[chunk.length >> 1] ?? 0) ^ 1
  })
  const { chunks } = await fetched(replicas)
  expect(replicas.asked).toEqual([...Array.from({ length: bad }, () => 0), ...chunks.map(() => 1)])
})
