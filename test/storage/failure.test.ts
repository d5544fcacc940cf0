// Disks that refuse: nothing is acknowledged any more, the failure is told once, and a later start finds everything that was.

import { describe, expect, it } from 'vitest'
import { MAX_PENDING_BYTES } from '../../src/storage/limits.ts'
import { append, slotsOf } from './compliance.ts'
import { FaultyDisk, nothing } from './faulty-disk.ts'
import { bytesOf, vote } from './records.ts'
import { FOLDER, open, until } from './support.ts'

describe('a sync under way', () => {
  it('is what appends wait for, and those that come meanwhile share the next one', async () => {
    const disk = new FaultyDisk()
    const store = await open(disk)
    const { syncs } = store.counters()
    const release = disk.holdSyncs()
    const durable: number[] = []
    const add = (slot: number) => store.append([vote(slot, 50)], () => durable.push(slot))
    add(1)
    await until(() => disk.syncsWaiting === 1)
    add(2)
    add(3)
    await new Promise((turnEnded) => setImmediate(turnEnded))
    add(4)
    await new Promise((turnEnded) => setImmediate(turnEnded))
    expect(durable).toEqual([])
    expect(disk.syncsWaiting).toBe(1)
    release()
    await until(() => durable.length === 4)
    expect(durable).toEqual([1, 2, 3, 4])
    expect(store.counters().syncs).toBe(syncs + 2)
    await store.close()
  })
})

describe('syncs that are done at once', () => {
  it('are over when an append returns, and its caller is told before that', async () => {
    const disk = new FaultyDisk()
    disk.quick = true
    const store = await open(disk)
    const { syncs } = store.counters()
    const durable: number[] = []
    for (const slot of [1, 2, 3]) {
      store.append([vote(slot, 50)], () => durable.push(slot))
      expect(durable.at(-1)).toBe(slot)
    }
    expect(store.counters().syncs).toBe(syncs + 3)
    disk.cutPower(nothing)
    const again = await open(disk)
    expect(again.recovered.records).toEqual([1, 2, 3].map((slot) => vote(slot, 50)))
  })

  it('keep nobody from anything who appends whenever an append is done', async () => {
    const disk = new FaultyDisk()
    disk.quick = true
    const store = await open(disk)
    let done = 0
    const more = () => {
      if (++done < 10_000) store.append([vote(1, 1)], more)
    }
    let turns = 0
    const count = () => {
      turns++
      if (done < 10_000) setImmediate(count)
    }
    setImmediate(count)
    store.append([vote(1, 1)], more)
    await until(() => done === 10_000)
    expect(turns).toBeGreaterThan(1_000)
    await store.close()
  })
})

describe('a disk that fails', () => {
  const fails: readonly (readonly [string, (disk: FaultyDisk) => void, string, boolean])[] = [true, false].flatMap(
    (quick) => [
      ['is full', (disk) => (disk.room = 700), 'the disk is full', quick],
      ['is full to the byte', (disk) => (disk.room = 0), 'the disk is full', quick],
      ['fails to sync', (disk) => (disk.failsToSync = true), 'the disk failed', quick],
    ],
  )

  it.each(fails)(
    'and %s is told once, acknowledges nothing more, and loses nothing that was (at once: %4$s)',
    async (_, fail, sentence, quick) => {
      const disk = new FaultyDisk()
      disk.quick = quick
      const failures: Error[] = []
      const store = await open(disk, { onFailure: (error) => failures.push(error) })
      await append(store, [vote(1, 100)])
      fail(disk)
      const told: number[] = []
      for (const slot of [2, 3]) store.append([vote(slot, 5000)], () => told.push(slot))
      await until(() => failures.length > 0)
      store.append([vote(4, 10)], () => told.push(4))
      store.cut(1)
      expect(await slotsOf(store, 1, 9)).toEqual([1])
      await store.close()
      expect(told).toEqual([])
      expect(failures.map(({ message }) => message)).toEqual([expect.stringContaining(sentence)])

      disk.failsToSync = false
      disk.room = Number.POSITIVE_INFINITY
      const again = await open(disk)
      expect(again.recovered.records[0]).toEqual(vote(1, 100))
      expect(again.recovered.damaged).toEqual([])
      await append(again, [vote(5, 10)])
      await again.close()
    },
  )

  it('in the middle of a snapshot leaves the older one, and the log goes on', async () => {
    const disk = new FaultyDisk()
    const store = await open(disk)
    await store.putSnapshot(10, bytesOf(1), [bytesOf(1)])
    await append(store, [vote(1, 10)])
    disk.room = 600
    await expect(store.putSnapshot(20, bytesOf(2), [bytesOf(2, 4000)])).rejects.toMatchObject({ code: 'io' })
    expect(disk.paths().filter((path) => path.endsWith('.tmp'))).toEqual([])
    disk.room = Number.POSITIVE_INFINITY
    await append(store, [vote(2, 10)])
    await store.close()
    const again = await open(disk)
    expect(again.recovered).toMatchObject({ records: [vote(1, 10), vote(2, 10)], damaged: [], snapshot: { slot: 10 } })
    await again.close()
  })

  it('while a store is made leaves none, and it can be made again', async () => {
    const disk = new FaultyDisk()
    disk.room = 550
    await expect(open(disk)).rejects.toMatchObject({ code: 'io' })
    await expect(open(disk, { create: false })).rejects.toMatchObject({ code: 'missing' })
    disk.room = Number.POSITIVE_INFINITY
    await (await open(disk)).close()
  })

  it('never to answer again is told when too much waits for it', async () => {
    const disk = new FaultyDisk()
    const failures: Error[] = []
    const store = await open(disk, { onFailure: (error) => failures.push(error) })
    disk.holdSyncs()
    // One array for all of them: it is only waiting.
    const bytes = new Uint8Array(MAX_PENDING_BYTES / 16 - 100)
    for (let waiting = 0; waiting <= MAX_PENDING_BYTES; waiting += bytes.length) {
      expect(failures).toEqual([])
      store.append([{ kind: 1, slot: 1, bytes }], () => {})
    }
    expect(failures.map(({ message }) => message)).toEqual([expect.stringContaining('does not keep up')])
  })
})

describe('what an interrupted process left', () => {
  it('is cleared away at the next start: temporary files, and segments that a cut had given up', async () => {
    const disk = new FaultyDisk()
    const store = await open(disk)
    for (let slot = 1; slot <= 20; slot++) await append(store, [vote(slot, 1000)])
    const old = disk.content(`${FOLDER}/log-000000000001`)
    store.cut(20)
    await store.close()
    for (const name of ['log-000000000001', 'snapshot-0000000000000007.tmp', 'identity.tmp']) {
      const file = await disk.openForWriting(`${FOLDER}/${name}`, 'new')
      await file.write([old], 0)
    }
    const again = await open(disk)
    expect(again.recovered).toMatchObject({ records: [], damaged: [], tornBytes: 0 })
    expect(again.firstSlot).toBeGreaterThan(3)
    await again.close()
    const names = disk.paths().map((path) => path.slice(FOLDER.length + 1))
    expect(names).toEqual(['identity', 'identity.copy', expect.stringMatching(/^log-0/)])
  })
})
