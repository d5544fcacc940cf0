// Damage to what was acknowledged: it is told, with kind and slot where they can be read, and never yields a wrong record.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Recovered, StoreError } from '../../src/storage/index.ts'
import { SECTOR_BYTES } from '../../src/storage/limits.ts'
import { append, slotsOf } from './compliance.ts'
import { CHANGES, changeBytes, filled, isAhead, isHonest } from './damaged.ts'
import { FaultyDisk } from './faulty-disk.ts'
import { bytesOf, keyed, vote } from './records.ts'
import { FOLDER, open } from './support.ts'

const FIRST = `${FOLDER}/log-000000000001`
const SECOND = `${FOLDER}/log-000000000002`

describe('one byte that is not what was written', () => {
  // Every seventh byte; damage.slow.test.ts does all of them.
  it.each(CHANGES)('%s is noticed or harmless anywhere in a store, and makes no record', async (_, change) => {
    expect(await changeBytes(change, 7)).toBeGreaterThan(200)
  })

  it('that appears in the zeros ahead of the log leaves every record alone', async () => {
    const disk = await threeVotes()
    const content = disk.content(FIRST)
    const from = [...content.keys()].find((at) => isAhead(content, at)) ?? content.length
    expect(content.length - from).toBeGreaterThan(1000)
    for (let at = from; at < content.length; at += 7) {
      const copy = disk.copy()
      copy.damage(FIRST, content.with(at, 1))
      const { recovered } = await reopened(copy)
      expect(recovered.records).toEqual([1, 2, 3].map((slot) => vote(slot, 100)))
      expect(recovered.tornBytes + recovered.damaged.length).toBeGreaterThan(0)
    }
  })
})

describe('a damaged record', () => {
  it('tells its kind and slot where only its body is damaged, and those behind it are there', async () => {
    const disk = await threeVotes()
    flip(disk, FIRST, find(disk, FIRST, vote(2, 100).bytes))
    const { recovered } = await reopened(disk)
    expect(recovered.damaged).toEqual([
      { file: 'log-000000000001', offset: expect.any(Number), kind: vote(2, 100).kind, slot: 2, needed: true },
    ])
    expect(recovered.records).toEqual([vote(1, 100), vote(3, 100)])
    expect(recovered.tornBytes).toBe(0)
  })

  it('tells neither where its head is damaged, and is not taken for torn where it is the last', async () => {
    const disk = await threeVotes()
    flip(disk, FIRST, find(disk, FIRST, vote(3, 100).bytes) - 30)
    const { recovered } = await reopened(disk)
    expect(recovered.damaged).toEqual([
      { file: 'log-000000000001', offset: 3 * SECTOR_BYTES, kind: undefined, slot: undefined, needed: true },
    ])
    expect(recovered.records).toEqual([vote(1, 100), vote(2, 100)])
    expect(recovered.tornBytes).toBe(0)
  })

  it('is told again after every start until a cut has passed it, and is never written over', async () => {
    const disk = await threeVotes()
    flip(disk, FIRST, find(disk, FIRST, vote(3, 100).bytes) - 30)
    for (let life = 0; life < 3; life++) {
      const store = await open(disk)
      expect(store.recovered.damaged).toMatchObject([{ file: 'log-000000000001', needed: true }])
      await append(store, [vote(4 + life, 50)])
      await store.close()
    }
    const store = await open(disk)
    expect(store.recovered.records.map(({ slot }) => slot)).toEqual([1, 2, 4, 5, 6])
    store.cut(2)
    await store.close()
    const cutBelow = await open(disk)
    expect(cutBelow.recovered.damaged).toMatchObject([{ needed: true }])
    cutBelow.cut(6)
    await cutBelow.close()
    const cutAbove = await open(disk)
    expect(cutAbove.recovered.damaged).toEqual([])
    await cutAbove.close()
  })

  it('is not needed where it was about a slot below the cut, or a newer one of its key is there', async () => {
    const disk = new FaultyDisk()
    const store = await open(disk)
    await append(store, [keyed('promise', 1)])
    await append(store, [vote(1, 100)])
    await append(store, [keyed('promise', 2), vote(2, 100)])
    store.cut(1)
    await store.close()
    flip(disk, FIRST, find(disk, FIRST, keyed('promise', 1).bytes))
    flip(disk, FIRST, find(disk, FIRST, vote(1, 100).bytes))
    const { recovered } = await reopened(disk)
    expect(recovered.damaged).toMatchObject([
      { kind: 9, slot: 0, needed: false },
      { slot: 1, needed: false },
    ])
    expect(recovered.records).toEqual([keyed('promise', 2), vote(2, 100)])
  })

  it('of the newest of its key is needed, and heals from the copy at the head of a later segment', async () => {
    const disk = new FaultyDisk()
    const store = await open(disk)
    await append(store, [keyed('promise', 7)])
    await append(store, [vote(1, 4096)])
    await store.close()
    const alone = disk.copy()
    flip(alone, FIRST, find(alone, FIRST, keyed('promise', 7).bytes))
    const { recovered } = await reopened(alone)
    expect(recovered.damaged).toMatchObject([{ kind: 9, slot: 0, needed: true }])

    const next = await open(disk)
    await append(next, [vote(2, 10)])
    await next.close()
    flip(disk, FIRST, find(disk, FIRST, keyed('promise', 7).bytes) - 30)
    const healed = await reopened(disk)
    expect(healed.recovered.damaged).toMatchObject([{ kind: undefined, needed: false }])
    expect(healed.recovered.records).toContainEqual(keyed('promise', 7))
  })

  it('is not made good by a whole one in its place, nor by one that a body holds', async () => {
    const disk = await threeVotes()
    const content = disk.content(FIRST)
    const [first, third] = [SECTOR_BYTES, 3 * SECTOR_BYTES]
    disk.damage(
      FIRST,
      Buffer.concat([content.subarray(0, third), content.subarray(first, third), content.subarray(third)]),
    )
    const moved = await reopened(disk)
    expect(moved.recovered.records.filter(({ slot }) => slot === 1)).toHaveLength(1)
    expect(moved.recovered.damaged.some(({ needed }) => needed)).toBe(true)

    const batch = new FaultyDisk()
    const three = await open(batch)
    await append(three, [vote(1, 60), vote(4, 60), vote(7, 60)])
    await three.close()
    const at = find(batch, FIRST, vote(1, 60).bytes) - 44
    const bytes = batch.content(FIRST).slice()
    bytes.copyWithin(at + 104, at, at + 104)
    batch.damage(FIRST, bytes)
    const doubled = await reopened(batch)
    expect(doubled.recovered.records).toEqual([vote(1, 60), vote(7, 60)])
    expect(doubled.recovered.damaged).toMatchObject([{ needed: true }])

    const other = await threeVotes()
    const store = await open(other)
    await append(store, [{ kind: 5, slot: 4, bytes: content.slice(first, first + 200) }])
    await store.close()
    // The head of the outer record; what it holds was a record once, in another place.
    flip(other, FIRST, 4 * SECTOR_BYTES + 20)
    const nested = await reopened(other)
    expect(nested.recovered.records).toEqual([1, 2, 3].map((slot) => vote(slot, 100)))
    expect(nested.recovered.damaged).toMatchObject([{ offset: 4 * SECTOR_BYTES, needed: true }])
  })

  it('is left out of what is read, and the others are read', async () => {
    const disk = await threeVotes()
    flip(disk, FIRST, find(disk, FIRST, vote(2, 100).bytes))
    const store = await open(disk)
    expect(await slotsOf(store, 1, 9)).toEqual([1, 3])
    await store.close()
  })
})

describe('a file of the log', () => {
  it.each<[string, (disk: FaultyDisk) => void]>([
    ['that is gone', (disk) => disk.lose(SECOND)],
    ['that is empty', (disk) => disk.damage(SECOND, new Uint8Array(0))],
    ['that is all zeros', (disk) => disk.damage(SECOND, new Uint8Array(8192))],
    ['that was cut in the middle', (disk) => disk.damage(SECOND, disk.content(SECOND).slice(0, 4 * SECTOR_BYTES))],
    ['in the place of another', (disk) => disk.damage(SECOND, disk.content(FIRST))],
  ])('%s is told, and the others are read', async (_, harm) => {
    const disk = new FaultyDisk()
    const store = await open(disk)
    for (let slot = 1; slot <= 20; slot++) await append(store, [vote(slot, 1000)])
    await store.close()
    expect(disk.paths()).toContain(`${FOLDER}/log-000000000004`)
    harm(disk)
    const { recovered } = await reopened(disk)
    expect(recovered.damaged).toContainEqual(expect.objectContaining({ file: 'log-000000000002', needed: true }))
    expect(recovered.records.map(({ slot }) => slot)).toEqual(expect.arrayContaining([1, 2, 3, 18, 19, 20]))
    expect(recovered.records.length).toBeLessThan(20)
  })

  it('that is kept for audits only may be damaged without hiding a promise', async () => {
    const disk = new FaultyDisk()
    const retention = { slots: 100 }
    const store = await open(disk, { retention })
    for (let slot = 1; slot <= 20; slot++) await append(store, [vote(slot, 1000)])
    store.cut(12)
    await store.close()
    disk.damage(
      FIRST,
      disk.content(FIRST).map((byte) => byte ^ 0x55),
    )
    const { recovered } = await reopened(disk)
    expect(recovered.damaged).toMatchObject([{ file: 'log-000000000001', needed: false }])
    expect(recovered.records.map(({ slot }) => slot)).toEqual([13, 14, 15, 16, 17, 18, 19, 20])

    const again = await open(disk, { retention })
    again.cut(15)
    await again.close()
    const later = await reopened(disk)
    expect(later.recovered.damaged).toMatchObject([{ file: 'log-000000000001', needed: false }])
  })

  it('none of them at all is refused', async () => {
    const disk = await threeVotes()
    disk.lose(FIRST)
    await expect(open(disk)).rejects.toMatchObject({ code: 'damaged', message: expect.stringContaining('is gone') })
  })

  it('with garbage over any stretch but the last batch tells of every record that is lost', async () => {
    const { disk, appended, expected } = await filled()
    const logs = disk.paths().filter((path) => path.includes('log-'))
    const stretch = fc.record({
      log: fc.nat(logs.length - 2),
      from: fc.double({ min: 0, max: 1, noNaN: true }),
      bytes: fc.oneof(fc.uint8Array({ minLength: 1, maxLength: 900 }), fc.constant(new Uint8Array(512))),
    })
    await fc.assert(
      fc.asyncProperty(stretch, async ({ log, from, bytes }) => {
        const copy = disk.copy()
        const path = logs[log] ?? ''
        const content = copy.content(path).slice()
        const at = Math.floor(from * content.length)
        content.set(bytes.subarray(0, content.length - at), at)
        copy.damage(path, content)
        const { recovered } = await reopened(copy)
        isHonest(recovered, expected, appended)
        expect(recovered.tornBytes).toBe(0)
      }),
      { numRuns: 300 },
    )
  })
})

describe('a damaged snapshot', () => {
  it('gives way to the older one, is told of, and is gone once there is a new one', async () => {
    const disk = await twoSnapshots()
    flip(disk, `${FOLDER}/snapshot-0000000000000020`, 50)
    const first = await open(disk)
    expect(first.recovered.snapshot?.slot).toBe(10)
    const damaged = { file: 'snapshot-0000000000000020', kind: undefined, slot: 20, needed: false }
    expect(first.recovered.damaged).toMatchObject([damaged])
    await first.putSnapshot(30, bytesOf(3), [])
    await first.close()
    const { recovered } = await reopened(disk)
    expect(recovered).toMatchObject({ damaged: [], snapshot: { slot: 30 } })
  })

  it('leaves none where both are damaged', async () => {
    const disk = await twoSnapshots()
    for (const slot of [10, 20]) flip(disk, `${FOLDER}/snapshot-00000000000000${slot}`, 50)
    const { recovered } = await reopened(disk)
    expect(recovered.snapshot).toBeUndefined()
    expect(recovered.damaged).toHaveLength(2)
  })

  it('that is damaged after it was found whole throws at the chunk, not before', async () => {
    const disk = await twoSnapshots()
    const store = await open(disk)
    const path = `${FOLDER}/snapshot-0000000000000020`
    flip(disk, path, disk.content(path).length - 20)
    const seen: Uint8Array[] = []
    const read = () => {
      for (const chunk of store.recovered.snapshot?.chunks() ?? []) seen.push(chunk)
    }
    expect(read).toThrow(StoreError)
    expect(seen).toEqual([bytesOf(2, 90)])
    await store.close()
  })

  async function twoSnapshots(): Promise<FaultyDisk> {
    const disk = new FaultyDisk()
    const store = await open(disk)
    await store.putSnapshot(10, bytesOf(1), [bytesOf(1, 90)])
    await store.putSnapshot(20, bytesOf(2), [bytesOf(2, 90), bytesOf(3, 90)])
    await store.close()
    return disk
  }
})

/** Three votes in three batches, each in a sector of its own; the store's own record is in the one before. */
async function threeVotes(): Promise<FaultyDisk> {
  const disk = new FaultyDisk()
  const store = await open(disk)
  for (const slot of [1, 2, 3]) await append(store, [vote(slot, 100)])
  await store.close()
  return disk
}

async function reopened(disk: FaultyDisk): Promise<{ readonly recovered: Recovered }> {
  const store = await open(disk)
  await store.close()
  return store
}

function find(disk: FaultyDisk, path: string, bytes: Uint8Array): number {
  const at = Buffer.from(disk.content(path)).indexOf(bytes)
  expect(at).toBeGreaterThan(0)
  return at
}

function flip(disk: FaultyDisk, path: string, at: number): void {
  const content = disk.content(path)
  disk.damage(path, content.with(at, (content[at] ?? 0) ^ 4))
}
