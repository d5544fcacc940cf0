// The store on disk against the store in memory, which is its slow and obvious twin: whatever is done to both, both tell the same.

import fc from 'fast-check'
import { expect, it } from 'vitest'
import { emptyContents, memoryStore, type Store, type StoreRecord } from '../../src/storage/index.ts'
import { append } from './compliance.ts'
import { FaultyDisk, nothing } from './faulty-disk.ts'
import { bytesOf, keyed, textOf, vote } from './records.ts'
import { open } from './support.ts'

type Step =
  | { readonly kind: 'append'; readonly records: readonly StoreRecord[] }
  | { readonly kind: 'cut' | 'snapshot'; readonly slot: number }
  | { readonly kind: 'read'; readonly from: number; readonly to: number }
  | { readonly kind: 'restart' | 'power cut' }

const slot = fc.integer({ min: 1, max: 30 })
const record = fc.oneof(
  fc.tuple(slot, fc.nat(1500)).map(([about, length]) => vote(about, length)),
  fc.tuple(fc.constantFrom('promise', 'new-view', 'evidence/1'), fc.nat(255)).map(([key, value]) => keyed(key, value)),
)
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('append'), records: fc.array(record, { maxLength: 5 }) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom('cut', 'snapshot'), slot }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('read'), from: slot, to: slot }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom('restart', 'power cut') }) },
)

it('whatever is done, the store on disk tells what the one in memory does', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
      const disk = new FaultyDisk()
      const contents = emptyContents()
      const reopen = async () => [await open(disk), memoryStore({ contents })] as const
      let both = await reopen()
      let cut = 0
      for (const each of steps) {
        const [real, model] = both
        if (each.kind === 'append') await Promise.all(both.map((store) => append(store, each.records)))
        if (each.kind === 'snapshot') {
          for (const store of both) await store.putSnapshot(each.slot, bytesOf(each.slot), [bytesOf(1)])
        }
        if (each.kind === 'cut') {
          for (const store of both) store.cut(each.slot)
          cut = Math.max(cut, each.slot)
        }
        if (each.kind === 'read') {
          const above = Math.max(each.from, cut + 1)
          expect(await textsOf(real, above, each.to)).toEqual(await textsOf(model, above, each.to))
        }
        if (each.kind === 'restart' || each.kind === 'power cut') {
          // A cut is durable with the next append at the latest.
          await Promise.all(both.map((store) => append(store, [])))
          if (each.kind === 'restart') await real.close()
          else disk.cutPower(nothing)
          both = await reopen()
          const [found, expected] = both.map(({ recovered }) => recovered)
          expect(found?.records.map(textOf)).toEqual(expected?.records.map(textOf))
          expect(found?.snapshot?.slot).toBe(expected?.snapshot?.slot)
          expect(found?.damaged).toEqual([])
        }
      }
      for (const store of both) await store.close()
    }),
    { numRuns: 150 },
  )
})

async function textsOf(store: Store, from: number, to: number): Promise<string[]> {
  const texts: string[] = []
  for await (const each of store.read(from, to)) texts.push(textOf(each))
  return texts
}
