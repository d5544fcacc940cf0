// The arithmetic behind prepared keys, held to bigints and to noble's points. That it gives the verdicts of the rule is seen by the vectors and
// the edge cases of test/crypto, which run through it as through every implementation.

import { Point } from '@noble/ed25519'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { GROUP_ORDER, utf8 } from '../../../crypto/index.ts'
import { nativeSigner, nativeVerifier } from '../../../keys/native/index.ts'
import { ELEMENT_BYTES, fieldModule, LIMBS, SCRATCH_BYTES } from '../../../keys/native/prepared/field.ts'
import {
  createPreparedVerifier,
  MAX_PREPARED_KEYS,
  type PreparedVerifier,
} from '../../../keys/native/prepared/index.ts'
import { DIGITS, MAX_SUMS, Multiples } from '../../../keys/native/prepared/multiples.ts'
import { fromLittleEndian, littleEndian } from '../../support/ed25519.ts'

const { p: PRIME } = Point.CURVE()

describe('the field', () => {
  const field = present(fieldModule(65_536))
  const memory = new DataView(field.memory.buffer)
  const [a, b, product, encoded] = [0, 1, 2, 3].map((i) => SCRATCH_BYTES + i * ELEMENT_BYTES) as [
    number,
    number,
    number,
    number,
  ]
  const put = (at: number, limbs: readonly number[]) =>
    limbs.forEach((limb, i) => {
      memory.setInt32(at + 4 * i, limb, true)
    })
  const integerOf = (limbs: readonly number[]) => {
    const value = limbs.reduce((sum, limb, i) => sum + (BigInt(limb) << BigInt(Math.ceil(25.5 * i))), 0n)
    return ((value % PRIME) + PRIME) % PRIME
  }
  const multiplied = (left: readonly number[], right: readonly number[]) => {
    put(a, left)
    put(b, right)
    field.multiply(product, a, b)
    const limbs = Array.from({ length: LIMBS }, (_, i) => memory.getInt32(product + 4 * i, true))
    return { limbs, value: encodedOf(product) }
  }
  const encodedOf = (at: number) => {
    field.encode(encoded, at)
    return fromLittleEndian(new Uint8Array(field.memory.buffer.slice(encoded, encoded + 32)))
  }
  /** The largest that `multiply` takes. */
  const bound = (i: number) => Math.floor(1.65 * 2 ** (i % 2 === 0 ? 26 : 25))
  const limb = (i: number) => {
    const most = bound(i)
    return fc.oneof(fc.constantFrom(-most, -1, 0, 1, most), fc.integer({ min: -most, max: most }))
  }
  const element = fc.tuple(...Array.from({ length: LIMBS }, (_, i) => limb(i)))

  it('multiplies as bigints do, up to its bounds, and gives limbs and bytes within its own', () => {
    fc.assert(
      fc.property(element, element, (left, right) => {
        const { limbs, value } = multiplied(left, right)
        expect(value).toBe((integerOf(left) * integerOf(right)) % PRIME)
        for (const [i, each] of limbs.entries()) {
          expect(Math.abs(each)).toBeLessThanOrEqual(1.01 * 2 ** (i % 2 === 0 ? 25 : 24))
        }
      }),
      { numRuns: 2000 },
    )
  })

  it.each([0n, 1n, 18n, 19n, PRIME - 1n, PRIME - 19n, 2n ** 254n])('encodes %i below p', (value) => {
    put(a, limbsOf(value))
    expect(encodedOf(a)).toBe(value)
    put(
      a,
      limbsOf(value).map((limb) => -limb),
    )
    expect(encodedOf(a)).toBe((PRIME - value) % PRIME)
    expect(multiplied(limbsOf(value + PRIME), limbsOf(1n)).value).toBe(value)
  })

  it.each([0n, 1n, 18n])('encodes %i below p where p is added', (value) => {
    put(a, limbsOf(value + PRIME))
    expect(encodedOf(a)).toBe(value)
    put(
      a,
      limbsOf(value + PRIME).map((limb) => -limb),
    )
    expect(encodedOf(a)).toBe((PRIME - value) % PRIME)
  })
})

describe('prepared multiples', () => {
  const multiples = present(Multiples.create(3))
  const point = Point.BASE.multiply(0x1234567n).negate()
  const [base, table] = [multiples.prepare(Point.BASE), multiples.prepare(point)]
  const sumOf = (scalar: bigint, of = table) => {
    multiples.clear(0)
    multiples.add(0, of, littleEndian(scalar))
    return encodings(1)[0]
  }
  const encodings = (count: number) => {
    const all: Uint8Array[] = []
    multiples.finish(count, (i, encoding) => {
      all[i] = encoding.slice()
    })
    return all
  }

  it('hold each multiple of each power', () => {
    let power = point
    for (let j = 0; j < DIGITS - 1; j++) {
      let expected = Point.ZERO
      for (let d = 1n; d <= 128n; d++) {
        expected = expected.add(power)
        expect(sumOf(d << BigInt(8 * j)), `${d} * 256^${j}`).toEqual(expected.toBytes())
      }
      power = expected.double()
    }
  })

  it.each([
    0n,
    1n,
    127n,
    128n,
    129n,
    255n,
    256n,
    0x7f80n,
    0x7fffn,
    0x80ffn,
    GROUP_ORDER - 1n,
    GROUP_ORDER - 128n,
    2n ** 252n - 1n,
    2n ** 252n,
    BigInt(`0x0f${'80'.repeat(31)}`),
    BigInt(`0x0f${'7f'.repeat(31)}`),
    BigInt(`0x0e${'ff'.repeat(31)}`),
  ])('give %i times the point', (scalar) => {
    expect(sumOf(scalar)).toEqual(times(point, scalar).toBytes())
    expect(sumOf(scalar, base)).toEqual(times(Point.BASE, scalar).toBytes())
  })

  it('give as many sums as there is room for at once, whatever they are', () => {
    const scalar = fc.bigInt({ min: 0n, max: GROUP_ORDER - 1n })
    fc.assert(
      fc.property(fc.array(fc.tuple(scalar, scalar), { maxLength: 8 }), (pairs) => {
        for (const [i, [first, second]] of pairs.entries()) {
          multiples.clear(i)
          multiples.add(i, base, littleEndian(first))
          multiples.add(i, table, littleEndian(second))
        }
        const expected = pairs.map(([first, second]) => times(Point.BASE, first).add(times(point, second)).toBytes())
        expect(encodings(pairs.length)).toEqual(expected)
      }),
    )
  })

  it('find the identity where two multiples cancel out, among other sums', () => {
    for (let i = 0; i < MAX_SUMS; i++) {
      multiples.clear(i)
      multiples.add(i, base, littleEndian(BigInt(i)))
      multiples.add(i, base, littleEndian(i % 3 === 0 ? (GROUP_ORDER - BigInt(i)) % GROUP_ORDER : 0n))
    }
    const expected = Array.from({ length: MAX_SUMS }, (_, i) => times(Point.BASE, i % 3 === 0 ? 0n : BigInt(i)))
    expect(encodings(MAX_SUMS)).toEqual(expected.map((each) => each.toBytes()))
  })

  it('are refused where there is no room', () => {
    multiples.prepare(Point.BASE.double())
    expect(() => multiples.prepare(Point.BASE)).toThrow('tables: expected at most 3, all are in use')
  })
})

describe('the prepared verifier', () => {
  const signers = [1, 2, 3].map((i) => nativeSigner(new Uint8Array(32).fill(i)))
  const verifier = present<PreparedVerifier>(createPreparedVerifier())
  const keys = signers.map(({ publicKey }) => present(verifier.prepare(publicKey)))

  it('gives the verdicts of the native one in the order of the jobs, more of them than sums', () => {
    const jobs = Array.from({ length: 2 * MAX_SUMS + 7 }, (_, i) => {
      const message = utf8(`vote ${i}`.padEnd(i % 200, '.'))
      const signature = present(signers[i % 3])
        .sign(message)
        .slice()
      if (i % 5 === 0) signature[i % 64] = (signature[i % 64] ?? 0) ^ (1 << (i % 8))
      const cut = i % 11 === 0 ? signature.subarray(0, 63) : signature
      return { key: present(keys[i % 3]), admitted: present(signers[i % 3]).publicKey, message, signature: cut }
    })
    const native = jobs.map(({ admitted, message, signature }) => nativeVerifier.verify(admitted, message, signature))
    expect(new Set(native)).toEqual(new Set([true, false]))
    expect(verifier.verify(jobs)).toEqual(native)
    expect(verifier.verify([])).toEqual([])
  })

  it('prepares no more keys than it may', () => {
    const others = Array.from({ length: MAX_PREPARED_KEYS }, (_, i) => nativeSigner(new Uint8Array(32).fill(100 + i)))
    const prepared = others.map(({ publicKey }) => verifier.prepare(publicKey) !== undefined)
    expect(prepared).toEqual(others.map((_, i) => i < MAX_PREPARED_KEYS - keys.length))
  })
})

function times(point: Point, scalar: bigint): Point {
  return scalar === 0n ? Point.ZERO : point.multiply(scalar)
}

function limbsOf(value: bigint): number[] {
  return Array.from({ length: LIMBS }, (_, i) => {
    const low = BigInt(Math.ceil(25.5 * i))
    // The last limb has one bit more, for values of p and above.
    const bits = BigInt(i === LIMBS - 1 ? 26 : Math.ceil(25.5 * (i + 1)) - Math.ceil(25.5 * i))
    return Number((value >> low) & ((1n << bits) - 1n))
  })
}

function present<Value>(value: Value | undefined): Value {
  if (value === undefined) throw new Error('expected a value, got none')
  return value
}
