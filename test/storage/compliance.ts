// What every store does, whatever it is made of. Run for disk, memory and a faulty disk.

import { hash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import type { Store, StoreOptions, StoreRecord } from '../../src/storage/index.ts'
import { MAX_KEYS } from '../../src/storage/limits.ts'
import { bytesOf, keyed, vote } from './records.ts'

/** A place for one store; opening it again after closing is a restart. */
export interface Place {
  open(options?: Pick<StoreOptions, 'retention'>): Promise<Store>
  /** Of a segment, which is what a cut deletes; 1 where it deletes single records. */
  readonly segmentBytes: number
  /** Each append is synced before it returns. */
  readonly atOnce?: boolean
}

export function describeStore(name: string, place: () => Place): void {
  describe(`a store ${name}: appending`, () => {
    it('is empty when it is new', async () => {
      const store = await place().open()
      expect(store.recovered).toEqual({ records: [], damaged: [], tornBytes: 0, snapshot: undefined })
      expect(store.firstSlot).toBe(1)
      await store.close()
    })

    it('gives back after a restart what was appended, in that order', async () => {
      const at = place()
      const records = [...Array(40).keys()].map((i) => vote(i + 1, i * 37))
      const first = await at.open()
      for (const record of records.slice(0, 30)) await append(first, [record])
      await append(first, records.slice(30))
      await first.close()
      const second = await at.open()
      expect(second.recovered).toMatchObject({ records, damaged: [], tornBytes: 0 })
      await second.close()
    })

    it('takes records of no bytes and of a megabyte', async () => {
      const at = place()
      const records = [vote(1, 0), vote(2, 1024 * 1024), { kind: 255, slot: 0, key: 'é'.repeat(32), bytes: bytesOf(3) }]
      await restarted(at, (store) => append(store, records))
      const store = await at.open()
      expect(store.recovered.records.map(digested)).toEqual(records.map(digested))
      await store.close()
    })

    it('says that appends are durable in their order, and the empty one last too', async () => {
      const store = await place().open()
      const heard: string[] = []
      const all = Promise.all([
        ...['a', 'b', 'c'].map((mark, i) => heardOf(store, [vote(i + 1, 10)], () => heard.push(mark))),
        heardOf(store, [], () => heard.push('end')),
      ])
      await all
      expect(heard).toEqual(['a', 'b', 'c', 'end'])
      await store.close()
    })

    it('writes and syncs the appends of one turn as one, but where it does so at once', async () => {
      const { open, atOnce = false } = place()
      const store = await open()
      await append(store, [vote(1, 10)])
      const { syncs, appends } = store.counters()
      await Promise.all([2, 3, 4, 5].map((slot) => append(store, [vote(slot, 100)])))
      expect(store.counters()).toMatchObject({
        syncs: syncs + (syncs === 0 ? 0 : atOnce ? 4 : 1),
        appends: appends + 4,
      })
      await store.close()
    })

    it('lets other things happen while its caller appends whenever it may', async () => {
      const store = await place().open()
      let others = 0
      const immediate = () => {
        others++
        if (others < 3) setImmediate(immediate)
      }
      setImmediate(immediate)
      const most = 2000
      const appends = await new Promise<number>((resolve) => {
        const next = (count: number) => {
          if (others === 3 || count === most) resolve(count)
          else store.append([vote(1 + count, 10)], () => next(count + 1))
        }
        next(0)
      })
      expect(appends).toBeLessThan(most)
      await store.close()
    })

    it('goes on where it stopped after each restart', async () => {
      const at = place()
      for (let life = 1; life <= 4; life++) {
        const store = await at.open()
        expect(store.recovered.records).toEqual([...Array(life - 1).keys()].map((i) => vote(i + 1, 600)))
        await append(store, [vote(life, 600)])
        await store.close()
      }
    })

    it.each<[string, StoreRecord, string]>([
      ['kind 0', { ...vote(1, 1), kind: 0 }, 'from 1 to 255'],
      ['a slot below 0', { ...vote(1, 1), slot: -1 }, 'whole number'],
      ['a slot and a key', { ...vote(1, 1), key: 'x' }, 'has no key'],
      ['neither', { ...vote(1, 1), slot: 0 }, 'needs a key'],
      ['a long key', { ...keyed('é'.repeat(33), 1) }, 'bytes of a key: at most 64, got 66'],
    ])('refuses a record with %s, and appends nothing of that call', async (_, record, sentence) => {
      const at = place()
      await restarted(at, async (store) => {
        expect(() => store.append([vote(9, 9), record], () => {})).toThrow(sentence)
        await append(store, [vote(1, 1)])
      })
      const store = await at.open()
      expect(store.recovered.records).toEqual([vote(1, 1)])
      await store.close()
    })

    it('refuses one key too many, also after a restart', async () => {
      const at = place()
      const keys = [...Array(MAX_KEYS).keys()].map((i) => keyed(`key/${i}`, 1))
      await restarted(at, (store) => append(store, keys))
      const store = await at.open()
      expect(() => store.append([keyed('one more', 1)], () => {})).toThrow(`at most ${MAX_KEYS}, got ${MAX_KEYS + 1}`)
      await append(store, [keyed('key/7', 2)])
      await store.close()
    })
  })

  describe(`a store ${name}: closing`, () => {
    it('waits for what was appended, refuses what comes later, and may be repeated', async () => {
      const at = place()
      const store = await at.open()
      let heard = false
      store.append([vote(1, 1)], () => {
        heard = true
      })
      await Promise.all([store.close(), store.close()])
      expect(heard).toBe(true)
      expect(() => store.append([vote(2, 1)], () => {})).toThrow('closed')
      expect(() => store.cut(1)).toThrow('closed')
      await expect(store.putSnapshot(1, bytesOf(1), [])).rejects.toThrow('closed')
      await store.close()
      const again = await at.open()
      expect(again.recovered.records).toEqual([vote(1, 1)])
      await again.close()
    })
  })

  describe(`a store ${name}: keys and cuts`, () => {
    it('keeps the newest record of each key through every cut, in the order of appending', async () => {
      const at = place()
      await restarted(at, async (store) => {
        await append(store, [keyed('promise', 1), keyed('new-view', 2)])
        for (let slot = 1; slot <= 60; slot++) {
          await append(store, [vote(slot, at.segmentBytes / 8)])
          if (slot === 20) await append(store, [keyed('promise', 3)])
          if (slot === 50) await append(store, [keyed('promise', 4), keyed('evidence/3', 5)])
          if (slot % 10 === 0) store.cut(slot - 5)
        }
      })
      for (let life = 0; life < 2; life++) {
        await restarted(at, async ({ recovered }) => {
          const votes = [56, 57, 58, 59, 60].map((slot) => vote(slot, at.segmentBytes / 8))
          expect(recovered.records).toEqual([
            keyed('new-view', 2),
            keyed('promise', 4),
            keyed('evidence/3', 5),
            ...votes,
          ])
          expect(recovered.damaged).toEqual([])
        })
      }
    })

    it('tells of nothing at or below the cut after a restart, and a lower cut takes nothing back', async () => {
      const at = place()
      await restarted(at, async (store) => {
        for (let slot = 1; slot <= 9; slot++) await append(store, [vote(slot, 50)])
        store.cut(6)
        store.cut(2)
        await append(store, [vote(3, 7)])
      })
      const store = await at.open()
      expect(store.recovered.records).toEqual([7, 8, 9].map((slot) => vote(slot, 50)))
      await store.close()
    })

    it('keeps no more on disk than ten segments when it is cut every ten slots', async () => {
      const at = place()
      const store = await at.open()
      for (let slot = 1; slot <= 400; slot++) {
        await append(store, [vote(slot, at.segmentBytes / 8), keyed('promise', slot)])
        if (slot % 10 === 0) store.cut(slot)
        expect(store.counters().bytesOnDisk).toBeLessThanOrEqual(10 * at.segmentBytes)
      }
      await store.close()
    })
  })

  describe(`a store ${name}: reading`, () => {
    it('gives the records about a range of slots in the order of appending, without those about none', async () => {
      const store = await place().open()
      for (const slot of [3, 1, 2, 5, 4, 3, 6]) await append(store, [vote(slot, 200), keyed('promise', slot)])
      expect(await slotsOf(store, 2, 4)).toEqual([3, 2, 4, 3])
      expect(await slotsOf(store, 7, 9)).toEqual([])
      expect(await slotsOf(store, 1, Number.MAX_SAFE_INTEGER)).toEqual([3, 1, 2, 5, 4, 3, 6])
      await store.close()
    })

    it('gives what was durable when it began, while appends and cuts go on', async () => {
      const at = place()
      const store = await at.open()
      for (let slot = 1; slot <= 30; slot++) await append(store, [vote(slot, at.segmentBytes / 4)])
      const seen: number[] = []
      for await (const { slot } of store.read(20, 30)) {
        seen.push(slot)
        await append(store, [vote(100 + slot, at.segmentBytes / 4)])
        store.cut(15)
      }
      expect(seen).toEqual([20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30])
      await store.close()
    })

    it('gives what retention keeps below the cut, which a restart does not recover', async () => {
      const at = place()
      const open = () => at.open({ retention: { slots: 20 } })
      const first = await open()
      for (let slot = 1; slot <= 60; slot++) await append(first, [vote(slot, at.segmentBytes / 2)])
      first.cut(50)
      await first.close()
      const store = await open()
      expect(store.recovered.records.map(({ slot }) => slot)).toEqual([51, 52, 53, 54, 55, 56, 57, 58, 59, 60])
      expect(store.firstSlot).toBeGreaterThan(1)
      expect(store.firstSlot).toBeLessThanOrEqual(31)
      const kept = await slotsOf(store, store.firstSlot, 60)
      expect(kept).toEqual([...Array(61 - store.firstSlot).keys()].map((i) => store.firstSlot + i))
      await store.close()
    })

    it('keeps as many bytes below the cut as retention asks for', async () => {
      const at = place()
      const store = await at.open({ retention: { bytes: 8 * at.segmentBytes } })
      for (let slot = 1; slot <= 60; slot++) {
        await append(store, [vote(slot, at.segmentBytes / 2)])
        store.cut(slot)
      }
      const kept = await slotsOf(store, store.firstSlot, 60)
      expect(store.firstSlot).toBeGreaterThan(1)
      expect(kept.length * (at.segmentBytes / 2)).toBeGreaterThanOrEqual(6 * at.segmentBytes)
      await store.close()
    })
  })

  describe(`a store ${name}: snapshots`, () => {
    it('gives back the newest after a restart: meta, and the chunks in their order', async () => {
      const at = place()
      const chunks = [bytesOf(1), bytesOf(2, 700_000), new Uint8Array(0), bytesOf(4, 3)]
      await restarted(at, async (store) => {
        await store.putSnapshot(10, bytesOf(1), [bytesOf(9)])
        await store.putSnapshot(20, bytesOf(2), asynchronous(chunks))
      })
      const store = await at.open()
      const { snapshot } = store.recovered
      expect(snapshot).toMatchObject({ slot: 20, meta: bytesOf(2) })
      expect([...(snapshot?.chunks() ?? [])].map(digest)).toEqual(chunks.map(digest))
      await store.close()
    })

    it('has the snapshot that was put last, also where its slot is lower', async () => {
      const at = place()
      await restarted(at, async (store) => {
        for (const slot of [10, 20, 30, 15]) await store.putSnapshot(slot, bytesOf(slot), [])
      })
      const store = await at.open()
      expect(store.recovered.snapshot).toMatchObject({ slot: 15, meta: bytesOf(15) })
      await store.close()
    })

    it('keeps the older one where the chunks of the next never end', async () => {
      const at = place()
      await restarted(at, async (store) => {
        await store.putSnapshot(10, bytesOf(1), [bytesOf(9)])
        await expect(store.putSnapshot(20, bytesOf(2), broken())).rejects.toThrow('no more chunks')
        await store.putSnapshot(15, bytesOf(3), [])
      })
      const store = await at.open()
      expect(store.recovered.snapshot?.slot).toBe(15)
      await store.close()
    })

    it('takes one at a time', async () => {
      const store = await place().open()
      const first = store.putSnapshot(10, bytesOf(1), [bytesOf(9)])
      await expect(store.putSnapshot(11, bytesOf(1), [])).rejects.toThrow('written already')
      await first
      await store.putSnapshot(11, bytesOf(1), [])
      await store.close()
    })

    it('leaves what the caller does with a chunk afterwards to the caller', async () => {
      const at = place()
      await restarted(at, async (store) => {
        const reused = new Uint8Array(3)
        const chunks = function* () {
          for (const value of [1, 2]) yield reused.fill(value)
        }
        await store.putSnapshot(10, bytesOf(1), chunks())
      })
      const store = await at.open()
      expect([...(store.recovered.snapshot?.chunks() ?? [])]).toEqual([bytesOf(1, 3), bytesOf(2, 3)])
      await store.close()
    })
  })
}

/** Resolves when `records` are durable. */
export function append(store: Store, records: readonly StoreRecord[]): Promise<void> {
  return heardOf(store, records, () => {})
}

function heardOf(store: Store, records: readonly StoreRecord[], then: () => void): Promise<void> {
  return new Promise((resolve) => {
    store.append(records, () => {
      then()
      resolve()
    })
  })
}

export async function slotsOf(store: Store, from: number, to: number): Promise<number[]> {
  const slots: number[] = []
  for await (const { slot } of store.read(from, to)) slots.push(slot)
  return slots
}

/** Large byte arrays take seconds to compare one by one. */
function digested(record: StoreRecord): object {
  return { ...record, bytes: digest(record.bytes) }
}

function digest(bytes: Uint8Array): string {
  return hash('sha256', bytes)
}

/** One life of a store. */
async function restarted(place: Place, use: (store: Store) => Promise<void>): Promise<void> {
  const store = await place.open()
  await use(store)
  await store.close()
}

async function* asynchronous(chunks: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* chunks
}

function* broken(): Generator<Uint8Array> {
  yield bytesOf(1)
  throw new Error('no more chunks')
}
