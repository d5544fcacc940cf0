import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Digest, digest, equalBytes, sha256, utf8 } from '../../../crypto/index.ts'
import { nativeSha256 } from '../../../keys/native/index.ts'
import {
  AuthenticatedMap,
  CHUNK_BYTES,
  FIRST_PATH,
  MAX_CHUNK_BYTES,
  MAX_KEY_BYTES,
  MAX_VALUE_BYTES,
  MapRestoration,
  type MapSnapshot,
  type Text,
  toBytes,
  toText,
  verifyChunk,
} from '../../../src/machine/index.ts'

function mapOf(count: number, valueBytes: number, round = 0): AuthenticatedMap {
  const map = new AuthenticatedMap()
  for (let i = 0; i < count; i++)
    map.set(toText(utf8(`key ${i}`)), toText(utf8(`${i}.${round}`.padEnd(valueBytes, 'x'))))
  return map
}

function restored(root: Digest, chunks: Iterable<Uint8Array>, hash = sha256): AuthenticatedMap {
  const restoration = new MapRestoration(root, hash)
  let count = 0
  for (const chunk of chunks) {
    const taken = restoration.offer(chunk)
    if (!taken.ok) throw new Error(taken.fault)
    // At once, or whenever it must be.
    if (count++ % 2 === 0) restoration.settle()
  }
  return restoration.finish()
}

function entriesOf(map: AuthenticatedMap): [Text, Text][] {
  const entries: [Text, Text][] = []
  map.scan('' as Text, undefined, (key, value) => entries.push([key, value]) > 0)
  return entries
}

/** Three chunks of about 256 KiB. */
const small = mapOf(1500, 400).snapshot()
const chunks = [...small.chunks()]

describe('a snapshot in chunks', () => {
  it('restores the same content and root, whatever the content', () => {
    const entry = fc.tuple(fc.uint8Array({ maxLength: 40 }).map(toText), fc.uint8Array({ maxLength: 90 }).map(toText))
    fc.assert(
      fc.property(fc.array(entry, { maxLength: 60 }), (entries) => {
        const map = new AuthenticatedMap()
        for (const [key, value] of entries) map.set(key, value)
        const snapshot = map.snapshot()
        const copy = restored(snapshot.root, snapshot.chunks())
        expect(entriesOf(copy)).toEqual(entriesOf(map))
        expect(copy.commit()).toEqual(snapshot.root)
      }),
    )
  })

  it('restores across many chunks, and the restored map goes on like the original', () => {
    const map = mapOf(6000, 300)
    const snapshot = map.snapshot()
    const all = [...snapshot.chunks()]
    expect(all.length).toBeGreaterThan(5)
    const copy = restored(snapshot.root, all)
    for (const each of [map, copy]) {
      for (let i = 0; i < 6000; i += 7)
        each.set(toText(utf8(`key ${i}`)), i % 2 === 0 ? undefined : toText(utf8('new')))
    }
    expect(copy.commit()).toEqual(map.commit())
  })

  it('restores what lies on both sides of where chunks end, and goes on like the original', () => {
    const sizes = fc.array(fc.constantFrom(0, 131_072, 262_144), { minLength: 3, maxLength: 10 })
    const native = (bytes: Uint8Array) => digest(nativeSha256(bytes))
    fc.assert(
      fc.property(sizes, fc.nat(), (some, salt) => {
        // One to a few of its entries fill a chunk.
        const map = new AuthenticatedMap(native)
        const keys = some.map((_, i) => toText(utf8(`${salt} ${i}`)))
        keys.forEach((key, i) => {
          map.set(key, toText(new Uint8Array(some[i] ?? 0).fill(i)))
        })
        const snapshot = map.snapshot()
        const copy = restored(snapshot.root, snapshot.chunks(), native)
        const again = [...copy.snapshot().chunks()]
        expect([...snapshot.chunks()].every((chunk, i) => equalBytes(chunk, again[i] ?? FIRST_PATH))).toBe(true)
        keys.forEach((key, i) => {
          for (const each of [map, copy]) each.set(key, i % 2 === 0 ? undefined : ('changed' as Text))
          expect(copy.commit()).toEqual(map.commit())
        })
      }),
      { numRuns: 30 },
    )
  })

  it('has chunks of bounded size, with the largest entries and with the smallest', () => {
    const large = new AuthenticatedMap()
    for (let i = 0; i < 4; i++) {
      large.set(toText(new Uint8Array(MAX_KEY_BYTES).fill(i)), toText(new Uint8Array(MAX_VALUE_BYTES).fill(i)))
    }
    for (const map of [large, mapOf(30_000, 0)]) {
      const snapshot = map.snapshot()
      const sizes = [...snapshot.chunks()].map((chunk) => chunk.length)
      expect(Math.max(...sizes)).toBeLessThanOrEqual(MAX_CHUNK_BYTES)
      expect(sizes.slice(0, -1).every((size) => size >= CHUNK_BYTES)).toBe(true)
      expect(restored(snapshot.root, snapshot.chunks()).size).toBe(map.size)
    }
  })

  it('can be begun anywhere and taken up again after any chunk', () => {
    let from: Uint8Array | undefined = FIRST_PATH
    for (const chunk of chunks) {
      if (from === undefined) throw new Error('a chunk too many')
      expect(small.chunk(from).bytes).toEqual(chunk)
      const verified = verifyChunk(small.root, from, chunk)
      from = verified.ok ? verified.value.next : undefined
    }
    expect(from).toBeUndefined()
    const middle = new Uint8Array(32).fill(0x77)
    const verified = verifyChunk(small.root, middle, small.chunk(middle).bytes)
    expect(verified.ok && verified.value.entries).toBeGreaterThan(100)
  })

  it('is the same bytes from every replica, whatever its history', () => {
    const other = mapOf(1500, 400, 1)
    other.commit()
    for (let i = 1500; i < 2000; i++) other.set(toText(utf8(`key ${i}`)), '' as Text)
    other.commit()
    for (let i = 1500; i < 2000; i++) other.set(toText(utf8(`key ${i}`)), undefined)
    for (const [key, value] of entriesOf(mapOf(1500, 400))) other.set(key, value)
    expect([...other.snapshot().chunks()]).toEqual(chunks)
  })
})

describe('a poisoned snapshot', () => {
  const [first = FIRST_PATH, second = FIRST_PATH, third = FIRST_PATH] = chunks

  function verdict(chunk: Uint8Array, root: Digest = small.root): string {
    const verified = verifyChunk(root, FIRST_PATH, chunk)
    return verified.ok ? 'accepted' : verified.fault
  }

  it('is refused for any changed byte', () => {
    const tiny = mapOf(12, 5).snapshot()
    const chunk = tiny.chunk(FIRST_PATH).bytes
    expect(verdict(chunk, tiny.root)).toBe('accepted')
    for (let at = 0; at < chunk.length; at++) {
      for (const bit of [1, 2, 4, 8, 16, 32, 64, 128]) {
        expect(verdict(flipped(chunk, at, bit), tiny.root), `byte ${at}, bit ${bit}`).not.toBe('accepted')
      }
    }
  })

  it('is refused for a sample of changed bytes, cuts and additions in a chunk with pruned neighbours', () => {
    const from = new Uint8Array(32).fill(0x55)
    const chunk = small.chunk(from).bytes
    const accepts = (bytes: Uint8Array) => verifyChunk(small.root, from, bytes).ok
    expect(accepts(chunk)).toBe(true)
    const positions = [...Array(900).keys()].map((i) => (i < 500 ? i : (i * 2_654_435) % chunk.length))
    for (const at of positions.filter((_, i) => i % 15 === 0)) {
      expect(accepts(flipped(chunk, at, 0x10)), `byte ${at}`).toBe(false)
    }
    for (const length of [0, 1, 33, 34, 500, chunk.length - 1]) expect(accepts(chunk.subarray(0, length))).toBe(false)
    expect(accepts(Uint8Array.from([...chunk, 0]))).toBe(false)
  })

  it('is refused where it belongs to another state, or to an older one of the same cluster', () => {
    expect(verdict(first, mapOf(1500, 400, 1).commit())).toBe('root')
    const map = mapOf(1500, 400)
    const older = map.snapshot()
    map.set(toText(utf8('key 3')), '' as Text)
    expect(verdict(older.chunk(FIRST_PATH).bytes, map.commit())).toBe('root')
  })

  it('is refused where a chunk is left out, repeated or out of turn, and goes on with the right one', () => {
    const restoration = new MapRestoration(small.root)
    expect(restoration.offer(second)).toEqual({ ok: false, fault: 'start' })
    expect(restoration.offer(first)).toEqual({ ok: true, value: false })
    expect(restoration.offer(first)).toEqual({ ok: false, fault: 'start' })
    expect(restoration.offer(third)).toEqual({ ok: false, fault: 'start' })
    expect(() => restoration.finish()).toThrow('chunks are missing')
    expect(restoration.offer(second)).toEqual({ ok: true, value: false })
    expect(restoration.offer(third)).toEqual({ ok: true, value: true })
    expect(restoration.finish().commit()).toEqual(small.root)
  })

  it('is refused where the last chunk claims that more follows, or an earlier one that nothing does', () => {
    expect(verdict(flipped(first, 32, 1))).toBe('end')
    const start = third.slice(0, 32)
    const more = verifyChunk(small.root, start, flipped(third, 32, 1))
    expect(more).toEqual({ ok: false, fault: 'end' })
  })

  it('is refused where an entry is replaced by its hash: nothing can be left out, not even honestly hashed', () => {
    expect(verdict(pruneOneEntry(mapOf(1, 5).snapshot()), mapOf(1, 5).commit())).toBe('gap')
  })

  it('is refused where it ends early: nobody can hand out a snapshot in crumbs', () => {
    const root = mapOf(1, 5).commit()
    const crumb = Uint8Array.from([...FIRST_PATH, 0, 1, ...root])
    expect(verdict(crumb, root)).toBe('gap')
  })

  it('is refused where it goes on after it is full: all honest peers send the same bytes', () => {
    const whole = encodeWhole(entriesOf(mapOf(1500, 400)))
    expect(whole.length).toBeLessThan(MAX_CHUNK_BYTES)
    expect(verdict(whole)).toBe('gap')
    const few = mapOf(40, 40)
    expect(encodeWhole(entriesOf(few))).toEqual(few.snapshot().chunk(FIRST_PATH).bytes)
  })

  it('is refused before it is read where it is larger than any honest chunk', () => {
    expect(verdict(new Uint8Array(MAX_CHUNK_BYTES + 1))).toBe('size')
  })

  it('never throws, whatever the bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (noise) => {
        expect(verdict(Uint8Array.from([...FIRST_PATH, 1, 3, ...noise]))).not.toBe('accepted')
      }),
    )
  })
})

/** The chunk of a state with one key, with the leaf's hash in place of the entry. */
function pruneOneEntry(snapshot: MapSnapshot): Uint8Array {
  return Uint8Array.from([...FIRST_PATH, 1, 1, ...snapshot.root])
}

function flipped(bytes: Uint8Array, at: number, bits: number): Uint8Array {
  const copy = bytes.slice()
  copy[at] = (copy[at] ?? 0) ^ bits
  return copy
}

/** All entries in one chunk, however many; straight from the format. */
function encodeWhole(entries: readonly [Text, Text][]): Uint8Array {
  const leaves = entries.map(([key, value]) => {
    const path = sha256(Uint8Array.of(0x22, ...toBytes(key)))
    return {
      key: toBytes(key),
      value: toBytes(value),
      bits: [...path].map((byte) => byte.toString(2).padStart(8, '0')).join(''),
    }
  })
  const out: number[] = []
  const kindOf = (some: typeof leaves) => (some.length > 1 ? 3 : some.length === 1 ? 2 : 0)
  const write = (some: typeof leaves, depth: number) => {
    const [first] = some
    if (first !== undefined && some.length === 1) {
      const { key, value } = first
      out.push(1, key.length >>> 8, key.length & 255, ...key, 0, 0, value.length >>> 8, value.length & 255, ...value)
    } else if (some.length > 1) {
      const digits = ['00', '01', '10', '11']
      const parts = digits.map((digit) => some.filter(({ bits }) => bits.slice(2 * depth, 2 * depth + 2) === digit))
      out.push(parts.reduce((mask, part, digit) => mask | (kindOf(part) << (2 * digit)), 0))
      for (const part of parts) write(part, depth + 1)
    }
  }
  write(leaves, 0)
  return Uint8Array.from([...FIRST_PATH, 1, kindOf(leaves), ...out])
}
