import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Digest, digest, utf8 } from '../../../crypto/index.ts'
import { nativeSha256 } from '../../../keys/native/index.ts'
import {
  AuthenticatedMap,
  FIRST_PATH,
  isSealed,
  MapRestoration,
  openChunk,
  type Text,
  toText,
  verifyChunk,
} from '../../../src/machine/index.ts'

const native = (bytes: Uint8Array) => digest(nativeSha256(bytes))

function mapOf(count: number, valueBytes: number): AuthenticatedMap {
  const map = new AuthenticatedMap(native)
  for (let i = 0; i < count; i++) map.set(toText(utf8(`key ${i}`)), toText(utf8(`${i}.`.padEnd(valueBytes, 'x'))))
  return map
}

function restored(root: Digest, sealed: Iterable<Uint8Array>): AuthenticatedMap {
  const restoration = new MapRestoration(root, native)
  for (const chunk of sealed) {
    const taken = restoration.offerSealed(chunk)
    if (!taken.ok) throw new Error(taken.fault)
  }
  return restoration.finish()
}

function entriesOf(map: AuthenticatedMap): [Text, Text][] {
  const entries: [Text, Text][] = []
  map.scan('' as Text, undefined, (key, value) => entries.push([key, value]) > 0)
  return entries
}

describe('a snapshot in sealed chunks', () => {
  it('restores the same content, whose root follows the same changes, whatever the content', () => {
    const text = fc.uint8Array({ maxLength: 20 }).map(toText)
    const some = fc.array(fc.tuple(text, text), { maxLength: 60 })
    fc.assert(
      fc.property(some, some, (entries, changes) => {
        const map = new AuthenticatedMap()
        for (const [key, value] of entries) map.set(key, value)
        const snapshot = map.snapshot()
        const copy = restored(snapshot.root, snapshot.sealedChunks())
        expect(entriesOf(copy)).toEqual(entriesOf(map))
        for (const each of [map, copy]) {
          for (const [key, value] of changes) each.set(key, value.length % 3 === 0 ? undefined : value)
        }
        expect(copy.commit()).toEqual(map.commit())
        expect(entriesOf(copy)).toEqual(entriesOf(map))
      }),
    )
  })

  it('restores more keys than the sample that their order is found with, in that order', () => {
    const map = mapOf(30_000, 10)
    const snapshot = map.snapshot()
    const copy = restored(snapshot.root, snapshot.sealedChunks())
    expect(copy.size).toBe(30_000)
    expect(entriesOf(copy)).toEqual(entriesOf(map))
    for (const each of [map, copy]) {
      for (let i = 0; i < 40_000; i += 7) each.set(toText(utf8(`key ${i}`)), i % 2 === 0 ? undefined : ('new' as Text))
    }
    expect(copy.commit()).toEqual(map.commit())
    expect(entriesOf(copy)).toEqual(entriesOf(map))
  })

  it('holds the chunks that anybody may verify, with the hashes that this computes', () => {
    const snapshot = mapOf(6000, 200).snapshot()
    const sealed = [...snapshot.sealedChunks()]
    const chunks = [...snapshot.chunks()]
    expect(chunks.length).toBeGreaterThan(4)
    expect(chunks.some(isSealed)).toBe(false)
    let from: Uint8Array = FIRST_PATH
    chunks.forEach((chunk, i) => {
      const opened = openChunk(sealed[i] ?? FIRST_PATH)
      const verified = verifyChunk(snapshot.root, from, chunk, native)
      if (!opened.ok || !verified.ok) throw new Error(`chunk ${i} is refused`)
      expect(opened.value.chunk).toEqual(chunk)
      expect(opened.value.hashes).toEqual(verified.value.hashes)
      from = verified.value.next ?? FIRST_PATH
    })
  })
})

describe('a sealed chunk', () => {
  const snapshot = mapOf(1500, 400).snapshot()
  const [first = FIRST_PATH, second = FIRST_PATH, third = FIRST_PATH] = snapshot.sealedChunks()

  it('is refused for any changed byte, and where it was cut', () => {
    const [tiny = FIRST_PATH] = mapOf(12, 5).snapshot().sealedChunks()
    expect(openChunk(tiny).ok).toBe(true)
    for (let at = 0; at < tiny.length; at++) {
      const changed = Uint8Array.from(tiny)
      changed[at] = (changed[at] ?? 0) ^ (1 << (at % 8))
      expect(openChunk(changed).ok, `byte ${at}`).toBe(false)
      expect(openChunk(tiny.subarray(0, at)).ok, `cut to ${at}`).toBe(false)
    }
  })

  it('is refused out of turn, and the right one goes on', () => {
    const restoration = new MapRestoration(snapshot.root, native)
    expect(restoration.offerSealed(second)).toEqual({ ok: false, fault: 'start' })
    expect(restoration.offerSealed(first)).toEqual({ ok: true, value: false })
    expect(restoration.offerSealed(third)).toEqual({ ok: false, fault: 'start' })
    expect(() => restoration.finish()).toThrow('chunks are missing')
    expect(restoration.offerSealed(second)).toEqual({ ok: true, value: false })
    expect(restoration.offerSealed(third)).toEqual({ ok: true, value: true })
    expect(restoration.finish().commit()).toEqual(snapshot.root)
  })

  it('of another state makes no map for this root', () => {
    const other = mapOf(1500, 401).snapshot()
    expect(() => restored(snapshot.root, other.sealedChunks())).toThrow('root differs')
  })
})
