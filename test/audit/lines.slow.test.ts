import { describe, expect, it } from 'vitest'
import { utf8 } from '../../crypto/index.ts'
import { nativeVerifier } from '../../keys/native/index.ts'
import { verifyBundle } from '../../src/audit/verify/index.ts'
import { resealed, TestLog, testGenesis, writeBundle } from './support.ts'

const test = testGenesis()
const log = new TestLog(test).fill(5)
log.append([])
log.append(log.bundle(...['a', 'b', 'c'].map((key) => ({ kind: 'get', key: utf8(key) }) as const)))
log.fill(2)
log.newViews.push(
  log.newView(
    1,
    [1, 2, 3].map((replica) => log.viewChange(replica, 1)),
  ),
)
const body = new TextDecoder().decode(writeBundle(log)).trimEnd().split('\n').slice(0, -1)

async function isValid(lines: readonly string[]): Promise<boolean> {
  const options = { level: 'certificates', verifier: nativeVerifier } as const
  for await (const each of verifyBundle([resealed(lines)], test.genesis, options)) {
    if (each.kind === 'summary') return each.valid
  }
  throw new Error('no summary')
}

describe('a bundle that is sealed again', () => {
  it('with one line left out is noticed, whichever it is', async () => {
    expect(await isValid(body)).toBe(true)
    for (let i = 0; i < body.length; i++) expect(await isValid(body.toSpliced(i, 1)), `line ${i + 1}`).toBe(false)
  })

  it('with one line twice is noticed, whichever it is', async () => {
    for (const [i, line] of body.entries()) {
      expect(await isValid(body.toSpliced(i, 0, line)), `line ${i + 1}`).toBe(false)
      expect(await isValid([...body, line]), `line ${i + 1} at the end`).toBe(false)
    }
  })

  it('with two neighbours changed over is noticed, wherever', async () => {
    for (let i = 0; i + 1 < body.length; i++) {
      const swapped = body.toSpliced(i, 2, body[i + 1] ?? '', body[i] ?? '')
      expect(await isValid(swapped), `lines ${i + 1} and ${i + 2}`).toBe(false)
    }
  })
})
