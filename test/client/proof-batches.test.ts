// How reads from single replicas share questions, and what becomes of each where others in its question fare otherwise.

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { EMPTY_FRONTIER, type ReplicaIndex, replicaIndex, slot, utf8, ZERO_DIGEST } from '../../crypto/index.ts'
import { Counters } from '../../src/client/counters.ts'
import { ClientError } from '../../src/client/errors.ts'
import { STALE_QUESTIONS } from '../../src/client/limits.ts'
import { ProofBatches, type ProofBatchesParts } from '../../src/client/proof-batches.ts'
import type { Proven } from '../../src/client/proofs.ts'
import { Ticker } from '../../src/client/ticker.ts'
import { MAX_STATE_KEYS } from '../../src/wire/index.ts'

const PATIENCE = { timeoutMs: 1000 }
const ONE = replicaIndex(1)
const TWO = replicaIndex(2)
const CHECKPOINT = { slot: slot(8), logRoot: ZERO_DIGEST, stateRoot: ZERO_DIGEST, next: undefined, signatures: [] }
const STATE = {
  ...{ checkpoint: CHECKPOINT, frontier: EMPTY_FRONTIER },
  ...{ position: { value: undefined, proof: utf8('') }, values: [] },
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] })
})

afterEach(() => {
  vi.useRealTimers()
})

interface Asked {
  readonly replica: ReplicaIndex
  readonly keys: readonly Uint8Array[]
  readonly timeoutMs: number
  readonly answer: (state: typeof STATE | undefined) => void
  readonly fail: (error: Error) => void
}

/** Batches whose questions the test answers; a key's value is the key itself. */
function stand(verdict: 'good' | 'old' | 'wrong' = 'good') {
  const asked: Asked[] = []
  const [counters, ticker] = [new Counters(), new Ticker()]
  const ask: ProofBatchesParts['questions']['ask'] = (replica, { keys }, { timeoutMs = 0 }) =>
    new Promise((resolve, reject) => {
      const answer = (state: typeof STATE | undefined) => resolve([{ kind: 'prove', state }])
      asked.push({ replica, keys, timeoutMs, answer, fail: reject })
    })
  const check = (keys: readonly Uint8Array[]): Proven | 'old' | 'wrong' => {
    if (verdict !== 'good') return verdict
    const proof = { value: undefined, proof: utf8(''), position: STATE.position }
    return {
      values: keys.map((key) => ({ value: key, timestampMs: 1, proof: { key, ...proof } })),
      under: { checkpoint: CHECKPOINT, frontier: EMPTY_FRONTIER },
    }
  }
  const batches = new ProofBatches({ questions: { ask }, proofs: { check }, ticker, counters })
  const want = (text: string, replica = ONE, options: { timeoutMs: number; signal?: AbortSignal } = PATIENCE) =>
    batches
      .ask(replica, utf8(text), options)
      .then((got) => (typeof got === 'string' ? got : new TextDecoder().decode(got.proven.value)))
  return { batches, asked, counters, want }
}

/** Until what was asked for in this turn has left, and what was answered has arrived. */
async function turn(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve))
}

describe('keys wanted in one turn', () => {
  it('leave in one question a replica, as far as that takes them, and each gets its own proof', async () => {
    const { asked, want } = stand()
    const names = Array.from({ length: MAX_STATE_KEYS + 2 }, (_, i) => `k${i}`)
    const got = names.map((name) => want(name))
    const other = want('other', TWO)
    await turn()
    expect(asked.map(({ replica, keys }) => [replica, keys.length])).toEqual([
      [1, MAX_STATE_KEYS],
      [1, 2],
      [2, 1],
    ])
    for (const each of asked) each.answer(STATE)
    expect(await Promise.all(got)).toEqual(names)
    expect(await other).toBe('other')
  })

  it('wait while many questions are under way, and join the next', async () => {
    const { asked, want } = stand()
    for (let i = 0; i < STALE_QUESTIONS; i++) {
      void want(`${i}`)
      await turn()
    }
    const late = ['a', 'b', 'c'].map((name) => want(name))
    await turn()
    expect(asked).toHaveLength(STALE_QUESTIONS)
    asked[0]?.answer(STATE)
    await turn()
    await turn()
    expect(asked).toHaveLength(STALE_QUESTIONS + 1)
    expect(asked.at(-1)?.keys).toHaveLength(3)
    asked.at(-1)?.answer(STATE)
    expect(await Promise.all(late)).toEqual(['a', 'b', 'c'])
  })
})

describe('a key in a question with others', () => {
  it('ends at its own deadline, and the others are waited for as long as the most patient wants', async () => {
    const { asked, want } = stand()
    const short = want('short', ONE, { timeoutMs: 100 })
    const long = want('long', ONE, { timeoutMs: 700 })
    await turn()
    expect(asked[0]?.timeoutMs).toBe(700)
    vi.advanceTimersByTime(150)
    expect(await short).toBe('nothing')
    asked[0]?.answer(STATE)
    expect(await long).toBe('long')
  })

  it('is given up alone by its caller', async () => {
    const { asked, want } = stand()
    const caller = new AbortController()
    const given = want('given up', ONE, { ...PATIENCE, signal: caller.signal })
    const kept = want('kept')
    await turn()
    caller.abort(new Error('enough'))
    await expect(given).rejects.toThrow('enough')
    asked[0]?.answer(STATE)
    expect(await kept).toBe('kept')
    await expect(want('late', ONE, { ...PATIENCE, signal: caller.signal })).rejects.toThrow('enough')
  })

  it('is not asked for any more where it was given up before it left', async () => {
    const { asked, want } = stand()
    const caller = new AbortController()
    const given = want('given up', ONE, { ...PATIENCE, signal: caller.signal })
    void want('kept')
    caller.abort(new Error('enough'))
    await expect(given).rejects.toThrow('enough')
    await turn()
    expect(asked[0]?.keys.map((key) => new TextDecoder().decode(key))).toEqual(['kept'])
  })

  it.each([
    ['wrong', 'lie', 1],
    ['old', 'no-checkpoint', undefined],
  ] as const)('shares the verdict of an answer that is %s', async (verdict, outcome, lies) => {
    const { asked, want, counters } = stand(verdict)
    const got = ['a', 'b'].map((name) => want(name))
    await turn()
    asked[0]?.answer(STATE)
    expect(await Promise.all(got)).toEqual([outcome, outcome])
    expect(counters.all['proof-wrong']).toBe(lies)
  })

  it('is told where the replica has no checkpoint, or does not answer', async () => {
    const { asked, want } = stand()
    const [first, second] = [want('a'), want('b', TWO)]
    await turn()
    asked[0]?.answer(undefined)
    asked[1]?.fail(new ClientError('no-answer', 'not in time'))
    expect(await Promise.all([first, second])).toEqual(['no-checkpoint', 'nothing'])
  })
})

describe('keys that wait to be asked for', () => {
  it('are chosen a replica for anew where the members changed', async () => {
    const { asked, want, batches } = stand()
    const got = want('a')
    batches.moved()
    expect(await got).toBe('nothing')
    await turn()
    expect(asked).toEqual([])
  })

  it('end with the client', async () => {
    const { asked, want, batches } = stand()
    const underWay = want('a')
    await turn()
    const waiting = want('b')
    batches.close()
    await expect(underWay).rejects.toMatchObject({ code: 'closed' })
    await expect(waiting).rejects.toMatchObject({ code: 'closed' })
    await expect(want('c')).rejects.toMatchObject({ code: 'closed' })
    await turn()
    expect(asked).toHaveLength(1)
  })
})
