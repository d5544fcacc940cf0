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
