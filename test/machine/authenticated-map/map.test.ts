import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { compareBytes, hashWith, hex, textWith, utf8 } from '../../../crypto/index.ts'
import { useNative } from '../../../keys/native/index.ts'
import {
  AuthenticatedMap,
  EMPTY_HASH,
  MAX_OPEN_SNAPSHOTS,
  type Text,
  toBytes,
  toText,
  verifyStateProof,
} from '../../../src/machine/index.ts'
import { twinRoot } from '../support.ts'

/** Few different keys, so that puts, replacements and deletes meet. */
const keys = fc.integer({ min: 0, max: 60 }).map((number) => toText(utf8(`key ${number}`)))
const values = fc.uint8Array({ maxLength: 6 }).map(toText)
const writes = fc.array(fc.tuple(keys, fc.option(values, { nil: undefined })), { maxLength: 80 })

function applyTo(content: Map<Text, Text>, key: Text, value: Text | undefined): void {
  if (value === undefined) content.delete(key)
  else content.set(key, value)
}

function mapOf(content: Iterable<readonly [Text, Text]>): AuthenticatedMap {
  const map = new AuthenticatedMap()
  for (const [key, value] of content) map.set(key, value)
  return map
}

function sequential(count: number): AuthenticatedMap {
  const map = new AuthenticatedMap()
  for (let i = 0; i < count; i++) map.set(toText(utf8(`key ${i}`)), toText(utf8(`value ${i}`)))
  return map
}

describe('the state root', () => {
  it('is 32 zero bytes for the empty state, also after everything was deleted', () => {
    const map = sequential(300)
    map.commit()
    for (let i = 0; i < 300; i++) map.set(toText(utf8(`key ${i}`)), undefined)
    expect(map.commit()).toEqual(EMPTY_HASH)
    expect(map.size).toBe(0)
  })

  it('is what the definition says after any writes with any commits between them', () => {
    fc.assert(
      fc.property(fc.array(writes, { maxLength: 6 }), (rounds) => {
        const map = new AuthenticatedMap()
        const content = new Map<Text, Text>()
        for (const round of rounds) {
          for (const [key, value] of round) {
            expect(map.set(key, value)).toBe(content.get(key))
            applyTo(content, key, value)
          }
          expect(hex(map.commit())).toBe(hex(twinRoot(content)))
        }
      }),
    )
  })

  it('is the same when parts of it were brought up to date in between, few keys at a time', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(writes, fc.integer({ min: 0, max: 9 })), { maxLength: 6 }), (rounds) => {
        const map = new AuthenticatedMap()
        const content = new Map<Text, Text>()
        for (const [round, limit] of rounds) {
          for (const [key, value] of round) {
            map.set(key, value)
            applyTo(content, key, value)
          }
          const before = map.uncommitted
          map.commitSome(limit)
          expect(map.uncommitted).toBe(Math.max(0, before - limit))
        }
        expect(hex(map.commit())).toBe(hex(twinRoot(content)))
        expect(map.uncommitted).toBe(0)
      }),
    )
  })

  it.each([
    ['noble', () => {}],
    ['what is native', useNative],
  ])('of thousands of keys is what the definition says, changed many at a time and hashed by %s', (_, begin) => {
    begin()
    const map = new AuthenticatedMap()
    const content = new Map<Text, Text>()
    for (let round = 0; round < 4; round++) {
      for (let i = 0; i < 1500; i++) {
        const number = (i * 7919 + round * 977) % 4001
        const key = toText(utf8(`key ${number}`))
        // Some go, some stay as they are, and one is longer than all that is hashed in one go.
        const value =
          (i + round) % 5 === 0
            ? undefined
            : toText(utf8(`${'v'.repeat(number === 7 ? 70_000 : number % 3)}${number % 2}`))
        map.set(key, value)
        applyTo(content, key, value)
      }
      if (round % 2 === 1) expect(hex(map.commit())).toBe(hex(twinRoot(content)))
    }
    hashWith(undefined)
    textWith(undefined)
  })

  it('depends on the content alone, not on the order of the writes or the commits', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.tuple(keys, values), { selector: ([key]) => key }),
        fc.func(fc.boolean()),
        (all, when) => {
          const forwards = mapOf(all)
          const backwards = new AuthenticatedMap()
          for (const [key, value] of all.toReversed()) {
            backwards.set(key, 'other' as Text)
            if (when(key)) backwards.commit()
            backwards.set(key, value)
          }
          expect(backwards.commit()).toEqual(forwards.commit())
        },
      ),
    )
  })

  it('does not change by a write that puts what is there already', () => {
    const map = sequential(50)
    const root = map.commit()
    map.set(toText(utf8('key 7')), toText(utf8('value 7')))
    expect(map.commit()).toEqual(root)
  })

  it('tells a key from its value, and one boundary between them from another', () => {
    const roots = [
      ['ab', 'c'],
      ['a', 'bc'],
      ['c', 'ab'],
      ['abc', ''],
    ].map(([key = '', value = '']) => hex(mapOf([[key as Text, value as Text]]).commit()))
    expect(new Set(roots).size).toBe(4)
  })
})

describe('the ordered index', () => {
  it('scans any range in the order of the bytes, after any writes', () => {
    const anyKey = fc.uint8Array({ maxLength: 3 })
    fc.assert(
      fc.property(
        fc.array(fc.tuple(anyKey, fc.boolean()), { maxLength: 400 }),
        anyKey,
        fc.option(anyKey, { nil: undefined }),
        (all, start, end) => {
          const map = new AuthenticatedMap()
          const content = new Map<string, Uint8Array>()
          for (const [key, put] of all) {
            map.set(toText(key), put ? toText(key) : undefined)
            if (put) content.set(hex(key), key)
            else content.delete(hex(key))
          }
          const expected = [...content.values()]
            .sort(compareBytes)
            .filter((key) => compareBytes(key, start) >= 0 && (end === undefined || compareBytes(key, end) < 0))
          const found: string[] = []
          map.scan(toText(start), end && toText(end), (key) => {
            found.push(hex(toBytes(key)))
            return true
          })
          expect(found).toEqual(expected.map(hex))
          expect(map.size).toBe(content.size)
        },
      ),
    )
  })

  it('keeps ten thousand keys through ascending puts and scattered deletes', () => {
    const map = new AuthenticatedMap()
    const name = (i: number) => toText(utf8(String(i).padStart(6, '0')))
    for (let i = 0; i < 10_000; i++) map.set(name(i), 'x' as Text)
    for (let i = 0; i < 10_000; i++) if ((i * 7919) % 10_000 >= 100) map.set(name((i * 7919) % 10_000), undefined)
    const left: Text[] = []
    map.scan('' as Text, undefined, (key) => left.push(key) > 0)
    expect(left).toEqual(Array.from({ length: 100 }, (_, i) => name(i)))
  })
})

describe.each<[string, (i: number) => number]>([
  ['ascending', (i) => i],
  ['descending', (i) => 1999 - i],
  ['scattered', (i) => (i * 773) % 2000],
])('after two thousand deletes, %s', (_name, order) => {
  it('the ordered index still finds what is left, and takes everything again', () => {
    const map = new AuthenticatedMap()
    const name = (i: number) => toText(utf8(String(i).padStart(6, '0')))
    const everything = Array.from({ length: 2000 }, (_, i) => name(i))
    for (const key of everything) map.set(key, key)
    const left = new Set(everything)
    for (let i = 0; i < 2000; i++) {
      map.set(name(order(i)), undefined)
      left.delete(name(order(i)))
      if (i % 97 !== 0 && i !== 1999) continue
      expect(everything.filter((key) => map.get(key) === key)).toEqual([...left])
    }
    for (let i = 0; i < 2000; i++) map.set(name(order(i)), name(i))
    const found: Text[] = []
    map.scan('' as Text, undefined, (key) => found.push(key) > 0)
    expect(found).toEqual(everything)
  })
})

describe('a snapshot', () => {
  it('stays as it was while the map goes on, and gives up what it kept when it is closed', () => {
    fc.assert(
      fc.property(fc.array(writes, { minLength: 1, maxLength: 6 }), (rounds) => {
        const map = new AuthenticatedMap()
        const content = new Map<Text, Text>()
        const opened = rounds.map((round) => {
          for (const [key, value] of round) {
            map.set(key, value)
            applyTo(content, key, value)
          }
          return { snapshot: map.snapshot(), content: new Map(content) }
        })
        for (const { snapshot, content } of opened) {
          expect(snapshot.root).toEqual(twinRoot(content))
          for (let i = 0; i <= 60; i++) {
            const key = utf8(`key ${i}`)
            const value = content.get(toText(key))
            expect(snapshot.get(key)).toEqual(value === undefined ? undefined : toBytes(value))
            expect(verifyStateProof(snapshot.root, key, snapshot.get(key), snapshot.prove(key))).toBe(true)
          }
        }
        for (const { snapshot } of opened.toReversed()) snapshot.close()
        expect(map.keptNodes).toBe(0)
        expect(map.commit()).toEqual(twinRoot(content))
      }),
      { numRuns: 30 },
    )
  })

  it('keeps as many nodes as changed, not as there are', () => {
    const map = sequential(20_000)
    const snapshot = map.snapshot()
    for (let i = 0; i < 100; i++) map.set(toText(utf8(`key ${i * 151}`)), 'new' as Text)
    map.commit()
    expect(map.keptNodes).toBeGreaterThan(100)
    expect(map.keptNodes).toBeLessThan(100 * 12)
    snapshot.close()
    snapshot.close()
    expect(map.keptNodes).toBe(0)
  })

  it('cannot be used once closed, nor opened without end', () => {
    const map = sequential(3)
    const snapshots = Array.from({ length: MAX_OPEN_SNAPSHOTS }, () => map.snapshot())
    expect(() => map.snapshot()).toThrow('are open already')
    snapshots[0]?.close()
    expect(() => snapshots[0]?.prove(utf8('key 1'))).toThrow('after it was closed')
    expect(map.snapshot().get(utf8('key 1'))).toEqual(utf8('value 1'))
  })
})

describe('a state proof', () => {
  const map = sequential(500)
  const { root, get, prove } = map.snapshot()

  it('shows a key with its value, and the absence of a key', () => {
    for (const name of ['key 0', 'key 77', 'key 499']) {
      expect(verifyStateProof(root, utf8(name), get(utf8(name)), prove(utf8(name)))).toBe(true)
    }
    for (const name of ['key 500', 'key', '']) {
      expect(verifyStateProof(root, utf8(name), undefined, prove(utf8(name)))).toBe(true)
    }
  })

  it('cannot show a present key as absent, nor an absent one as present, nor another value', () => {
    for (let i = 0; i < 520; i++) {
      const key = utf8(`key ${i}`)
      const proof = prove(key)
      expect(verifyStateProof(root, key, undefined, proof)).toBe(i >= 500)
      expect(verifyStateProof(root, key, utf8('forged'), proof)).toBe(false)
    }
  })

  it('holds for no other key: any proof of another key that does not end where this one is', () => {
    const key = utf8('key 3')
    for (let i = 0; i < 600; i++) {
      if (i === 3) continue
      const other = prove(utf8(`key ${i}`))
      expect(verifyStateProof(root, key, undefined, other)).toBe(false)
      expect(verifyStateProof(root, key, utf8('value 3'), other)).toBe(false)
    }
  })

  it('is refused under any other root', () => {
    const other = sequential(501).commit()
    expect(verifyStateProof(other, utf8('key 9'), utf8('value 9'), prove(utf8('key 9')))).toBe(false)
    expect(verifyStateProof(root.subarray(1), utf8('key 9'), utf8('value 9'), prove(utf8('key 9')))).toBe(false)
  })

  it.each(['key 9', 'key 1009', 'key 1010', 'key 1011'])('is refused after any change of its bytes (%s)', (name) => {
    const key = utf8(name)
    const proof = prove(key)
    const value = get(key)
    for (let at = 0; at < proof.length; at++) {
      for (const bit of [1, 2, 4, 8, 16, 32, 64, 128]) {
        const changed = Uint8Array.from(proof, (byte, i) => (i === at ? byte ^ bit : byte))
        expect(verifyStateProof(root, key, value, changed), `byte ${at}`).toBe(false)
      }
    }
    for (let length = 0; length < proof.length; length++) {
      expect(verifyStateProof(root, key, value, proof.subarray(0, length))).toBe(false)
    }
    expect(verifyStateProof(root, key, value, Uint8Array.from([...proof, 0]))).toBe(false)
  })

  it('is refused with an empty subtree announced as a hash', () => {
    // It stands for the same children, so the root would be right: without the rule a proof had two encodings.
    const { root, prove } = sequential(2).snapshot()
    const key = utf8('key 0')
    const proof = prove(key)
    const mask = proof[1] ?? 0
    let refused = 0
    for (let bit = 0; bit < 4; bit++) {
      if ((mask & (1 << bit)) !== 0) continue
      const before = [...Array(bit).keys()].filter((lower) => (mask & (1 << lower)) !== 0).length
      const at = 2 + 32 * before
      const padded = Uint8Array.from([...proof.subarray(0, at), ...new Uint8Array(32), ...proof.subarray(at)])
      padded[1] = mask | (1 << bit)
      expect(verifyStateProof(root, key, utf8('value 0'), padded)).toBe(false)
      refused++
    }
    expect(refused).toBe(3)
  })

  it('never throws, whatever the bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.uint8Array({ maxLength: 4 }), (proof, key) => {
        expect(verifyStateProof(root, key, undefined, proof)).toBe(false)
      }),
    )
  })
})
