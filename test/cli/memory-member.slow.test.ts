// Replicas that keep nothing (durability memory), on real processes: what one said ends with its process, and so does its key.

import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { LocalCluster } from '../../src/cli/launch/local-cluster.ts'
import { quorateIn } from './run.ts'

const MEMORY = ['--durability', 'memory']

let root: string
let cluster: LocalCluster

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'quorate-memory-'))
  cluster = await LocalCluster.make({ folder: join(root, 'cluster'), replicas: 4, clients: 1 })
})

afterEach(async () => {
  await cluster.dispose()
  await rm(root, { recursive: true, force: true })
})

const quorate = (...args: string[]) => quorateIn({ QUORATE_CLUSTER: cluster.folder }, ...args)
const startAgain = (index: number, ...options: string[]) =>
  quorate('replica', cluster.folder, '--index', `${index}`, ...options)
const keyOf = (index: number) => join(cluster.folder, `replica-${index}`, 'consensus.pem')

it('a member that keeps nothing has no key on disk, is refused when it comes back, and is replaced by the printed command', async () => {
  await Promise.all([0, 1, 2].map((index) => cluster.start(index)))
  await cluster.start(3, MEMORY)
  expect(existsSync(keyOf(3))).toBe(false)
  expect(await quorate('put', 'k', 'before')).toMatchObject({ code: 0 })
  await cluster.kill(3)
  const [refused, otherwise] = [await startAgain(3, ...MEMORY), await startAgain(3)]
  expect(refused.code).toBe(1)
  expect(refused.error).toMatch(
    /replica 3 kept what it said in memory alone, .* under fresh keys only: quorate member join /,
  )
  expect(otherwise).toMatchObject({ code: 1, error: refused.error })
  const [, line = ''] = /fresh keys only: quorate (.*)/.exec(refused.error) ?? []
  expect(await quorate(...line.split(' '))).toMatchObject({ code: 0, out: expect.stringContaining('it is member 4') })
  expect(await startAgain(4, ...MEMORY)).toMatchObject({
    code: 2,
    error: expect.stringContaining('joined with a store'),
  })
  await cluster.start(4)
  await cluster.kill(0)
  expect(await quorate('put', 'k', 'after')).toMatchObject({ code: 0 })
})

it('where all members keep nothing, crashes one after another stop the cluster, which decides nothing else', async () => {
  await Promise.all([0, 1, 2, 3].map((index) => cluster.start(index, MEMORY)))
  expect(await quorate('put', 'k', 'before')).toMatchObject({ code: 0 })
  for (const index of [0, 1, 2]) {
    await cluster.kill(index)
    await expect(cluster.start(index, MEMORY)).rejects.toThrow()
    expect(await startAgain(index, ...MEMORY)).toMatchObject({ code: 1 })
  }
  expect(await quorate('put', 'k', 'another', '--timeout', '5')).not.toMatchObject({ code: 0 })
  expect(await quorate('get', 'k', '--read', 'stale')).not.toMatchObject({ out: expect.stringContaining('another') })
})
