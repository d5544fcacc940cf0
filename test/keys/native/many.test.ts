// SHA-256 of many at once: what stands in a tree must not depend on how many were hashed together, nor on who hashed them.

import { hash } from 'node:crypto'
import { sha256 as nobleSha256 } from '@noble/hashes/sha2.js'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { concatBytes, hashWith, hex, type Sha256Each, sha256, sha256Each } from '../../../crypto/index.ts'
import { nativeSha256, nativeSha256Each, useNative } from '../../../keys/native/index.ts'
import { MAX_BYTES, MAX_MESSAGE_BYTES, MAX_MESSAGES } from '../../../keys/native/many/lanes.ts'

const DIGEST_BYTES = 32

afterEach(() => {
  vi.unstubAllGlobals()
  hashWith(undefined)
})

/** A message of so many bytes that no other number has. */
function messageOf(length: number, number: number): Uint8Array {
  const bytes = new Uint8Array(length)
  for (let i = 0; i < length; i++) bytes[i] = (i * 31 + number * 101 + (i >> 5) * (number >> 3)) ^ length
  return bytes
}

function endsOf(messages: readonly Uint8Array[]): Uint32Array {
  let end = 0
  return Uint32Array.from(messages, ({ length }) => {
    end += length
    return end
  })
}

/** By `sha256Each`, in hexadecimal; nothing around the digests is written. */
function eachOf(messages: readonly Uint8Array[], at = 0): string[] {
  const behind = 40
  const target = new Uint8Array(at + DIGEST_BYTES * messages.length + behind).fill(0xa5)
  sha256Each(concatBytes(...messages, messageOf(70, 1)), endsOf(messages), messages.length, target, at)
  const around = [...target.subarray(0, at), ...target.subarray(target.length - behind)]
  expect(around.every((byte) => byte === 0xa5)).toBe(true)
  return messages.map((_, i) => hex(target.subarray(at + DIGEST_BYTES * i, at + DIGEST_BYTES * (i + 1))))
}

const openSsl = (messages: readonly Uint8Array[]) => messages.map((message) => hash('sha256', message, 'hex'))

describe.each([
  ['native', useNative],
  ['portable', () => hashWith(undefined)],
  ['one by one on OpenSSL', () => hashWith(nativeSha256)],
])('SHA-256 of many, %s', (_, use) => {
  beforeEach(use)

  it('gives noble’s digests at every length, in whichever lane', () => {
    for (let length = 0; length <= 300; length++) {
      const messages = Array.from({ length: 5 }, (_, i) => messageOf(length, i))
      expect(eachOf(messages)).toEqual(messages.map((message) => hex(nobleSha256(message))))
    }
  })

  it('gives the digests of any lengths, of any number of messages, at any place', () => {
    const short = fc.uint8Array({ maxLength: 130 })
    const any = fc.uint8Array({ maxLength: 1500, size: 'max' })
    const messages = fc.array(fc.oneof({ weight: 4, arbitrary: short }, { weight: 1, arbitrary: any }), {
      maxLength: 20,
      size: 'max',
    })
    fc.assert(
      fc.property(messages, fc.nat(100), (messages, at) => {
        expect(eachOf(messages, at)).toEqual(openSsl(messages))
      }),
      { numRuns: 300 },
    )
  })

  it.each(Array.from({ length: 21 }, (_, count) => count))('gives the digests of %i messages', (count) => {
    const messages = Array.from({ length: count }, (_, i) => messageOf((i * 53) % 200, i))
    expect(eachOf(messages)).toEqual(openSsl(messages))
  })

  it('hashes what `bytes` has from its own beginning on, and of `ends` no more than `count`', () => {
    const messages = [3, 64, 130].map(messageOf)
    const all = concatBytes(new Uint8Array(11), ...messages)
    const target = Buffer.alloc(2 * DIGEST_BYTES)
    sha256Each(Buffer.from(all.buffer, all.byteOffset + 11, 197), endsOf(messages), 2, target)
    expect(target.toString('hex')).toBe(openSsl(messages.slice(0, 2)).join(''))
  })
})

describe('SHA-256 in lanes', () => {
  beforeEach(useNative)

  it('gives the digests of more messages than go at once', () => {
    const messages = Array.from({ length: 2 * MAX_MESSAGES + 3 }, (_, i) => messageOf(i % 40, i))
    expect(eachOf(messages)).toEqual(openSsl(messages))
  })

  it.each([1, 64, 65, 129, MAX_MESSAGE_BYTES])('gives the digests of more bytes than go at once, %i each', (length) => {
    const messages = Array.from({ length: Math.ceil((2.5 * MAX_BYTES) / length) }, (_, i) => messageOf(length, i))
    expect(eachOf(messages.slice(0, 5000))).toEqual(openSsl(messages.slice(0, 5000)))
  })

  it('fills its memory to the last byte', () => {
    const rest = MAX_BYTES % 100
    const messages = Array.from({ length: Math.floor(MAX_BYTES / 100) + 1 }, (_, i) =>
      messageOf(i === 0 ? rest : 100, i),
    )
    for (const more of [-1, 0, 1]) {
      const last = messageOf(100 + more, 7)
      const all = [...messages.slice(0, -1), last]
      expect(eachOf(all)).toEqual(openSsl(all))
    }
  })

  it('gives the digests of long messages among short ones', () => {
    const lengths = [MAX_MESSAGE_BYTES + 1, 3, 70_000, 5, 6, MAX_MESSAGE_BYTES, 200_000, MAX_BYTES + 1, 9, 10, 11]
    const messages = lengths.map(messageOf)
    expect(eachOf(messages)).toEqual(openSsl(messages))
    expect(eachOf(messages.toReversed())).toEqual(openSsl(messages.toReversed()))
  })

  it('lets lanes without a message rest for as long as another one works, call after call', () => {
    const lengths = [0, MAX_MESSAGE_BYTES, 0]
    for (let i = 0; i < 3000; i++) {
      const messages = lengths.map((length) => messageOf(length, i))
      if (i % 100 === 0) expect(eachOf(messages)).toEqual(openSsl(messages))
      else eachOf(messages)
    }
  })

  it('keeps nothing of the call before', () => {
    const full = Array.from({ length: 9 }, (_, i) => new Uint8Array(200 - i).fill(0xff))
    for (let length = 0; length < 130; length++) {
      eachOf(full)
      const messages = [length, 1, 55, 56, length].map(messageOf)
      expect(eachOf(messages)).toEqual(openSsl(messages))
    }
  })

  it('is not there without WebAssembly, or without its vectors, and digests are the same', () => {
    const messages = Array.from({ length: 9 }, (_, i) => messageOf(i * 20, i))
    for (const engine of [undefined, { validate: () => false }]) {
      vi.stubGlobal('WebAssembly', engine)
      expect(nativeSha256Each()).toBeUndefined()
      useNative()
      expect(eachOf(messages)).toEqual(openSsl(messages))
    }
  })
})

describe('another hash of many', () => {
  const right: Sha256Each = nativeSha256Each() ?? expect.fail('no WebAssembly here')
  const messages = [10, 20].map(messageOf)

  /** Hashes one by one what `change` makes of the messages. */
  const changing =
    (change: (message: Uint8Array, index: number) => Uint8Array): Sha256Each =>
    (bytes, ends, count, target, at = 0) => {
      for (let i = 0; i < count; i++) {
        const message = bytes.subarray(i === 0 ? 0 : ends[i - 1], ends[i])
        target.set(nativeSha256(change(message, i)), at + DIGEST_BYTES * i)
      }
    }

  it.each<[string, Sha256Each]>([
    ['of another function', changing(nativeSha256)],
    ['that does nothing', () => {}],
    ['that leaves the last one out', (bytes, ends, count, target, at) => right(bytes, ends, count - 1, target, at)],
    ['that is wrong for 120 bytes only', changing((bytes) => (bytes.length === 120 ? bytes.subarray(1) : bytes))],
    ['that is wrong in the fourth lane', changing((bytes, i) => (i % 4 === 3 ? bytes.subarray(1) : bytes))],
  ])('%s is refused whenever it is asked for', (_, wrong) => {
    hashWith(nativeSha256, undefined, () => wrong)
    for (let i = 0; i < 2; i++) {
      expect(() => sha256Each(concatBytes(...messages), endsOf(messages), 2, new Uint8Array(64))).toThrow(
        /^sha256Each: what was given hashes \d+ bytes to something else$/,
      )
    }
    expect(hex(sha256(messageOf(10, 0)))).toBe(openSsl([messageOf(10, 0)])[0])
  })

  it('is made once, when many are first hashed, and used from then on', () => {
    const used = vi.fn(right)
    const make = vi.fn(() => used)
    hashWith(nativeSha256, undefined, make)
    sha256(messageOf(10, 0))
    expect(make).not.toHaveBeenCalled()
    for (let i = 0; i < 3; i++) expect(eachOf(messages, i)).toEqual(openSsl(messages))
    expect(make).toHaveBeenCalledOnce()
    // Once to be checked.
    expect(used).toHaveBeenCalledTimes(4)
  })
})
