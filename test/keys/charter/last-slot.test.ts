import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { slot } from '../../../crypto/index.ts'
import { lastSlotAfter } from '../../../keys/charter/index.ts'

/** Every interval up to 12, every window that fits, starts on boundaries and between them, and four intervals of changes. */
function* cases() {
  for (let interval = 1; interval <= 12; interval++) {
    for (let window = 1; window <= interval; window++) {
      for (let start = 0; start <= 2 * interval; start++) {
        const extent = { start: slot(start), parameters: { checkpointInterval: interval, window } }
        for (let change = start + 1; change <= start + 4 * interval; change++) {
          yield { interval, window, start, change, extent, last: lastSlotAfter(slot(change), extent) }
        }
      }
    }
  }
}

/** The highest slot that a replica may vote for which has executed everything below `change`: counted, not computed. */
function logEnd(change: number, start: number, interval: number, window: number): number {
  let stable = start
  for (let at = start + 1; at < change; at++) if (at % interval === 0) stable = at
  return stable + interval + window
}

/** The cases for which `holds` does not. */
function failing(holds: (example: ReturnType<typeof cases> extends Generator<infer Case> ? Case : never) => boolean) {
  return [...cases()].filter((example) => !holds(example))
}

describe('the last slot of an epoch', () => {
  it('is a boundary of checkpoints, at least a window above the change and less than three intervals', () => {
    const wrong = failing(({ interval, window, start, change, last }) => {
      const most = (start % interval === 0 ? 2 : 3) * interval
      return last % interval === 0 && last - change >= window && last - change < most
    })
    expect(wrong).toEqual([])
  })

  it('is never below what a replica votes for that has not executed the change', () => {
    const wrong = failing(
      ({ interval, window, start, change, last }) => last >= logEnd(change, start, interval, window),
    )
    expect(wrong).toEqual([])
  })

  it('is never below what was bound before: a later change ends the epoch no earlier', () => {
    const wrong = failing(({ change, extent, last }) => lastSlotAfter(slot(change + 1), extent) >= last)
    expect(wrong).toEqual([])
  })

  it('is bound for a replica that has not got to the start as for one that is there', () => {
    const wrong = failing(({ start, extent }) => {
      const first = lastSlotAfter(slot(start + 1), extent)
      return [1, Math.ceil(start / 2), start].every((at) => at < 1 || lastSlotAfter(slot(at), extent) === first)
    })
    expect(wrong).toEqual([])
  })

  it('is the second boundary above a change, in an epoch that began at one', () => {
    const extent = { start: slot(0), parameters: { checkpointInterval: 128, window: 32 } }
    for (const [change, last] of [
      [1, 256],
      [100, 256],
      [128, 256],
      [129, 384],
      [256, 384],
    ] as const) {
      expect(lastSlotAfter(slot(change), extent)).toBe(last)
    }
  })

  it('is exact for large slots, and refused where it has no number', () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), fc.integer({ min: 1, max: 65_536 }), (start, interval) => {
        fc.pre(start < 2 ** 53 - 4 * interval - 2)
        const extent = { start: slot(start), parameters: { checkpointInterval: interval, window: 1 } }
        const last = BigInt(lastSlotAfter(slot(start + 1), extent))
        const step = BigInt(interval)
        const base = (BigInt(start) / step) * step
        const checkpoint = base > BigInt(start) ? base : BigInt(start)
        expect(last).toBe(((checkpoint + step + 1n + step - 1n) / step) * step)
      }),
    )
    const extent = { start: slot(0), parameters: { checkpointInterval: 128, window: 32 } }
    expect(() => lastSlotAfter(slot(2 ** 53 - 1), extent)).toThrow(RangeError)
  })
})
