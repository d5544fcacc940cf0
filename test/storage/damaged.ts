// A store with something of everything in it, and what must be true of it when it is damaged.

import { expect } from 'vitest'
import type { Recovered, StoreRecord } from '../../src/storage/index.ts'
import { SECTOR_BYTES } from '../../src/storage/limits.ts'
import { append } from './compliance.ts'
import { FaultyDisk } from './faulty-disk.ts'
import { bytesOf, keyed, textOf, vote } from './records.ts'
import { open } from './support.ts'

type Change = (byte: number, at: number) => number

export const CHANGES: readonly (readonly [string, Change])[] = [
  ['flipped in one bit', (byte, at) => byte ^ (1 << (at % 8))],
  ['turned to zero', () => 0],
]

/** Segments of two sectors or so, a cut, two snapshots. */
export async function filled(): Promise<{ disk: FaultyDisk; appended: StoreRecord[]; expected: Recovered }> {
  const disk = new FaultyDisk()
  const small = { segmentBytes: 3 * SECTOR_BYTES }
  const store = await open(disk, small)
  const batches = [
    [keyed('promise', 1), vote(1, 30)],
    [vote(2, 700), vote(3, 20)],
    [keyed('new-view', 2)],
    [vote(4, 40), { kind: 4, slot: 4, bytes: new Uint8Array(600) }],
    [keyed('promise', 3), vote(5, 60)],
    [vote(6, 10), vote(7, 0), vote(8, 300)],
  ]
  for (const [i, batch] of batches.entries()) {
    await append(store, batch)
    if (i === 1) await store.putSnapshot(1, bytesOf(1), [bytesOf(1, 40)])
    if (i === 3) await store.putSnapshot(2, bytesOf(2), [bytesOf(2, 40), bytesOf(3, 9)])
    if (i === 3) store.cut(2)
  }
  await store.close()
  const again = await open(disk, small)
  const expected = again.recovered
  await again.close()
  return { disk, appended: batches.flat(), expected }
}

/** Every record is one that was appended; what is missing was told of as needed; nothing was taken for torn. */
export function isHonest(found: Recovered, expected: Recovered, appended: readonly StoreRecord[]): void {
  const texts = found.records.map(textOf)
  const known = new Set(appended.map(textOf))
  expect(texts.filter((text) => !known.has(text))).toEqual([])
  const lost = expected.records.map(textOf).filter((text) => !texts.includes(text))
  if (lost.length > 0) expect(found.damaged.some(({ needed }) => needed)).toBe(true)
  if (found.damaged.length === 0) expect(texts).toEqual(expected.records.map(textOf))
  if (found.snapshot?.slot !== expected.snapshot?.slot) {
    expect(found.damaged).toContainEqual(expect.objectContaining({ slot: expected.snapshot?.slot, needed: false }))
  }
}

/** Changes every `step`th byte of a store, each in a copy of its own; returns how many changes were told of. */
export async function changeBytes(change: Change, step: number): Promise<number> {
  const { disk, appended, expected } = await filled()
  expect(expected.records.length).toBeGreaterThan(8)
  let noticed = 0
  for (const path of disk.paths()) {
    const content = disk.content(path)
    for (let at = 0; at < content.length; at += step) {
      const before = content[at] ?? 0
      const after = change(before, at)
      if (after === before || (path.includes('log-') && isAhead(content, at))) continue
      const copy = disk.copy()
      copy.damage(path, content.with(at, after))
      const store = await open(copy, { create: false })
      isHonest(store.recovered, expected, appended)
      expect(store.recovered.tornBytes).toBe(0)
      if (store.recovered.damaged.length > 0) noticed++
      await store.close()
    }
  }
  return noticed
}

/** Whether from `at` on there is nothing but the zeros that are written ahead of the log. */
export function isAhead(content: Uint8Array, at: number): boolean {
  return content.subarray(at).every((byte) => byte === 0)
}
