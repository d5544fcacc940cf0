import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { utf8 } from '../../../crypto/index.ts'
import { OrderedIndex } from '../../../src/machine/authenticated-map/ordered-index.ts'
import { type Text, toText } from '../../../src/machine/index.ts'

/** More than a few nodes hold, so that they split and go, and few enough to be met again. */
const KEYS = 400
const key = fc.integer({ min: 0, max: KEYS }).map(keyOf)
const step = fc.oneof(
  fc.record({ kind: fc.constant('get' as const), key }),
  fc.record({ kind: fc.constant('put' as const), key, value: fc.string({ maxLength: 2 }).map((text) => text as Text) }),
  fc.record({ kind: fc.constant('delete' as const), key }),
  // As a command does.
  fc.record({ kind: fc.constant('read and put' as const), key, other: key, value: fc.constant('new' as Text) }),
)

function keyOf(number: number): Text {
  return toText(utf8(`${(number * 7919) % (KEYS + 1)}`.padStart(number % 7, '0')))
}

function contentOf(index: OrderedIndex): [Text, Text][] {
  const all: [Text, Text][] = []
  index.scan('' as Text, undefined, (each, value) => all.push([each, value]) > 0)
  return all
}

function ordered(model: ReadonlyMap<Text, Text>): [Text, Text][] {
  return [...model].sort(([a], [b]) => (a < b ? -1 : 1))
}

describe('the ordered index', () => {
  it('holds what was put last, in order, whatever was looked up before and between', () => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 200, maxLength: 1200, size: 'max' }), (steps) => {
        const index = new OrderedIndex()
        const model = new Map<Text, Text>()
        const put = (each: Text, value: Text | undefined) => {
          expect(index.set(each, value)).toBe(model.get(each))
          if (value === undefined) model.delete(each)
          else model.set(each, value)
        }
        for (const each of steps) {
          if (each.kind === 'get') expect(index.get(each.key)).toBe(model.get(each.key))
          if (each.kind === 'put') put(each.key, each.value)
          if (each.kind === 'delete') put(each.key, undefined)
          if (each.kind === 'read and put') {
            index.get(each.key)
            put(each.other, each.value)
            put(each.key, each.value)
          }
        }
        expect(index.size).toBe(model.size)
        expect(contentOf(index)).toEqual(ordered(model))
      }),
      { numRuns: 40 },
    )
  })

  it('is not misled by what was looked up before it was filled', () => {
    const index = new OrderedIndex()
    const looked = toText(utf8('b'))
    index.get(looked)
    index.fill([
      { key: toText(utf8('a')), value: 'one' as Text },
      { key: toText(utf8('c')), value: 'three' as Text },
    ])
    index.set(looked, 'two' as Text)
    expect(contentOf(index).map(([, value]) => value)).toEqual(['one', 'two', 'three'])
  })
})
