import { Buffer } from 'node:buffer'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  base64,
  compareBytes,
  digest,
  equalBytes,
  fromBase64,
  fromHex,
  fromUtf8,
  hex,
  publicKey,
  readU64,
  replicaIndex,
  sha256,
  signature,
  slot,
  utf8,
  view,
  writeU64,
} from '../../crypto/index.ts'

const anyBytes = fc.uint8Array({ maxLength: 80 })

describe('textual forms of bytes', () => {
  it('base64 and hexadecimal give every byte string back, and agree with Node', () => {
    fc.assert(
      fc.property(anyBytes, (bytes) => {
        expect(base64(bytes)).toBe(Buffer.from(bytes).toString('base64'))
        expect(fromBase64(base64(bytes))).toEqual(bytes)
        expect(hex(bytes)).toBe(Buffer.from(bytes).toString('hex'))
        expect(fromHex(hex(bytes))).toEqual(bytes)
      }),
    )
  })

  it('a text decodes only if it is the one that the bytes encode to', () => {
    const letters = fc.string({ unit: fc.constantFrom(...'Aa0+/=-_ \n\u00e9'), maxLength: 12 })
    fc.assert(
      fc.property(letters, (text) => {
        const bytes = fromBase64(text)
        if (bytes !== undefined) expect(base64(bytes)).toBe(text)
        const fromDigits = fromHex(text)
        if (fromDigits !== undefined) expect(hex(fromDigits)).toBe(text)
      }),
    )
  })

  it.each(['QQ', 'QQ=', 'QR==', 'QQ==\n', ' QQ==', 'Q-==', 'QQ===', '====', 'QUI', 'QUJ='])(
    'base64 %j is refused: no padding, stray bits, white space or another alphabet',
    (text) => {
      expect(fromBase64(text)).toBeUndefined()
    },
  )

  it.each(['A0', 'a', '0x00', 'a0 ', 'zz'])('hexadecimal %j is refused', (text) => {
    expect(fromHex(text)).toBeUndefined()
  })

  it('invalid UTF-8 is refused and a byte order mark is kept', () => {
    expect(fromUtf8(Uint8Array.of(0xff))).toBeUndefined()
    expect(fromUtf8(Uint8Array.of(0xc0, 0x80))).toBeUndefined()
    expect(fromUtf8(Uint8Array.of(0xed, 0xa0, 0x80))).toBeUndefined()
    expect(fromUtf8(Uint8Array.of(0xef, 0xbb, 0xbf, 0x41))).toBe('\ufeffA')
    expect(utf8('\u2014')).toEqual(Uint8Array.of(0xe2, 0x80, 0x94))
  })
})

describe('numbers on the wire', () => {
  it('u64 carries every safe integer', () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), (value) => {
        const bytes = new Uint8Array(10)
        writeU64(bytes, 1, value)
        expect(readU64(bytes, 1)).toBe(value)
        expect(Buffer.from(bytes).readBigUInt64BE(1)).toBe(BigInt(value))
      }),
    )
  })

  it.each([2n ** 53n, 2n ** 53n + 1n, 2n ** 63n, 2n ** 64n - 1n])('u64 %d is refused, not coerced', (value) => {
    const bytes = Buffer.alloc(8)
    bytes.writeBigUInt64BE(value)
    expect(readU64(bytes, 0)).toBeUndefined()
  })

  it.each([-1, 0.5, Number.NaN, 2 ** 53, Number.POSITIVE_INFINITY])('a slot, view or index cannot be %d', (value) => {
    expect(() => slot(value)).toThrow(RangeError)
    expect(() => view(value)).toThrow(RangeError)
    expect(() => replicaIndex(value)).toThrow(RangeError)
  })

  it('an index is below 100', () => {
    expect(replicaIndex(99)).toBe(99)
    expect(() => replicaIndex(100)).toThrow('replica index: expected an integer from 0 to 99, got 100')
  })
})

describe('byte strings of fixed length', () => {
  it('a digest, key or signature of another length is refused by name', () => {
    expect(() => digest(new Uint8Array(31))).toThrow('digest: expected 32 bytes, got 31')
    expect(() => publicKey(new Uint8Array(33))).toThrow('public key: expected 32 bytes, got 33')
    expect(() => signature(new Uint8Array(65))).toThrow('signature: expected 64 bytes, got 65')
  })

  it('a branded value does not change when the bytes that it was made from do', () => {
    const source = new Uint8Array(32)
    const made = digest(source)
    source[0] = 1
    expect(made[0]).toBe(0)
  })

  it('comparison is the order of the bytes, and equality agrees with it', () => {
    fc.assert(
      fc.property(anyBytes, anyBytes, (a, b) => {
        expect(Math.sign(compareBytes(a, b))).toBe(Buffer.compare(a, b))
        expect(equalBytes(a, b)).toBe(Buffer.compare(a, b) === 0)
      }),
    )
  })

  it('SHA-256 gives the digest of FIPS 180-4 for "abc"', () => {
    expect(hex(sha256(utf8('abc')))).toBe('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad')
  })
})
