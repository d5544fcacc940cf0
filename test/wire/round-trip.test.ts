import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { equalBytes, hex, success } from '../../crypto/index.ts'
import { Random } from '../../src/simulation/kernel/index.ts'
import { FORMATS } from './formats.ts'
import { mutate } from './mutate.ts'

describe.each(FORMATS)('$name', ({ name, sample, decode, again }) => {
  it('decodes to what was encoded, and keeps no view of the frame', () => {
    fc.assert(
      fc.property(sample, ({ value, bytes }) => {
        const frame = Uint8Array.from(bytes)
        const decoded = decode(frame)
        frame.fill(0xff)
        expect(decoded).toEqual(success(value))
      }),
      { numRuns: 25 },
    )
  })

  it('has one form: a mutated frame is refused, or encodes to the same bytes again', () => {
    fc.assert(
      fc.property(sample, sample, fc.string(), ({ bytes }, other, seed) => {
        const random = new Random(seed)
        for (let i = 0; i < 20; i++) {
          const mutated = mutate(bytes, other.bytes, random)
          const encoded = again(mutated)
          if (encoded !== undefined && !equalBytes(encoded, mutated)) expect(hex(encoded)).toBe(hex(mutated))
        }
      }),
      { numRuns: 20 },
    )
  })

  it('is refused with a byte more behind it, and, where it is one of several kinds, when cut short anywhere', () => {
    const several = name.includes(':')
    fc.assert(
      fc.property(sample, fc.nat(), fc.nat(255), ({ bytes }, at, more) => {
        expect(decode(Uint8Array.of(...bytes, more)).ok).toBe(false)
        expect(several && decode(bytes.subarray(0, at % bytes.length)).ok).toBe(false)
      }),
      { numRuns: 10 },
    )
  })

  it('is read from a Node Buffer too, and gives plain arrays', () => {
    const [one] = fc.sample(sample, 1)
    if (one === undefined) throw new Error('no sample')
    expect(decode(Buffer.from(one.bytes))).toEqual(success(one.value))
  })
})
