import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { compareBytes } from '../../../crypto/index.ts'
import { Paths } from '../../../src/machine/authenticated-map/paths.ts'

/** Of few different bytes, so that many agree in their first. */
const path = fc
  .array(fc.constantFrom(0, 1, 127, 128, 255), { minLength: 32, maxLength: 32 })
  .map((all) => Uint8Array.from(all))
const alike = fc
  .tuple(path, fc.integer({ min: 0, max: 255 }), fc.integer({ min: 4, max: 31 }))
  .map(([all, byte, at]) => Uint8Array.from(all, (each, i) => (i < 4 ? 200 : i === at ? byte : each)))

describe('the paths of a commit', () => {
  it('are sorted as byte strings, those too that agree in their first bytes', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(path, alike), { maxLength: 60 }), (all) => {
        const paths = new Paths(all.length)
        for (const each of all) paths.add(each)
        const sorted = [...paths.sorted()].map((row) => all[row] ?? new Uint8Array(0))
        expect(sorted).toEqual([...all].sort(compareBytes))
      }),
    )
  })

  it('refuse more rows than their order can name', () => {
    expect(() => new Paths(2 ** 21)).toThrow('fewer than 2097152')
  })
})
