import { sha256 as nobleSha256 } from '@noble/hashes/sha2.js'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { concatBytes, copyOf, freshBytes, hex, sha256, sha256Of, utf8 } from '../../crypto/index.ts'

describe('sha256', () => {
  it('gives the digests of FIPS 180-4', () => {
    expect(hex(sha256(new Uint8Array(0)))).toBe('e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855')
    expect(hex(sha256(utf8('abc')))).toBe('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad')
    expect(hex(sha256(utf8('abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq')))).toBe(
      '248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1',
    )
  })

  it('gives what a hasher of its own gives, at every length around the blocks, whatever was hashed before', () => {
    for (let length = 0; length <= 260; length++) {
      const bytes = Uint8Array.from({ length }, (_, i) => (i * 7 + length) & 0xff)
      expect(hex(sha256(bytes))).toBe(hex(nobleSha256(bytes)))
    }
  })

  it('of parts is that of their concatenation, wherever it is cut', () => {
    const part = fc.uint8Array({ maxLength: 150 })
    fc.assert(
      fc.property(fc.array(part, { maxLength: 6 }), (parts) => {
        expect(hex(sha256Of(...parts))).toBe(hex(nobleSha256(concatBytes(...parts))))
      }),
    )
  })

  it('goes on after an argument that is no bytes', () => {
    expect(() => Reflect.apply(sha256, undefined, ['text'])).toThrow()
    expect(hex(sha256(utf8('abc')))).toBe(hex(nobleSha256(utf8('abc'))))
  })

  it('hands out digests that later hashing leaves alone', () => {
    const first = sha256(utf8('one'))
    const text = hex(first)
    sha256(utf8('two'))
    expect(hex(first)).toBe(text)
  })
})

describe('freshBytes', () => {
  it('are zero, of the length asked for, and nobody else’s', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 1500 }), { maxLength: 60 }), (lengths) => {
        const all = lengths.map((length) => freshBytes(length))
        expect(all.map(({ length }) => length)).toEqual(lengths)
        expect(all.every((bytes) => bytes.every((byte) => byte === 0))).toBe(true)
        all.forEach((bytes, i) => {
          bytes.fill(i + 1)
        })
        expect(all.every((bytes, i) => bytes.every((byte) => byte === i + 1))).toBe(true)
      }),
    )
  })

  it('copies and concatenations share nothing with what they were made of', () => {
    const source = new Uint8Array(100).fill(1)
    const copy = copyOf(source)
    const joined = concatBytes(source, source)
    source.fill(2)
    expect(copy).toEqual(new Uint8Array(100).fill(1))
    expect(joined).toEqual(new Uint8Array(200).fill(1))
  })
})
