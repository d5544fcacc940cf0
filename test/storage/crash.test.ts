// Power cuts: what was acknowledged is there, what was not is there as a whole or not at all, and none of it looks like damage.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Store, StoreRecord } from '../../src/storage/index.ts'
import { append } from './compliance.ts'
import { everything, FaultyDisk, firstBytes, nothing, PowerCut, type Survival, sectors } from './faulty-disk.ts'
import { bytesOf, keyed, textOf, vote } from './records.ts'
import { open, SMALL_SEGMENT_BYTES, until } from './support.ts'

/** A disk in whose log `records` were written and not synced, behind `before`, which were. */
async function interrupted(before: readonly StoreRecord[], records: readonly StoreRecord[]): Promise<FaultyDisk> {
  const disk = new FaultyDisk()
  const store = await open(disk)
  for (const record of before) await append(store, [record])
  disk.holdSyncs()
  store.append(records, () => {
    throw new Error('acknowledged without a sync')
  })
  await until(() => disk.syncsWaiting === 1)
  return disk
}

/** Whether the batch is there; everything else must be as if it had never been written. */
async function survived(
  disk: FaultyDisk,
  before: readonly StoreRecord[],
  records: readonly StoreRecord[],
): Promise<{ readonly whole: boolean; readonly tornBytes: number }> {
  const store = await open(disk)
  const { recovered } = store
  const whole = recovered.records.length > before.length
  expect(recovered.records.map(textOf)).toEqual([...before, ...(whole ? records : [])].map(textOf))
  expect(recovered.damaged).toEqual([])
  await append(store, [vote(99, 5)])
  await store.close()
  const next = await open(disk)
  expect(next.recovered.records.at(-1)).toEqual(vote(99, 5))
  expect(next.recovered).toMatchObject({ damaged: [], tornBytes: 0 })
  await next.close()
  return { whole, tornBytes: recovered.tornBytes }
}

describe('a power cut during a write', () => {
  const before = [vote(1, 100), vote(2, 300)]

  it.each([
    ['over zeros', [vote(3, 200), vote(4, 1), vote(5, 700)]],
    ['beyond the end of the file', [vote(3, 1500), vote(4, 1), vote(5, 2100)]],
    ['of zeros', [{ ...vote(3, 0), bytes: new Uint8Array(1200) }]],
  ])('that tears it %s after any number of bytes leaves all of the batch or nothing', async (_, records) => {
    const disk = await interrupted(before, records)
    const outcomes: boolean[] = []
    for (let count = 0; count <= SMALL_SEGMENT_BYTES; count += count < 600 ? 1 : 13) {
      const copy = disk.copy()
      copy.cutPower(firstBytes(count))
      const { whole, tornBytes } = await survived(copy, before, records)
      if (!whole) expect(tornBytes > 0).toBe(count > 0)
      outcomes.push(whole)
    }
    expect(outcomes[0]).toBe(false)
    expect(outcomes.at(-1)).toBe(true)
    expect(outcomes).toEqual([...outcomes].sort())
  })

  it('that leaves any of its sectors leaves all of the batch or nothing', async () => {
    const bodies = fc.oneof(
      fc.uint8Array({ maxLength: 1300 }),
      fc.nat(1300).map((length) => new Uint8Array(length)),
      fc.nat(1300).map((length) => new Uint8Array(length).fill(1, length - 1)),
    )
    const batches = fc.array(bodies, { minLength: 1, maxLength: 5 })
    await fc.assert(
      fc.asyncProperty(batches, fc.array(fc.boolean(), { minLength: 32, maxLength: 32 }), async (batch, kept) => {
        const records = batch.map((bytes, i) => ({ kind: 4, slot: 3 + i, bytes }))
        const disk = await interrupted(before, records)
        disk.cutPower(sectors((sector) => kept[sector % kept.length] ?? false))
        await survived(disk, before, records)
      }),
      { numRuns: 150 },
    )
  })
})

describe('a power cut between any two operations of the disk', () => {
  /** What the caller of the store was told, and what it may have. */
  interface Told {
    created: boolean
    acknowledged: StoreRecord[]
    appended: StoreRecord[]
    cut: number
    snapshot: number
    asked: number
  }

  async function life(disk: FaultyDisk, told: Told): Promise<void> {
    const store = await open(disk)
    told.created = true
    for (let slot = 1; slot <= 24; slot++) {
      const records = slot % 5 === 0 ? [keyed('promise', slot), vote(slot, 900)] : [vote(slot, 70 * slot)]
      told.appended.push(...records)
      await append(store, records)
      told.acknowledged.push(...records)
      if (slot % 8 !== 0) continue
      told.asked = slot
      await store.putSnapshot(slot, bytesOf(slot), [bytesOf(slot, 600)])
      told.snapshot = slot
      told.cut = slot
      store.cut(slot)
    }
    await store.close()
  }

  function check({ recovered }: Store, told: Told): void {
    const found = recovered.records.map(textOf)
    const [all, acknowledged] = [told.appended.map(textOf), told.acknowledged.map(textOf)]
    expect(recovered.damaged).toEqual([])
    expect(found).toEqual(all.filter((text) => found.includes(text)))
    const newest = acknowledged.filter((text) => text.includes(' promise ')).at(-1)
    const owed = told.acknowledged.flatMap((record) => (record.slot > told.cut ? textOf(record) : []))
    for (const text of owed) expect(found).toContain(text)
    const promises = all.filter((text) => text.includes(' promise '))
    const foundPromise = found.filter((text) => text.includes(' promise '))
    expect(foundPromise.length).toBeLessThanOrEqual(1)
    if (newest !== undefined)
      expect(promises.indexOf(foundPromise[0] ?? '')).toBeGreaterThanOrEqual(promises.indexOf(newest))
    const slot = recovered.snapshot?.slot ?? 0
    expect([told.snapshot, told.asked]).toContain(slot)
    if (slot > 0) expect([...(recovered.snapshot?.chunks() ?? [])]).toEqual([bytesOf(slot, 600)])
  }

  const cuts: readonly (readonly [string, Survival, number])[] = [
    ['that loses all that was not synced', nothing, 0],
    ['that loses nothing', everything, 100],
    ['that loses names but no bytes', everything, 0],
    ['that loses bytes but no names', nothing, 100],
    ['that loses every other sector', sectors((sector) => sector % 2 === 0), 1],
    ['that loses the other ones', sectors((sector) => sector % 2 === 1), 100],
  ]
  const ways = [
    ['by a thread', false],
    ['at once', true],
  ] as const

  it.each(cuts.flatMap((cut) => ways.map((way) => [...cut, ...way] as const)))(
    '%s leaves everything that was acknowledged, with syncs %4$s',
    async (_, survival, namesKept, _way, quick) => {
      const whole = new FaultyDisk()
      whole.quick = quick
      await life(whole, told())
      expect(whole.operations).toBeGreaterThan(100)
      for (let at = 0; at < whole.operations; at++) {
        const disk = new FaultyDisk()
        disk.quick = quick
        const heard = told()
        await new Promise<void>((powerless) => {
          disk.beforeOperation = (number) => {
            if (number !== at) return
            disk.beforeOperation = () => {}
            disk.cutPower(survival, namesKept)
            powerless()
          }
          life(disk, heard).catch((error: unknown) => {
            if (!(error instanceof PowerCut)) throw error
          })
        })
        const frozen = structuredClone(heard)
        const store = await open(disk, { create: !frozen.created })
        check(store, frozen)
        await store.close()
        const again = await open(disk, { create: false })
        check(again, frozen)
        await again.close()
      }
    },
  )

  function told(): Told {
    return { created: false, acknowledged: [], appended: [], cut: 0, snapshot: 0, asked: 0 }
  }
})
