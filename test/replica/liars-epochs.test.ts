// Real replicas of which one lies about changes of the members. What the lies do to the core the simulator has; here they must really leave.

import { afterEach, describe, expect, it } from 'vitest'
import { memberId } from '../../crypto/index.ts'
import { genesisCharter } from '../../keys/charter/index.ts'
import { parseBehaviour } from '../../src/byzantine/index.ts'
import { ChangingCluster, type ChangingOptions, write } from './changing-cluster.ts'
import { until } from './memory-cluster.ts'

let cluster: ChangingCluster | undefined

afterEach(async () => {
  await cluster?.close()
  expect(cluster?.fatal).toEqual([])
  cluster = undefined
})

/** All are up; the first one lies. */
async function startedWith(behaviour: string, options: ChangingOptions = {}): Promise<ChangingCluster> {
  cluster = new ChangingCluster(options)
  const [, ...honest] = cluster.genesis.members.keys()
  await cluster.startWith(0, { liar: parseBehaviour(behaviour) })
  await cluster.start(...honest)
  return cluster
}

/** Kinds of proofs that these replicas hold; all against the member at `position` of their epoch or the one before. */
function proofs(c: ChangingCluster, numbers: readonly number[], position: number): string[] {
  const lies = numbers.flatMap((number) => c.status(number).lies)
  expect(lies.filter(({ accused }) => accused !== position)).toEqual([])
  return lies.map(({ kind }) => kind)
}

describe('a change of the parameters goes through, and who was away follows it, where one replica', () => {
  it.each(['early', 'wrong-next', 'past-the-end', 'forge-chain'])(
    'lies as %s, and nobody honest is accused',
    async (lie) => {
      const c = await startedWith(lie)
      const [admin, client] = [await c.client('admin'), await c.client()]
      await write(client, 2, 'before')
      await c.stop(3)
      const parameters = { ...c.genesis.parameters, window: 3 }
      await admin.submit([c.change(genesisCharter(c.genesis), { parameters })])
      await c.inEpoch(1, 1, 2)
      await c.start(3)
      await c.inEpoch(1, 3)
      await write(client, 5, 'after')
      await c.settled(1, 2, 3)
      proofs(c, [1, 2, 3], 0)
    },
  )

  it('votes early and is convicted of what it then votes in time', async () => {
    const c = await startedWith('early')
    const [admin, client] = [await c.client('admin'), await c.client()]
    const parameters = { ...c.genesis.parameters, window: 3 }
    await admin.submit([c.change(genesisCharter(c.genesis), { parameters })])
    await c.inEpoch(1, 1, 2, 3)
    await write(client, 5, 'after')
    await until(() => [1, 2, 3].some((number) => proofs(c, [number], 0).includes('two-votes')))
  })

  it('shows clients a chain of its own making', async () => {
    const c = await startedWith('forge-chain')
    const [admin, client] = [await c.client('admin'), await c.client()]
    const parameters = { ...c.genesis.parameters, window: 3 }
    await admin.submit([c.change(genesisCharter(c.genesis), { parameters })])
    await c.inEpoch(1, 1, 2, 3)
    await until(() => c.status(0).epoch === 1)
    const [honest, forged] = [await c.links(client, 1), await c.links(client, 0)]
    expect(() => c.chainOf(honest)).not.toThrow()
    expect(() => c.chainOf(forged)).toThrow()
  })
})

describe('a member that was removed and votes on', () => {
  it('is heard by nobody, and convicted of it', async () => {
    const c = await startedWith('still-here', { replicas: 5 })
    const [admin, client] = [await c.client('admin'), await c.client()]
    await write(client, 2, 'before')
    await admin.submit([c.change(genesisCharter(c.genesis), { edits: [{ op: 'remove', id: memberId(0) }] })])
    await c.inEpoch(1, 1, 2, 3, 4)
    c.meet(1, 2, 3, 4)
    await write(client, 20, 'after')
    await c.settled(1, 2, 3, 4)
    await until(() => [1, 2, 3, 4].some((number) => proofs(c, [number], 0).includes('past-the-end')))
    expect(c.status(1)).toMatchObject({ epoch: 1, alarms: [] })
  })
})
