import fc from 'fast-check'
import { decode, encode } from 'it-length-prefixed'
import { describe, expect, it } from 'vitest'
import { Budget, FrameQueue } from '../../net/frame-queue.ts'
import { FrameReader, joinFrames, prefixBytes } from '../../net/frames.ts'

const frames = fc.array(fc.uint8Array({ minLength: 1, maxLength: 300 }), { maxLength: 20 })

function joined(list: readonly Uint8Array[]): Uint8Array {
  return joinFrames(
    list,
    list.reduce((sum, { length }) => sum + prefixBytes(length) + length, 0),
  )
}

/** What comes of `bytes` that arrive cut at `cuts`. */
function readIn(bytes: Uint8Array, cuts: readonly number[], maxBytes = 1_000_000) {
  const read: Uint8Array[] = []
  const reader = new FrameReader(maxBytes, (frame) => read.push(frame))
  const ends = [...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length].sort((a, b) => a - b)
  let [from, fault] = [0, reader.push(new Uint8Array())]
  for (const end of ends) {
    fault = reader.push(bytes.subarray(from, end))
    from = end
  }
  return { read, fault }
}

describe('frames on a stream', () => {
  it('come out as they went in, however the bytes are cut', () => {
    fc.assert(
      fc.property(frames, fc.array(fc.nat()), (list, cuts) => {
        expect(readIn(joined(list), cuts)).toEqual({ read: list, fault: undefined })
      }),
    )
  })

  it('are those of it-length-prefixed, both ways', () => {
    fc.assert(
      fc.property(frames, (list) => {
        expect([...decode([joined(list)])].map((each) => each.subarray())).toEqual(list)
        const theirs = Buffer.concat([...encode(list)].map((each) => each.subarray()))
        expect(Buffer.from(joined(list))).toEqual(theirs)
      }),
    )
  })

  it.each([127, 128, 16_383, 16_384, 65_536, 65_537, 2_097_151, 2_097_152])('may be %i bytes long', (length) => {
    const bytes = new Uint8Array(length).map((_, i) => i)
    const { read, fault } = readIn(joined([bytes, Uint8Array.of(1)]), [1, 3, 70_000, 200_000], 4_000_000)
    expect(fault).toBe(undefined)
    expect(read.map((each) => Buffer.from(each).equals(bytes) || each.length)).toEqual([true, 1])
  })

  it('are memory of their own: what arrived may be overwritten', () => {
    const bytes = joined([Uint8Array.of(1, 2, 3)])
    const { read } = readIn(bytes, [])
    bytes.fill(9)
    expect(read).toEqual([Uint8Array.of(1, 2, 3)])
    expect(read[0]?.buffer.byteLength).toBe(3)
  })

  it.each([
    ['length 0', [0], 'malformed-prefix'],
    ['a second spelling of 1', [0x81, 0x00, 7], 'malformed-prefix'],
    ['a second spelling of 0', [0x80, 0x80, 0x00], 'malformed-prefix'],
    ['2^31', [0x80, 0x80, 0x80, 0x80, 0x08], 'frame-too-large'],
    ['2^28', [0x80, 0x80, 0x80, 0x80, 0x01], 'frame-too-large'],
    ['an endless prefix', Array<number>(100).fill(0xff), 'frame-too-large'],
    ['one more than the limit', [0xe9, 0x07], 'frame-too-large'],
  ])('are refused by their prefix: %s', (_, prefix, expected) => {
    const good = joined([Uint8Array.of(5)])
    const { read, fault } = readIn(Uint8Array.from([...good, ...prefix, ...good]), [], 1000)
    expect({ read, fault }).toEqual({ read: [Uint8Array.of(5)], fault: expected })
    const bytewise = readIn(Uint8Array.from(prefix), [...prefix.keys()], 1000)
    expect(bytewise).toEqual({ read: [], fault: expected })
  })

  it('take no memory for what has not arrived', () => {
    const before = process.memoryUsage().arrayBuffers
    const readers = Array.from({ length: 100 }, () => new FrameReader(2 ** 27, () => undefined))
    for (const reader of readers) reader.push(Uint8Array.of(0x80, 0x80, 0x80, 0x20, 1, 2, 3))
    // 100 promises of 64 MiB.
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(16 * 1024 * 1024)
    expect(readers.length).toBe(100)
  })

  it('stop in the middle of what arrived', () => {
    const read: number[] = []
    const reader: FrameReader = new FrameReader(100, ([first = 0]) => {
      read.push(first)
      if (first === 2) reader.stop()
    })
    reader.push(joined([1, 2, 3, 4].map((each) => Uint8Array.of(each))))
    expect(read).toEqual([1, 2])
  })

  it('never make the reader throw, whatever arrives', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 2000 }), fc.array(fc.nat()), (bytes, cuts) => {
        const { read } = readIn(bytes, cuts, 500)
        expect(read.every(({ length }) => length >= 1 && length <= 500)).toBe(true)
      }),
      { numRuns: 1000 },
    )
  })
})

describe('a queue of frames', () => {
  it('gives back what was put in, whole and in order, in writes of bounded size', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 900_000 }), { maxLength: 12 }), (sizes) => {
        const queue = new FrameQueue(Number.POSITIVE_INFINITY)
        const list = sizes.map((size, i) => new Uint8Array(size).fill(i + 1))
        for (const each of list) queue.push(each)
        const writes: Uint8Array[] = []
        for (let next = queue.take(); next !== undefined; next = queue.take()) writes.push(next)
        for (const write of writes) expect(write.length).toBeLessThanOrEqual(1024 * 1024)
        expect(Buffer.concat(writes).equals(joined(list))).toBe(true)
        expect(queue.bytes).toBe(0)
      }),
      { numRuns: 30 },
    )
  })

  it('takes one frame of any size when it is empty, and nothing beyond its limit else', () => {
    const queue = new FrameQueue(10)
    expect(queue.push(new Uint8Array(50))).toBe(true)
    expect(queue.push(new Uint8Array(1))).toBe(false)
    queue.clear()
    expect(queue.push(new Uint8Array(1))).toBe(true)
    expect(queue.push(new Uint8Array(8))).toBe(false)
    expect(queue.push(new Uint8Array(7))).toBe(true)
  })

  it('counts what waits further on', () => {
    const queue = new FrameQueue(10)
    expect(queue.push(new Uint8Array(5), 5)).toBe(false)
    expect(queue.push(new Uint8Array(4), 5)).toBe(true)
  })

  it('shares a budget with others, which does not keep short frames from an empty queue', () => {
    const budget = new Budget(200_000)
    const [greedy, modest] = [new FrameQueue(1e9, budget), new FrameQueue(1e9, budget)]
    expect(greedy.push(new Uint8Array(190_000))).toBe(true)
    expect(greedy.push(new Uint8Array(20_000))).toBe(false)
    expect(modest.push(new Uint8Array(100_000))).toBe(false)
    expect(modest.push(new Uint8Array(20_000))).toBe(true)
    expect(modest.push(new Uint8Array(20_000))).toBe(false)
    greedy.clear()
    modest.take()
    expect(budget.used).toBe(0)
  })
})
