// One hash, two implementations: what is signed and stored must not depend on which of them a process uses.

import fc from 'fast-check'
import { afterEach, describe, expect, it } from 'vitest'
import {
  hashWith,
  leafHash,
  merkleRoot,
  nodeHash,
  runningSha256,
  sha256,
  sha256Of,
  utf8,
} from '../../../crypto/index.ts'
import { nativeRunningSha256, nativeSha256, useNative } from '../../../keys/native/index.ts'

afterEach(() => hashWith(undefined))

describe('SHA-256 on OpenSSL', () => {
  const strings = fc.array(fc.uint8Array({ maxLength: 700 }), { maxLength: 5 })

  it('gives the portable digests for one string and for several, and plain arrays of their own', () => {
    fc.assert(
      fc.property(strings, (parts) => {
        const hashes = () => [...parts.map(sha256), sha256Of(...parts)]
        hashWith(undefined)
        const portable = hashes()
        useNative()
        const native = hashes()
        expect(native).toEqual(portable)
        for (const each of native) {
          expect(Object.getPrototypeOf(each)).toBe(Uint8Array.prototype)
        }
        // What one is overwritten with is in no other.
        const [first, ...others] = native
        first?.fill(0xff)
        expect(others).toEqual(portable.slice(1))
      }),
    )
  })

  it('gives the portable digests of all pieces so far, and goes on', () => {
    fc.assert(
      fc.property(strings, (parts) => {
        useNative()
        const native = runningSha256()
        hashWith(undefined)
        const portable = runningSha256()
        for (const [i, part] of parts.entries()) {
          native.update(part)
          portable.update(part)
          expect(native.soFar()).toEqual(portable.soFar())
          expect(native.soFar()).toEqual(sha256Of(...parts.slice(0, i + 1)))
        }
      }),
    )
  })

  it('gives the trees of RFC 6962', () => {
    const leaves = Array.from({ length: 9 }, (_, i) => utf8(`leaf ${i}`))
    const hashes = () => {
      const [first, second] = [leafHash(leaves[0] ?? utf8('')), leafHash(leaves[1] ?? utf8(''))]
      return [first, nodeHash(first, second), merkleRoot(leaves.map(leafHash))]
    }
    const portable = hashes()
    useNative()
    expect(hashes()).toEqual(portable)
  })
})

describe('another hash', () => {
  it.each([
    ['of another function', (bytes: Uint8Array) => nativeSha256(nativeSha256(bytes))],
    ['that is cut short', (bytes: Uint8Array) => nativeSha256(bytes).subarray(0, 31)],
    ['that is wrong for two blocks only', (bytes: Uint8Array) => nativeSha256(bytes.subarray(0, 64))],
  ])('%s is refused, and the one before stays', (_, wrong) => {
    const before = sha256(utf8('abc'))
    expect(() => hashWith(wrong)).toThrow('sha256: what was given hashes')
    expect(sha256(utf8('abc'))).toEqual(before)
  })

  it('that forgets its first pieces is refused', () => {
    const forgetful = () => {
      let running = nativeRunningSha256()
      return {
        update: (bytes: Uint8Array) => {
          if (bytes.length > 64) running = nativeRunningSha256()
          running.update(bytes)
        },
        soFar: () => running.soFar(),
      }
    }
    expect(() => hashWith(nativeSha256, forgetful)).toThrow('sha256: what was given hashes')
  })
})
