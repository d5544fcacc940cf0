import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseStrictJson } from '../../../keys/genesis/index.ts'

describe('strict JSON', () => {
  it.each([
    ['{"a":1,"a":1}', 'at line 1, column 8: the name "a" appears twice'],
    ['{"a":1,"b":{"c":1,\n  "c":2}}', 'at line 2, column 3: the name "c" appears twice'],
    ['{"a":1,"\\u0061":2}', 'the name "a" appears twice'],
    ['[{"a":[{"a":1}],"a":0}]', 'the name "a" appears twice'],
    ['{"a":1.0}', '"1.0" is not a plain whole number'],
    ['{"a":1e3}', '"1e3" is not a plain whole number'],
    ['{"a":-0}', '"-0" is not a plain whole number'],
    ['{"a":0.99999999999999999999}', 'is not a plain whole number'],
    ['{"a":1,}', 'is not JSON'],
    ["{'a':1}", 'is not JSON'],
    ['\ufeff{}', 'is not JSON'],
    ['{} {}', 'is not JSON'],
    ['', 'is not JSON'],
    ['{"\\u001b[2J":1,"\\u001b[2J":1}', 'the name "\\u001b[2J" appears twice'],
  ])('refuses %j', (text, sentence) => {
    expect(parseStrictJson(text)).toEqual({ ok: false, fault: expect.stringContaining(sentence) })
  })

  it.each([
    '{"a":{"a":{"a":1}},"b":{"a":1}}',
    '[{"a":1},{"a":1}]',
    '{"a":"a","b":"a"}',
    '{"a":"\\"a\\":1,","b":["a","a"]}',
    '{"a":"\\\\","b":"{\\"b\\":1"}',
    '{"a":-17,"b":0,"c":9007199254740991}',
    '{"":1," ":1}',
    ' [ ] ',
    '{"a":true,"b":false,"c":null}',
  ])('takes %s', (text) => {
    expect(parseStrictJson(text)).toEqual({ ok: true, value: JSON.parse(text) })
  })

  it('takes whatever JSON.stringify writes, and refuses it with one name repeated anywhere', () => {
    const value = fc.jsonValue({ maxDepth: 4 }).map((v) => JSON.parse(JSON.stringify(v), wholeNumbersOnly))
    fc.assert(
      fc.property(value, fc.dictionary(fc.string(), fc.integer(), { minKeys: 1 }), (inner, record) => {
        const text = JSON.stringify({ inner, record })
        expect(parseStrictJson(text)).toEqual({ ok: true, value: JSON.parse(text) })
        const name = JSON.stringify(Object.keys(record)[0])
        const twice = `{"inner":${JSON.stringify(inner)},"record":{${name}:0,${JSON.stringify(record).slice(1)}}`
        expect(parseStrictJson(twice).ok).toBe(false)
      }),
    )
  })

  it('bears a file that is one long string, and one of deep nesting', () => {
    expect(parseStrictJson(JSON.stringify('x'.repeat(1_000_000))).ok).toBe(true)
    expect(parseStrictJson(JSON.stringify('\\'.repeat(500_000))).ok).toBe(true)
    expect(parseStrictJson('['.repeat(500_000)).ok).toBe(false)
  })
})

function wholeNumbersOnly(_: string, value: unknown): unknown {
  return typeof value === 'number' ? Math.trunc(value % 1_000_000) + 0 : value
}
