import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  batchTree,
  type Digest,
  HashBatch,
  hashWith,
  hex,
  leafHash,
  leafHashes,
  leafHashesOf,
  merkleRoot,
  nodeHash,
  sha256,
  textWith,
} from '../../crypto/index.ts'
import { useNative } from '../../keys/native/index.ts'

/** More than are hashed in one go. */
const MANY = 1300

describe.each([
  ['noble', () => {}],
  ['what is native', useNative],
])('hashes of many by %s', (_, begin) => {
  beforeAll(begin)
  afterAll(() => {
    hashWith(undefined)
    textWith(undefined)
  })

  function hashed(messages: readonly Uint8Array[], batch = new HashBatch()): string[] {
    const all: string[] = []
    batch.run(
      (digests, count) => {
        for (let i = 0; i < count; i++) all.push(hex(digests.subarray(32 * i, 32 * (i + 1))))
      },
      () => {
        for (const message of messages) {
          const at = batch.begin(message[0] ?? 0, message.length - 1)
          batch.bytes.set(message.subarray(1), at)
        }
      },
    )
    return all
  }

  const each = (messages: readonly Uint8Array[]) => messages.map((message) => hex(sha256(message)))

  it('are those of each, in their order, whatever their lengths, and again with the same batch', () => {
    const lengths = fc.oneof(
      { weight: 9, arbitrary: fc.integer({ min: 1, max: 300 }) },
      fc.constantFrom(65_535, 65_536, 70_000),
    )
    const batch = new HashBatch()
    fc.assert(
      fc.property(fc.array(lengths, { maxLength: 40 }), (all) => {
        const messages = all.map((length, i) => new Uint8Array(length).fill(i + length))
        expect(hashed(messages, batch)).toEqual(each(messages))
      }),
    )
  })

  it('are those of each when they are more than are hashed in one go', () => {
    const messages = Array.from({ length: MANY }, (_, i) => new Uint8Array(1 + (i % 200)).fill(i))
    expect(hashed(messages)).toEqual(each(messages))
  })

  it('are made by another hash where one is given', () => {
    const other = (bytes: Uint8Array): Digest => sha256(Uint8Array.of(...bytes, 0))
    const messages = Array.from({ length: 20 }, (_, i) => Uint8Array.of(i, i))
    expect(hashed(messages, new HashBatch(other))).toEqual(messages.map((message) => hex(other(message))))
  })

  it.each([0, 1, 2, 3, 4, 7, 8, 9, 600, MANY])('of %i leaves give the tree that hashing one by one gives', (size) => {
    const data = Array.from({ length: size }, (_, i) => new Uint8Array(i % 90).fill(i))
    const leaves = leafHashes(data)
    expect(leaves.map(hex)).toEqual(data.map((bytes) => hex(leafHash(bytes))))
    const root = (from: number, to: number): Digest => {
      if (to - from === 1) return leaves[from] ?? sha256(new Uint8Array(0))
      const split = from + 2 ** Math.ceil(Math.log2(to - from) - 1)
      return nodeHash(root(from, split), root(split, to))
    }
    const expected = size === 0 ? sha256(new Uint8Array(0)) : root(0, size)
    expect(hex(batchTree(leaves).root)).toBe(hex(expected))
    expect(hex(merkleRoot(leaves))).toBe(hex(expected))
  })

  it('are right after hashing others was broken off, which leaves nothing behind', () => {
    const messages = Array.from({ length: 12 }, (_, i) => Uint8Array.of(i, i))
    const batch = new HashBatch()
    expect(() =>
      batch.run(
        () => {},
        () => {
          batch.begin(1, 5)
          throw new Error('broken off')
        },
      ),
    ).toThrow('broken off')
    expect(hashed(messages, batch)).toEqual(each(messages))
    const long = { length: 3, bytes: new Uint8Array(4) }
    const write = (item: typeof long, target: Uint8Array, at: number) => {
      if (item === long) throw new RangeError('does not fit')
      target.set(item.bytes, at)
    }
    expect(() => leafHashesOf([{ ...long }, long], ({ length }) => length, write)).toThrow('does not fit')
    expect(leafHashes(messages).map(hex)).toEqual(messages.map((bytes) => hex(leafHash(bytes))))
  })

  it('are not begun within others, whose messages they would take', () => {
    const batch = new HashBatch()
    const within = () =>
      batch.run(
        () => {},
        () => {},
      )
    expect(() => batch.run(() => {}, within)).toThrow('within')
  })

  it('do not change when others are made later', () => {
    const [first] = leafHashes(Array.from({ length: 20 }, (_, i) => Uint8Array.of(i)))
    const before = first && hex(first)
    leafHashes(Array.from({ length: 20 }, (_, i) => Uint8Array.of(i + 100)))
    expect(first && hex(first)).toBe(before)
  })
})

describe('what hashes many at once', () => {
  it('is made when there are many to hash, and not for fewer', () => {
    let made = 0
    hashWith(undefined, undefined, () => {
      made++
      return undefined
    })
    const data = (count: number) => Array.from({ length: count }, (_, i) => Uint8Array.of(i))
    leafHashes(data(7))
    expect(made).toBe(0)
    leafHashes(data(8))
    leafHashes(data(8))
    expect(made).toBe(1)
    hashWith(undefined)
  })
})
