// One text, two implementations: the state and its order must not depend on which of them a process uses.

import fc from 'fast-check'
import { afterEach, describe, expect, it } from 'vitest'
import { type BinaryText, bytesKey, compareBytes, textWith, writeKey } from '../../../crypto/index.ts'
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

  it('gives its bytes back, by Node as by our own code, and writes nowhere else', () => {
    fc.assert(
      fc.property(bytes, fc.nat(40), (each, at) => {
        const expected = new Uint8Array(at + each.length + 2).fill(7)
        expected.set(each, at)
        for (const how of [undefined, nativeText]) {
          textWith(how)
          const target = new Uint8Array(at + each.length + 12).fill(7)
          const view = target.subarray(10)
          writeKey(bytesKey(each), view, at)
          expect(view).toEqual(expected)
          expect(target.subarray(0, 10)).toEqual(new Uint8Array(10).fill(7))
          expect(() => writeKey(bytesKey(each), view, at + 3)).toThrow('no room')
        }
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

  const latin1 = nativeText.text
  it.each<[string, Partial<BinaryText>, string]>([
    ['reads UTF-8', { text: (each) => Buffer.from(each).toString('utf8') }, 'makes another text of'],
    ['drops the eighth bit', { text: (each) => Buffer.from(each).toString('ascii') }, 'makes another text of'],
    ['loses what is long', { text: (each) => latin1(each.subarray(0, 256)) }, 'makes another text of'],
    [
      'writes UTF-8',
      { write: (text, target, at) => void Buffer.from(target.buffer).write(text, at) },
      'makes other bytes of',
    ],
    ['writes to the begin', { write: (text, target) => nativeText.write(text, target, 0) }, 'makes other bytes of'],
  ])('that %s is refused, and the one before stays', (_, wrong, message) => {
    textWith(nativeText)
    expect(() => textWith({ ...nativeText, ...wrong })).toThrow(message)
    const long = new Uint8Array(300).fill(200)
    expect(bytesKey(long)).toBe(latin1(long))
  })
})
