import { describe, expect, it } from 'vitest'
import { sha256, utf8 } from '../../crypto/index.ts'
import { type Line, linesOf } from '../../src/audit/verify/lines.ts'

const BYTES = utf8('first\nsecond line\n\nthird\n')

async function* pieces(size: number) {
  for (let at = 0; at < BYTES.length; at += size) yield BYTES.subarray(at, at + size)
}

describe('the running hash of lines', () => {
  it.each([1, 4, 6, 100])(
    'is that of all before the line, in pieces of %i bytes, whoever asked before',
    async (size) => {
      let at = 0
      for await (const each of linesOf(pieces(size))) {
        const line = each as Line
        expect(line.before()).toEqual(sha256(BYTES.subarray(0, at)))
        at += line.bytes.length + 1
      }
      expect(at).toBe(BYTES.length)
    },
  )

  it('is not spoilt by a line that asks late', async () => {
    const lines: Line[] = []
    let at = 0
    for await (const each of linesOf(pieces(100))) {
      lines.push(each as Line)
      const last = lines.at(-1) as Line
      expect(last.before()).toEqual(sha256(BYTES.subarray(0, at)))
      lines[0]?.before()
      at += last.bytes.length + 1
    }
    expect(lines).toHaveLength(4)
  })
})
