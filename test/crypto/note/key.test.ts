import { describe, expect, it } from 'vitest'
import {
  base64,
  formatVerifierKey,
  hex,
  isKeyName,
  noteKey,
  parseVerifierKey,
  type VerifierKeyFault,
} from '../../../crypto/index.ts'
import { testCluster } from '../../support/cluster.ts'
import { GO_KEYS, SPEC_KEY } from './examples.ts'

const cluster = testCluster()

function faultOf(text: string): VerifierKeyFault['code'] | 'none' {
  const parsed = parseVerifierKey(text)
  return parsed.ok ? 'none' : parsed.fault.code
}

describe('verifier keys', () => {
  it('the example of the specification parses, with its id recomputed, and is written back', () => {
    const parsed = parseVerifierKey(SPEC_KEY)
    if (!parsed.ok) throw new Error(parsed.fault.code)
    expect(parsed.value.name).toBe('example.com/foo')
    expect(parsed.value.id).toBe('530d903a')
    expect(hex(parsed.value.publicKey)).toBe('e932791ae6e7a840a46164c904786426d5e7821dd8b29a00d61cae72afdd4da4')
    expect(formatVerifierKey(parsed.value)).toBe(SPEC_KEY)
  })

  it('the keys of the Go tests parse and are written back', () => {
    for (const text of GO_KEYS) {
      const parsed = parseVerifierKey(text)
      expect(parsed.ok && formatVerifierKey(parsed.value)).toBe(text)
    }
  })

  it('every changed character is refused', () => {
    for (let i = 0; i < SPEC_KEY.length; i++) {
      for (const other of ['A', 'a', '0', '+', ' ', '=', '\n']) {
        if (other === SPEC_KEY[i]) continue
        const changed = SPEC_KEY.slice(0, i) + other + SPEC_KEY.slice(i + 1)
        expect([changed, parseVerifierKey(changed).ok]).toEqual([changed, false])
      }
    }
  })

  it('says what is wrong', () => {
    const [name, id, encoded] = ['example.com/foo', '530d903a', SPEC_KEY.split('+').slice(2).join('+')]
    expect(faultOf('')).toBe('bad-form')
    expect(faultOf(`${name}+${id}`)).toBe('bad-form')
    expect(faultOf(`${name}+${id.toUpperCase()}+${encoded}`)).toBe('bad-form')
    expect(faultOf(`${name}+${id}+${encoded}=`)).toBe('bad-form')
    expect(faultOf(`${name}+${id}+${encoded}\n`)).toBe('bad-form')
    expect(faultOf(`+${id}+${encoded}`)).toBe('bad-name')
    expect(faultOf(`example com+${id}+${encoded}`)).toBe('bad-name')
    expect(faultOf(`${name}+530d903b+${encoded}`)).toBe('wrong-id')
    expect(faultOf(`example.com/bar+${id}+${encoded}`)).toBe('wrong-id')
    expect(faultOf(`${name}+${id}+${base64(Uint8Array.of(4, ...new Uint8Array(32)))}`)).toBe('unknown-type')
    expect(faultOf(`${name}+${id}+${base64(Uint8Array.of(1, ...new Uint8Array(31)))}`)).toBe('bad-public-key')
    expect(faultOf(`${name}+${id}+${base64(Uint8Array.of(1, 1, ...new Uint8Array(31)))}`)).toBe('bad-public-key')
  })

  it('names hold no Unicode space, no plus, no control character and no half of a surrogate pair', () => {
    const key = cluster.signers[0]?.publicKey
    if (key === undefined) throw new Error('no key')
    const spaces = ' \t\n\v\f\r\u0085\u00a0\u1680\u2000\u2001\u2006\u200a\u2028\u2029\u202f\u205f\u3000'
    for (const character of [...spaces, '+', '\0', '\x1f', '\ud800', '\udfff']) {
      expect([character, isKeyName(`a${character}b`)]).toEqual([character, false])
      expect(() => noteKey(`a${character}b`, key)).toThrow(RangeError)
    }
    expect(() => noteKey('', key)).toThrow(RangeError)
    for (const character of ['\u200b', '\ufeff', '\x7f', 'é', '\u{1f600}', '/', '—']) {
      expect([character, isKeyName(`a${character}b`)]).toEqual([character, true])
    }
  })
})
