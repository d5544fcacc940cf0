import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { admitKey, digest, epoch, fromHex, hex, memberId, slot } from '../../../crypto/index.ts'
import { type Charter, decodeCharter, encodeCharter, MAX_CHARTER_BYTES } from '../../../keys/charter/index.ts'
import { DEFAULT_PARAMETERS, type Rotation } from '../../../keys/genesis/index.ts'
import { signerNamed } from '../sample.ts'
import { FIRST, SECOND } from './sample.ts'

const keys = Array.from({ length: 12 }, (_, i) => signerNamed(`charter key ${i}`).publicKey)
const anyKey = fc.constantFrom(...keys)
const u32 = fc.integer({ min: 0, max: 0xffff_ffff })
const anyDigest = fc.uint8Array({ minLength: 32, maxLength: 32 }).map(digest)
const rotation: fc.Arbitrary<Rotation> = fc.oneof(
  fc.constant({ policy: 'sticky' } as const),
  fc.constant({ policy: 'lowest-alive' } as const),
  u32.map((slots) => ({ policy: 'every', slots }) as const),
)
const anyCharter: fc.Arbitrary<Charter> = fc.record({
  epoch: fc.maxSafeNat().map(epoch),
  previous: anyDigest,
  start: fc.maxSafeNat().map(slot),
  members: fc.array(
    fc.record({
      id: u32.map(memberId),
      consensusKey: anyKey,
      transportKey: anyKey,
      operator: fc.option(anyKey, { nil: undefined }),
    }),
    { maxLength: 9 },
  ),
  quorum: fc.record({ byzantine: u32, crash: u32 }),
  parameters: fc.record({
    window: u32,
    checkpointInterval: u32,
    maxBatchRequests: u32,
    maxBatchBytes: u32,
    maxRequestBytes: u32,
    clockDriftMs: u32,
    viewTimeoutMs: u32,
    viewTimeoutCapMs: u32,
    clockRatePercent: u32,
    rotation,
    signedVotes: fc.boolean(),
  }),
  admins: fc.record({ threshold: u32 }),
})

/** Admission costs most of a decoding, and the keys here are few. */
const admitted = new Map(keys.map((key) => [hex(key), key]))
const admit = (bytes: Uint8Array) => admitted.get(hex(bytes))

describe('the bytes of a charter', () => {
  it('decode to the same charter', () => {
    fc.assert(
      fc.property(anyCharter, (charter) => {
        expect(decodeCharter(encodeCharter(charter), admit)).toEqual(charter)
      }),
    )
    for (const charter of [FIRST, SECOND]) expect(decodeCharter(encodeCharter(charter))).toEqual(charter)
  })

  it('are the only ones: what decodes is written back byte for byte, whatever was changed in it', () => {
    const anything = (bytes: Uint8Array) => admit(bytes) ?? keys[0]
    let decoded = 0
    fc.assert(
      fc.property(anyCharter, fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 3 }), (charter, changes) => {
        const bytes = encodeCharter(charter)
        // Beyond the fields of fixed width only keys may become others, which `anything` would write back differently.
        for (const [at, byte] of changes) bytes[at % (bytes.length - 101 * charter.members.length)] = byte
        const other = decodeCharter(bytes, anything)
        if (other === undefined) return
        decoded++
        expect(encodeCharter(other)).toEqual(bytes)
      }),
    )
    expect(decoded).toBeGreaterThan(10)
  })

  it('do not decode with a byte more or less anywhere', () => {
    const bytes = encodeCharter(SECOND)
    const decoded: number[] = []
    for (let at = 0; at < bytes.length; at++) {
      const less = Uint8Array.of(...bytes.subarray(0, at), ...bytes.subarray(at + 1))
      const more = Uint8Array.of(...bytes.subarray(0, at), 0, ...bytes.subarray(at))
      for (const changed of [less, more, bytes.subarray(0, at)])
        if (decodeCharter(changed) !== undefined) decoded.push(at)
    }
    expect(decodeCharter(Uint8Array.of(...bytes, 0))).toBeUndefined()
    expect(decoded).toEqual([])
  })

  it.each([
    ['another format', '1e71756f726174652d636861727465722d7631', '1e71756f726174652d636861727465722d7632'],
    ['another rule', '656432353531392d7374726963742d31', '656432353531392d7374726963742d32'],
    ['slots of a rotation that has none', '0000000001', '0000000101'],
  ])('do not decode with %s', (_, before, after) => {
    const bytes = hex(encodeCharter({ ...SECOND, members: [], parameters: DEFAULT_PARAMETERS }))
    expect(bytes).toContain(before)
    const at = before.length === 10 ? bytes.lastIndexOf(before) : bytes.indexOf(before)
    const changed = `${bytes.slice(0, at)}${after}${bytes.slice(at + after.length)}`
    expect(decodeCharter(fromHex(bytes) ?? new Uint8Array())).toBeDefined()
    expect(decodeCharter(fromHex(changed) ?? new Uint8Array())).toBeUndefined()
  })

  it('do not decode with a key that is not admitted, which is asked last', () => {
    const asked: string[] = []
    const nobody = (bytes: Uint8Array) => {
      asked.push(hex(bytes))
      return undefined
    }
    const bytes = encodeCharter(SECOND)
    expect(decodeCharter(bytes.subarray(0, -1), nobody)).toBeUndefined()
    expect(asked).toEqual([])
    expect(decodeCharter(bytes, nobody)).toBeUndefined()
    expect(asked).not.toEqual([])
    const operator = hex(signerNamed('client writer-1').publicKey)
    expect(decodeCharter(bytes, (key) => (hex(key) === operator ? undefined : admitKey(key)))).toBeUndefined()
  })

  it('stay below their limit with a hundred members, and claim no more', () => {
    const [member] = SECOND.members
    if (member === undefined) throw new Error('five members')
    const operator = member.consensusKey
    const hundred = { ...SECOND, members: Array.from({ length: 100 }, () => ({ ...member, operator })) }
    const bytes = encodeCharter(hundred)
    expect(bytes.length).toBeLessThan(MAX_CHARTER_BYTES)
    expect(() => encodeCharter({ ...hundred, members: [...hundred.members, member] })).toThrow('expected at most 100')
    const count = bytes.length - 100 * 101 - 1
    expect(bytes[count]).toBe(100)
    expect(decodeCharter(bytes.map((byte, i) => (i === count ? 101 : byte)))).toBeUndefined()
    expect(decodeCharter(new Uint8Array(MAX_CHARTER_BYTES + 1))).toBeUndefined()
  })

  it('are not made of numbers that they cannot hold', () => {
    for (const window of [-1, 1.5, 2 ** 32, Number.NaN]) {
      const parameters = { ...SECOND.parameters, window }
      expect(() => encodeCharter({ ...SECOND, parameters })).toThrow('expected an integer from 0 to 2^32 - 1')
    }
  })
})
