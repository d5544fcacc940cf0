import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Clock, EventQueue, Random, TraceHash, WALL_START_MS } from '../../../src/simulation/kernel/index.ts'

describe('the random numbers', () => {
  it('are the same for the same label on every machine: these are frozen, since seeds in reports name runs', () => {
    const random = new Random('seed 1')
    expect([random.u32(), random.u32(), random.u32(), random.below(1000), random.exponential(1000)]).toEqual([
      2055768876, 1269924403, 3186118171, 288, 100,
    ])
  })

  it('differ between labels, and a fork draws nothing from its parent', () => {
    const [a, b] = [new Random('x'), new Random('x')]
    a.fork('part').u32()
    expect(a.u32()).toBe(b.u32())
    expect(new Random('x').fork(1).u32()).not.toBe(new Random('x').fork(2).u32())
  })

  it('stay within their bounds and reach both ends', () => {
    const random = new Random('bounds')
    const seen = new Set(Array.from({ length: 2000 }, () => random.between(3, 9)))
    expect([...seen].sort((x, y) => x - y)).toEqual([3, 4, 5, 6, 7, 8, 9])
    expect(random.chance(0)).toBe(false)
    expect(random.chance(1)).toBe(true)
    expect(() => random.pick([])).toThrow(RangeError)
  })

  it('have the mean that was asked for, and a tail that is bounded', () => {
    const random = new Random('mean')
    const draws = Array.from({ length: 20_000 }, () => random.exponential(1000))
    const mean = draws.reduce((sum, draw) => sum + draw, 0) / draws.length
    expect(mean).toBeGreaterThan(900)
    expect(mean).toBeLessThan(1100)
    expect(Math.max(...draws)).toBeLessThanOrEqual(16_000)
  })

  it('shuffle every order with about the same frequency', () => {
    const random = new Random('shuffle')
    const counts = new Map<string, number>()
    for (let i = 0; i < 6000; i++) {
      const order = random.shuffled(['a', 'b', 'c']).join('')
      counts.set(order, (counts.get(order) ?? 0) + 1)
    }
    expect(counts.size).toBe(6)
    for (const count of counts.values()) expect(Math.abs(count - 1000)).toBeLessThan(150)
  })
})

describe('the event queue', () => {
  it('gives events by time, and those of one time in the order in which they were scheduled', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 20 }), { maxLength: 200 }), (times) => {
        const queue = new EventQueue<number>()
        times.forEach((time, index) => {
          queue.push(time, index)
        })
        const expected = times.map((at, event) => ({ at, event })).sort((a, b) => a.at - b.at || a.event - b.event)
        const popped = times.map(() => queue.pop())
        expect(popped.map((item) => item && { at: item.at, event: item.event })).toEqual(expected)
        expect(queue.pop()).toBeUndefined()
      }),
    )
  })

  it('keeps its order while events are taken and added by turns', () => {
    const random = new Random('queue')
    const queue = new EventQueue<number>()
    let last = 0
    for (let i = 0; i < 5000; i++) {
      queue.push(last + random.below(50), i)
      if (random.chance(0.5)) continue
      const { at = 0 } = queue.pop() ?? {}
      expect(at).toBeGreaterThanOrEqual(last)
      last = at
    }
  })
})

describe('a clock', () => {
  it('is off by its offset and drift, and only the wall clock jumps or survives a restart', () => {
    const clock = new Clock({ offsetMs: -40, driftPpm: 1000 })
    expect(clock.wallMs(0)).toBe(WALL_START_MS - 40)
    expect(clock.monotonicMs(10_000_000)).toBe(10_010)
    clock.jump(500)
    clock.restart(10_000_000)
    expect(clock.monotonicMs(12_000_000)).toBe(2002)
    expect(clock.wallMs(10_000_000)).toBe(WALL_START_MS + 460 + 10_010)
  })
})

describe('the trace hash', () => {
  const hashOf = (value: unknown) => {
    const hash = new TraceHash()
    hash.data(value)
    return hash.digest()
  }

  it('is the same for the same data, and frozen', () => {
    expect(hashOf({ kind: 'a', list: [1, 2], bytes: Uint8Array.of(3) })).toBe('1345c264d9f77a33')
  })

  it.each([
    ['a number', { a: 1 }, { a: 2 }],
    ['a high half', 1, 1 + 2 ** 32],
    ['a name', { a: 1 }, { b: 1 }],
    ['an order', [1, 2], [2, 1]],
    ['a byte', Uint8Array.of(1, 2), Uint8Array.of(1, 3)],
    ['a border between texts', ['ab', 'c'], ['a', 'bc']],
    ['a truth', true, false],
  ])('sees %s that differs', (_, one, other) => {
    expect(hashOf(one)).not.toBe(hashOf(other))
  })
})
