// Clients that come, go and change their roles while the cluster runs, on real processes.

import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { LocalCluster } from '../../src/cli/launch/local-cluster.ts'
import { quorateIn } from './run.ts'

let root: string
let cluster: LocalCluster

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'quorate-clients-'))
  cluster = await LocalCluster.make({ folder: join(root, 'cluster'), replicas: 4, clients: 2 })
  await cluster.startAll()
})

afterAll(async () => {
  await cluster.dispose()
  await rm(root, { recursive: true, force: true })
})

const quorate = (...args: string[]) => quorateIn({ QUORATE_CLUSTER: cluster.folder }, ...args)

const folderOf = (name: string) => join(cluster.folder, `client-${name}`)

describe('a client who is added to a running cluster', () => {
  it('may do what its role allows from the next request on, and nothing once it was removed', async () => {
    const added = await quorate('client', 'add', 'billing', '--role', 'reader', '--receipt', join(root, 'r.jsonl'))
    expect(added).toMatchObject({ code: 0, out: expect.stringContaining('billing is a client with the role reader') })
    expect(await quorate('put', 'k', 'v')).toMatchObject({ code: 0 })
    expect(await quorate('get', 'k', '--client', 'billing')).toMatchObject({
      code: 0,
      out: expect.stringContaining('v'),
    })
    expect(await quorate('put', 'k', 'w', '--client', 'billing')).toMatchObject({ code: 1 })
    expect(await quorate('client', 'role', 'billing', 'writer')).toMatchObject({ code: 0 })
    expect(await quorate('put', 'k', 'w', '--client', 'billing')).toMatchObject({ code: 0 })
    expect(await quorate('client', 'remove', 'billing')).toMatchObject({ code: 0 })
    const late = await quorate('get', 'k', '--client', 'billing', '--timeout', '3')
    expect(late.code).not.toBe(0)
    const genesis = join(cluster.folder, 'genesis.json')
    expect(await quorate('audit', 'verify', join(root, 'r.jsonl'), '--genesis', genesis)).toMatchObject({ code: 0 })
  })

  it('is still one after every replica was killed and started again', async () => {
    expect(await quorate('client', 'add', 'steady')).toMatchObject({ code: 0 })
    await Promise.all(cluster.indexes.map((index) => cluster.kill(index)))
    await cluster.startAll()
    expect(await quorate('put', 'k', 'after', '--client', 'steady')).toMatchObject({ code: 0 })
  })

  it('leaves no key behind where the cluster refused it', async () => {
    const refused = await quorate('client', 'add', 'nobody', '--client', 'writer-1')
    expect(refused).toMatchObject({ code: 1, out: expect.stringContaining('this client is no admin') })
    expect(existsSync(folderOf('nobody'))).toBe(false)
    expect(await quorate('client', 'add', 'twice')).toMatchObject({ code: 0 })
    const again = await quorate('client', 'add', 'twice')
    expect(again).toMatchObject({ code: 1, error: expect.stringContaining('exists and is not overwritten') })
    const used = await quorate('client', 'add', 'twice', '--existing', '--json')
    expect(used.code).toBe(1)
    expect(JSON.parse(used.out)).toMatchObject({ outcome: 'refused', code: 'key-in-use' })
    expect(existsSync(folderOf('twice'))).toBe(true)
  })

  it('does not leave the cluster without an admin', async () => {
    const refused = await quorate('client', 'remove', 'admin')
    expect(refused).toMatchObject({ code: 1, out: expect.stringContaining('make another admin first') })
  })
})
