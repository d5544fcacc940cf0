import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { KeyOrder } from '../../../src/machine/authenticated-map/key-order.ts'
import { NodePool } from '../../../src/machine/authenticated-map/node-pool.ts'
import type { Text } from '../../../src/machine/index.ts'

/** Leaves after which keys are divided into parts. */
const SAMPLE = 8192

function inOrder(keys: readonly Text[]): Text[] {
  const pool = new NodePool()
  const order = new KeyOrder(pool)
  for (const key of keys) order.add(pool.addLeaf(key, `value of ${key}` as Text))
  return [...order.entries()].map(({ key, value }) => {
    expect(value).toBe(`value of ${key}`)
    return key
  })
}

/** Compared by character, which is by byte. */
function sorted(keys: readonly Text[]): Text[] {
  return [...keys].sort((a, b) => (a < b ? -1 : 1))
}

/** The numbers below `count`, in no order. */
function shuffled(count: number): number[] {
  return Array.from({ length: count }, (_, i) => (i * 7919) % count)
}

describe('the leaves of a state that is loaded', () => {
  it('come in the order of their keys, also where these differ only in the least character or in length', () => {
    const characters = fc.constantFrom('\u0000', '\u0001', 'a', 'b', '\u007f', '\u00ff')
    const keys = fc.uniqueArray(fc.array(characters, { maxLength: 8 }).map((all) => all.join('') as Text))
    fc.assert(
      fc.property(keys, (all) => {
        expect(inOrder(all)).toEqual(sorted(all))
      }),
    )
  })

  it.each([
    ['of numbers with a common beginning', (i: number) => `accounts/${String(i).padStart(8, '0')}/balance`],
    ['that differ only far behind their beginning', (i: number) => `${'x'.repeat(200)}${i}`],
    ['of bytes', (i: number) => String.fromCharCode(i & 255, (i >>> 8) & 255, 0, 255, i >>> 16)],
    ['each the beginning of the next', (i: number) => 'y'.repeat(i % 997) + String.fromCharCode(i / 997)],
    ['of two kinds, one much more than the other', (i: number) => (i % 1000 === 0 ? `a${i}` : `zzzz/${i}`)],
  ])('come in the order of their keys when they are many, %s', (_, keyOf) => {
    const keys = [...new Set(shuffled(3 * SAMPLE + 7).map((number) => keyOf(number) as Text))]
    expect(inOrder(keys)).toEqual(sorted(keys))
  })
})
