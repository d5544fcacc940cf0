// One text, two implementations: the state and its order must not depend on which of them a process uses.

import fc from 'fast-check'
import { afterEach, describe, expect, it } from 'vitest'
import { bytesKey, compareBytes, textWith } from '../../../crypto/index.ts'
import { nativeText } from '../../../keys/native/index.ts'

afterEach(() => textWith(undefined))

/** Of lengths on both sides of every boundary. */
const bytes = fc.oneof(fc.uint8Array({ maxLength: 60 }), fc.uint8Array({ minLength: 240, maxLength: 600 }))

describe('binary text', () => {
  it('is the same by Node and by our own code, one character a byte', () => {
    fc.assert(
      fc.property(bytes, (each) => {
        textWith(undefined)
        const portable = bytesKey(each)
        textWith(nativeText)
        expect(bytesKey(each)).toBe(portable)
        expect(Array.from(portable, (character) => character.charCodeAt(0))).toEqual([...each])
      }),
    )
  })

  it('is of the bytes of a view and no others, and does not change with them', () => {
    const all = Uint8Array.from({ length: 400 }, (_, i) => i * 7)
    for (const how of [undefined, nativeText]) {
      textWith(how)
      for (const length of [3, 100, 300]) {
        const view = all.slice().subarray(50, 50 + length)
        const text = bytesKey(view)
        view.fill(0)
        expect(Array.from(text, (character) => character.charCodeAt(0))).toEqual([...all.subarray(50, 50 + length)])
      }
    }
  })

  it('has the order of the bytes', () => {
    fc.assert(
      fc.property(bytes, bytes, (a, b) => {
        const order = Math.sign(compareBytes(a, b))
        expect(bytesKey(a) < bytesKey(b) ? -1 : bytesKey(a) > bytesKey(b) ? 1 : 0).toBe(order)
      }),
    )
  })

  it.each([
    ['reads UTF-8', (each: Uint8Array) => Buffer.from(each).toString('utf8')],
    ['drops the eighth bit', (each: Uint8Array) => Buffer.from(each).toString('ascii')],
    ['loses what is long', (each: Uint8Array) => nativeText(each.subarray(0, 256))],
  ])('that %s is refused, and the one before stays', (_, wrong) => {
    textWith(nativeText)
    expect(() => textWith(wrong)).toThrow('binary text: what was given makes another text of')
    const long = new Uint8Array(300).fill(200)
    expect(bytesKey(long)).toBe(nativeText(long))
  })
})
