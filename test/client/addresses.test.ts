// How a client learns where new members are reached: from the state, as one of them proves it.

import { describe, expect, it } from 'vitest'
import { appendLeaf, EMPTY_FRONTIER, frontierRoot, replicaIndex, sha256, utf8 } from '../../crypto/index.ts'
import type { Client } from '../../src/client/index.ts'
import { createExecutor, type Executor, kv, POSITION_STATE_KEY, stateGenesis } from '../../src/machine/index.ts'
import type { ProvenState } from '../../src/wire/index.ts'
import { FakeCluster, handOverTo } from './fake-cluster.ts'
import { useTestClock } from './support.ts'

const pass = useTestClock()
const MEMBERS = [0, 1, 2, 4]
const PLACES = MEMBERS.map((key) => [`/ip4/10.0.0.${key}/tcp/7400`])

/** What `from` proves to who asks for the keys, in place of the truth. */
type Lie = (truth: ProvenState) => ProvenState

/** A client that went over to members of whom the state of slot 32 says where they are. */
async function moved(lies: Partial<Record<number, Lie>> = {}): Promise<{ cluster: FakeCluster; client: Client }> {
  const cluster = new FakeCluster({ parameters: { checkpointInterval: 32, window: 32 } })
  const client = await cluster.connect()
  const { charter } = handOverTo(cluster.chain.last, MEMBERS, 32)
  const founding = { ...stateGenesis(cluster.genesis).cluster, charter, addresses: PLACES }
  const state: Executor = createExecutor({ machine: kv, clients: cluster.genesis.clients, cluster: founding })
  let frontier = EMPTY_FRONTIER
  for (let slot = 1; slot <= 32; slot++) {
    state.execute({ slot, timestampMs: slot, requests: [] })
    frontier = appendLeaf(frontier, sha256(utf8(`entry ${slot}`)))
  }
  const { checkpoint } = cluster.handOver(
    MEMBERS,
    {},
    { logRoot: frontierRoot(frontier), stateRoot: state.stateRoot() },
  )
  const snapshot = state.snapshot()
  const partOf = (key: Uint8Array) => ({ value: snapshot.get(key), proof: snapshot.prove(key) })
  for (const key of MEMBERS) {
    cluster.counters.set(key, (id, question) => {
      if (question.kind === 'chain') cluster.show(key, id, question.from)
      if (question.kind !== 'prove') return
      // Of its start a replica has no signatures: those before it have signed it.
      const start = { ...checkpoint, next: undefined, signatures: [] }
      const truth = {
        checkpoint: start,
        frontier,
        position: partOf(POSITION_STATE_KEY),
        values: question.keys.map(partOf),
      }
      const said = (lies[key] ?? ((same) => same))(truth)
      cluster.say(key, { kind: 'answer', id, last: true, answer: { kind: 'prove', state: said } })
    })
  }
  const call = client.put('a', '1')
  await pass(3000)
  await call
  return { cluster, client }
}

describe('the addresses of the members', () => {
  it('are those of the state, once there is a new epoch', async () => {
    const { cluster, client } = await moved()
    expect([...cluster.dialled].filter(([key]) => MEMBERS.includes(key))).toEqual(
      MEMBERS.map((key, i) => [key, PLACES[i]]),
    )
    await client.close()
  })

  it('are not what one replica says without a proof, and the next one is asked', async () => {
    const elsewhere: Lie = (truth) => ({
      ...truth,
      values: truth.values.map(({ proof }) => ({ value: utf8('elsewhere'), proof })),
    })
    const { cluster, client } = await moved({ 0: elsewhere })
    expect(client.counters()['proof-wrong']).toBe(1)
    expect(cluster.dialled.get(4)).toEqual(PLACES[3])
    await client.close()
  })

  it('are in what the client says of one that cannot be reached', async () => {
    const { cluster, client } = await moved()
    cluster.cut(4)
    const asked = client.status(replicaIndex(3), { timeoutMs: 500 })
    asked.catch(() => {})
    await pass(1000)
    await expect(asked).rejects.toThrow('replica 3 (/ip4/10.0.0.4/tcp/7400)')
    await client.close()
  })
})
