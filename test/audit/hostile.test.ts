import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { nativeVerifier } from '../../keys/native/index.ts'
import { type AuditSummary, verifyBundle } from '../../src/audit/verify/index.ts'
import { resealed, TestLog, testGenesis, writeBundle } from './support.ts'

const test = testGenesis()
const good = new TextDecoder()
  .decode(writeBundle(new TestLog(test).fill(4)))
  .trimEnd()
  .split('\n')

async function audit(source: Iterable<Uint8Array>): Promise<AuditSummary> {
  for await (const each of verifyBundle(source, test.genesis, { level: 'certificates', verifier: nativeVerifier })) {
    if (each.kind === 'summary') return each
  }
  throw new Error('no summary')
}

describe('hostile sizes', () => {
  const [head = '', checkpoint = '', entry = ''] = good

  it.each([
    [
      'an entry that claims a thousand million requests',
      [head, checkpoint, entry.replace('"count":1', '"count":1000000000')],
      'truncated|misplaced',
    ],
    [
      'a NewView that claims more ViewChanges than members can be',
      [head, '{"kind":"new-view","view":1,"viewChanges":101,"vote":"","proposals":[]}'],
      'bad-line',
    ],
    ['a slot of 2^53', [head, checkpoint, entry.replace('"slot":1', '"slot":9007199254740992')], 'bad-line'],
    [
      'a proof of a million hashes',
      [head, checkpoint, entry.replace('"path":[', `"path":[${'"",'.repeat(1_000_000)}`)],
      'bad-line',
    ],
    ['brackets without end', [head, '['.repeat(4_000_000)], 'bad-line'],
  ])('are refused: %s', async (_, lines, code) => {
    const { faults } = await audit([resealed(lines)])
    expect(faults.at(-1)?.code).toMatch(new RegExp(code))
  })

  it('a line of 2 GiB is given up after the longest that is read', async () => {
    let given = 0
    function* endless(): Generator<Uint8Array> {
      for (; given < 2 ** 31; given += 65_536) yield new Uint8Array(65_536).fill(0x61)
    }
    expect((await audit(endless())).faults).toMatchObject([{ code: 'line-too-long' }])
    expect(given).toBeLessThan(9 * 1024 * 1024)
  })

  it('any bytes give a verdict, never an exception', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 5 }), async (chunks) => {
        expect((await audit(chunks)).valid).toBe(false)
      }),
    )
  })
})

describe('a line that says the same in another form', () => {
  const turned = (line: string) => {
    const members = Object.entries(JSON.parse(line))
    return JSON.stringify(Object.fromEntries([...members.slice(0, -2), ...members.slice(-2).reverse()]))
  }
  const inner = (line: string) => line.replace(/("root":"[0-9a-f]*"),("path":\[[^\]]*\])/, '$2,$1')
  const forms: readonly (readonly [string, (line: string) => string])[] = [
    ['with two members changed over', turned],
    ['with a member more', (line) => `${line.slice(0, -1)},"more":1}`],
    ['with a member named as every object has one', (line) => `${line.slice(0, -1)},"__proto__":null}`],
    ['with a member twice', (line) => line.replace('{"kind"', '{"kind":"result","kind"')],
    ['with a blank', (line) => line.replace(':', ': ')],
    ['with a blank behind it', (line) => `${line} `],
    ['with a letter escaped', (line) => line.replace('"kind":"re', '"kind":"r\\u0065').replace(':"en', ':"e\\u006e')],
  ]
  const partial: readonly (readonly [string, string, (line: string) => string])[] = [
    ['entry', 'with a number with an exponent', (line) => line.replace('"count":1,', '"count":1e0,')],
    ['entry', 'with a zero that is negative', (line) => line.replace('"epoch":0,', '"epoch":-0,')],
    ['request', 'with two members of its bundle changed over', inner],
    ['request', 'with a member more in its bundle', (line) => line.replace('"index":0,', '"index":0,"at":0,')],
    ['request', 'with a member of its bundle twice', (line) => line.replace('"index":0,', '"index":7,"index":0,')],
    ['result', 'with digits in capitals', (line) => line.replace(/[0-9a-f]{9,}/, (digits) => digits.toUpperCase())],
  ]
  const kinds = ['entry', 'request', 'result']
  const cases = [...kinds.flatMap((kind) => forms.map(([what, change]) => [kind, what, change] as const)), ...partial]

  it.each(cases)('is refused: of kind %s, %s', async (kind, _, change) => {
    const at = good.findIndex((line) => line.startsWith(`{"kind":"${kind}"`))
    const [line = '', lines] = [good[at], good.slice(0, -1)]
    expect((await audit([resealed(lines)])).valid).toBe(true)
    expect(change(line)).not.toBe(line)
    const { faults } = await audit([resealed(lines.with(at, change(line)))])
    expect(faults).toMatchObject([{ check: 'format', code: 'bad-line', where: `line ${at + 1}` }])
  })
})

describe('the seal', () => {
  it('is that of the bytes, in whatever pieces they come', async () => {
    const bytes = resealed(good.slice(0, -1))
    for (const size of [1, 2, 3, 64, 999, 1000, bytes.length - 1]) {
      const pieces = Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) =>
        bytes.slice(i * size, (i + 1) * size),
      )
      expect((await audit(pieces)).valid, `pieces of ${size}`).toBe(true)
    }
  })
})
