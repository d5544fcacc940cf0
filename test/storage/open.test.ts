// Whose store it is, and who may have it open.

import { mkdtemp, readdir, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { afterAll, describe, expect, it } from 'vitest'
import { emptyContents, memoryStore, openStore, type Store, type StoreOptions } from '../../src/storage/index.ts'
import { append } from './compliance.ts'
import { FaultyDisk } from './faulty-disk.ts'
import { bytesOf, IDENTITY, keyed, vote } from './records.ts'
import { FOLDER, open } from './support.ts'

const folder = await mkdtemp(join(tmpdir(), 'quorate-open-'))
let places = 0

afterAll(async () => {
  await rm(folder, { recursive: true })
})

function real(options: Partial<StoreOptions> = {}): Promise<Store> {
  const onFailure = (error: Error) => {
    throw error
  }
  const path = join(folder, String(places++), 'store')
  return openStore({ path, identity: IDENTITY, durability: 'fsync', create: true, onFailure, ...options })
}

describe('an absent store', () => {
  it.each(['fsync', 'os', 'memory'] as const)(
    'is refused (%s) with what to do, unless it may be made',
    async (durability) => {
      const refused = real({ durability, create: false })
      await expect(refused).rejects.toMatchObject({
        code: 'missing',
        message: expect.stringContaining('quorate member join'),
      })
      await (await real({ durability })).close()
    },
  )

  it('is refused without leaving a trace', async () => {
    const path = join(folder, 'none')
    await expect(real({ path, create: false })).rejects.toMatchObject({ code: 'missing' })
    expect(await readdir(folder)).not.toContain('none')
  })

  it('whose log is still there is damaged, and nothing is made in its place', async () => {
    const disk = new FaultyDisk()
    const store = await open(disk)
    await append(store, [keyed('promise', 1)])
    await store.close()
    const log = disk.content(`${FOLDER}/log-000000000001`)
    for (const name of ['identity', 'identity.copy']) disk.lose(`${FOLDER}/${name}`)
    for (const create of [true, false]) await expect(open(disk, { create })).rejects.toMatchObject({ code: 'damaged' })
    expect(disk.content(`${FOLDER}/log-000000000001`)).toEqual(log)
  })
})

describe('a store of somebody else', () => {
  it.each<[string, StoreOptions['identity'], string]>([
    ['cluster', { ...IDENTITY, clusterId: bytesOf(9, 32) }, 'another cluster, 01010101, not of 09090909'],
    ['replica', { ...IDENTITY, replica: 1 }, 'replica 2, not of replica 1'],
    ['key', { ...IDENTITY, consensusKey: bytesOf(9, 32) }, 'replica 2 with another consensus key, 03030303'],
  ])('(another %s) is refused with what to do', async (_, identity, sentence) => {
    const disk = new FaultyDisk()
    await (await open(disk)).close()
    const refused = open(disk, { identity })
    await expect(refused).rejects.toMatchObject({ code: 'foreign', message: expect.stringContaining(sentence) })
    await (await open(disk)).close()
  })

  it('of another format is refused with both formats', async () => {
    const disk = new FaultyDisk()
    await (await open(disk)).close()
    const other = Buffer.from(`quorate-store-7\nowner 1\ncheck ${crc32('quorate-store-7\nowner 1\n')}\n`)
    for (const name of ['identity', 'identity.copy']) disk.damage(`${FOLDER}/${name}`, other)
    await expect(open(disk)).rejects.toMatchObject({ code: 'format', message: expect.stringMatching(/-7.*-1/) })
  })

  it('with one damaged file of two is opened and heals; with two it is refused', async () => {
    const disk = new FaultyDisk()
    const store = await open(disk)
    await append(store, [vote(1, 10)])
    await store.close()
    for (const name of ['identity', 'identity.copy']) {
      const path = `${FOLDER}/${name}`
      disk.damage(path, disk.content(path).with(40, 0))
      const again = await open(disk)
      expect(again.recovered).toMatchObject({ records: [vote(1, 10)], damaged: [] })
      await again.close()
    }
    for (const name of ['identity', 'identity.copy']) disk.damage(`${FOLDER}/${name}`, bytesOf(1))
    await expect(open(disk)).rejects.toMatchObject({ code: 'damaged' })
  })
})

describe('a store whose replica gets another key', () => {
  const next = bytesOf(9, 32)
  const renewed = { ...IDENTITY, consensusKey: next }

  it('is that of the new key from then on, and of the old one no more', async () => {
    const disk = new FaultyDisk()
    const store = await open(disk)
    await append(store, [vote(1, 10)])
    await store.adopt(next)
    await append(store, [vote(2, 10)])
    await store.close()
    await expect(open(disk)).rejects.toMatchObject({ code: 'foreign' })
    const again = await open(disk, { identity: renewed })
    expect(again.recovered.records).toEqual([vote(1, 10), vote(2, 10)])
    await again.close()
  })

  it('is opened under either, while it is not known how far that came', async () => {
    const disk = new FaultyDisk()
    const store = await open(disk)
    const both = { otherKey: next }
    await store.close()
    await (await open(disk, both)).close()
    const changing = await open(disk)
    await changing.adopt(next)
    await changing.close()
    await (await open(disk, both)).close()
    await expect(open(disk, { otherKey: bytesOf(8, 32) })).rejects.toMatchObject({ code: 'foreign' })
  })

  it('has a lost copy made again under the key that it has', async () => {
    const disk = new FaultyDisk()
    await (await open(disk)).close()
    disk.lose(`${FOLDER}/identity.copy`)
    await (await open(disk, { identity: renewed, otherKey: IDENTITY.consensusKey })).close()
    disk.lose(`${FOLDER}/identity`)
    await (await open(disk)).close()
  })
})

describe('a store that is open', () => {
  it('cannot be opened a second time, by name of the process, until it is closed', async () => {
    const path = join(folder, 'twice')
    const store = await real({ path })
    for (let attempt = 0; attempt < 2; attempt++) {
      const refused = real({ path })
      await expect(refused).rejects.toMatchObject({
        code: 'locked',
        message: expect.stringContaining(`process ${process.pid} `),
      })
    }
    await append(store, [vote(1, 10)])
    await store.close()
    await (await real({ path })).close()
  })

  it('is given back where opening fails', async () => {
    const path = join(folder, 'failing')
    await (await real({ path })).close()
    await expect(real({ path, identity: { ...IDENTITY, replica: 7 } })).rejects.toMatchObject({ code: 'foreign' })
    await (await real({ path })).close()
  })

  it('has files and folders that only its owner can read, and nothing outside its folder', async () => {
    const path = join(folder, 'modes', 'a', 'b')
    const store = await real({ path })
    await append(store, [vote(1, 10)])
    await store.putSnapshot(1, bytesOf(1), [bytesOf(1)])
    await store.close()
    for (const name of await readdir(path)) expect((await stat(join(path, name))).mode & 0o777, name).toBe(0o600)
    for (const each of [path, join(path, '..')]) expect((await stat(each)).mode & 0o777).toBe(0o700)
    expect(await readdir(join(path, '..'))).toEqual(['b'])
  })
})

describe('a path that will not do', () => {
  it('is refused in one sentence', async () => {
    const path = join(folder, 'modes-of-a-file')
    await (await real({ path })).close()
    const below = join(path, 'identity', 'store')
    await expect(real({ path: below })).rejects.toMatchObject({
      code: 'io',
      message: expect.stringContaining('is a file'),
    })
  })
})

describe('contents in memory', () => {
  it('are those of the next store, and nobody else', async () => {
    const contents = emptyContents()
    const store = memoryStore({ contents })
    await append(store, [vote(1, 1)])
    await store.close()
    expect(memoryStore({ contents }).recovered.records).toEqual([vote(1, 1)])
    expect(memoryStore().recovered.records).toEqual([])
  })
})
