// How much of a client's requests all replicas are shown (P48).

import { describe, expect, it } from 'vitest'
import { WITNESS_PAUSE_SHARE, WITNESSED_EVERY } from '../../src/client/limits.ts'
import { Witnessing } from '../../src/client/witnessing.ts'

const TIMEOUT_MS = 500
const PAUSE_MS = TIMEOUT_MS * WITNESS_PAUSE_SHARE

/** Which of the next bundles are shown, one every `everyMs`. */
function shown(witnessing: Witnessing, bundles: number, everyMs: number, fromMs = 0): number[] {
  return Array.from({ length: bundles }, (_, i) => i).filter((i) => witnessing.next(fromMs + i * everyMs))
}

describe('what everybody is shown', () => {
  it('is one bundle in so many, of a client whose leader is fast', () => {
    expect(shown(new Witnessing(() => TIMEOUT_MS), 3 * WITNESSED_EVERY, 1)).toEqual([7, 15, 23])
  })

  it('is every bundle but the first, of a client whose leader takes all the time that it is given', () => {
    expect(shown(new Witnessing(() => TIMEOUT_MS), 5, 0.9 * TIMEOUT_MS)).toEqual([1, 2, 3, 4])
  })

  it('is one after each pause, however few bundles there were', () => {
    expect(shown(new Witnessing(() => TIMEOUT_MS), 7, PAUSE_MS / 2)).toEqual([2, 4, 6])
  })

  it('is less by those that have a small part in what is ordered: all together show as much as one alone', () => {
    const witnessing = new Witnessing(() => TIMEOUT_MS)
    for (let i = 0; i < 100; i++) witnessing.note(1, 4)
    const at = shown(witnessing, 80, PAUSE_MS / 2 + 0.01)
    // Each eighth, and between them none: the pause of a quarter is four times as long.
    expect(at).toEqual([7, 15, 23, 31, 39, 47, 55, 63, 71, 79])
    for (let i = 0; i < 100; i++) witnessing.note(4, 4)
    expect(shown(witnessing, 5, PAUSE_MS + 0.01, 10_000)).toEqual([0, 1, 2, 3, 4])
  })

  it('follows the time-out of the epoch', () => {
    let timeoutMs = TIMEOUT_MS
    const witnessing = new Witnessing(() => timeoutMs)
    expect(shown(witnessing, 3, PAUSE_MS)).toEqual([1, 2])
    timeoutMs = 10 * TIMEOUT_MS
    expect(shown(witnessing, 3, PAUSE_MS, 3 * PAUSE_MS)).toEqual([])
  })
})
