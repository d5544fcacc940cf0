// An older copy of a data folder on a real replica: it is refused with the one command that helps, and that helps.

import { cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { LocalCluster } from '../../src/cli/launch/local-cluster.ts'
import { quorateIn } from './run.ts'

let root: string
let cluster: LocalCluster

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'quorate-rolled-back-'))
  const parameters = { window: 16, checkpointInterval: 16 }
  cluster = await LocalCluster.make({ folder: join(root, 'cluster'), replicas: 4, clients: 1, parameters })
  await cluster.startAll()
})

afterAll(async () => {
  await cluster.dispose()
  await rm(root, { recursive: true, force: true })
})

const quorate = (...args: string[]) => quorateIn({ QUORATE_CLUSTER: cluster.folder }, ...args)
const put = async (value: string) => expect(await quorate('put', 'k', value)).toMatchObject({ code: 0 })

it('an older copy of a data folder is refused, and the command that it prints replaces the replica', async () => {
  const [data, copy] = [join(cluster.folder, 'replica-2', 'data'), join(root, 'copy')]
  await put('before')
  await cluster.kill(2)
  await cp(data, copy, { recursive: true })
  await cluster.start(2)
  // Three of three: what is agreed now has its vote.
  await cluster.kill(3)
  await put('since')
  await cluster.kill(2)
  await cluster.start(3)
  await rm(data, { recursive: true })
  await cp(copy, data, { recursive: true })
  const refused = await quorate('replica', cluster.folder, '--index', '2')
  expect(refused.code).toBe(1)
  expect(refused.error).toMatch(/data is an older copy: replica \d holds what this replica has signed since, /)
  const [, line = ''] = /a new replica in its place: quorate (.*)/.exec(refused.error) ?? []
  expect(await quorate(...line.split(' '))).toMatchObject({ code: 0, out: expect.stringContaining('it is member 4') })
  await cluster.start(4)
  await cluster.kill(3)
  await put('after')
})
