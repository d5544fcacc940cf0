import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { type Genesis, generateReplicaKeys, loadGenesis } from '../../../keys/index.ts'
import { replicasIn } from '../../../src/cli/launch/replicas-in.ts'
import { quorate } from '../run.ts'

it('the replicas to run are the members of the genesis that were not removed, and those that have joined since', async () => {
  const root = await mkdtemp(join(tmpdir(), 'quorate-replicas-'))
  try {
    const cluster = join(root, 'cluster')
    expect(await quorate('keygen', cluster, '--replicas', '4')).toMatchObject({ code: 0 })
    const genesis: Genesis = await loadGenesis(join(cluster, 'genesis.json'))
    expect(await replicasIn(cluster, genesis)).toEqual([0, 1, 2, 3])
    // Removed: it erased its key. Never started, its key is missing by mistake, and it must say so.
    await writeFile(join(cluster, 'replica-1', 'started'), '')
    for (const index of [1, 2]) await rm(join(cluster, `replica-${index}`, 'consensus.pem'))
    for (const index of [10, 5, 6]) await generateReplicaKeys(join(cluster, `replica-${index}`))
    await writeFile(join(cluster, 'replica-6', 'join.json'), '{}')
    await mkdir(join(cluster, 'replica-7'))
    expect(await replicasIn(cluster, genesis)).toEqual([0, 2, 3, 5, 10])
  } finally {
    await rm(root, { recursive: true, force: true })
  }
})
