// What a replica does for watches, without a network: the log of changes, the index of ranges, and who is told what when.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { epoch, fromUtf8, type PublicKey, slot, utf8, verifyInclusion } from '../../crypto/index.ts'
import type { ClientLink } from '../../net/index.ts'
import { batchEntry, noopEntry, type SignedRequest } from '../../src/consensus/index.ts'
import { type StateChange, toText } from '../../src/machine/index.ts'
import { ChangeLog } from '../../src/replica/change-log.ts'
import { CHANGED_SLOT_CHANGES, WATCH_PROGRESS_MS, WATCHES_PER_CLIENT } from '../../src/replica/limits.ts'
import { PackedChanges } from '../../src/replica/packed-changes.ts'
import { holds, type KeyRange, RangeIndex } from '../../src/replica/range-index.ts'
import { Watches } from '../../src/replica/watches.ts'
import { decodeReplicaFrame, type WatchRequest, type WatchUpdate } from '../../src/wire/index.ts'
import { fromWireRequests, toWireRequests } from '../../src/wire/requests.ts'
import { signerNamed } from '../keys/sample.ts'
import { collected } from '../support/collected.ts'
import { bundleOf } from '../wire/arbitraries.ts'
import { certificateOf } from './watch-support.ts'

const key = signerNamed('client writer-1').publicKey

const received = (requests: readonly SignedRequest[]) => fromWireRequests(toWireRequests(requests))

/** A log in which each of these is one slot: the keys that one request each puts; nothing is a no-op. */
function write(log: ChangeLog, ...slots: readonly (readonly string[])[]): void {
  for (const keys of slots) {
    const at = slot(log.last + 1)
    const entry =
      keys.length === 0
        ? noopEntry(at, epoch(0))
        : batchEntry(at, epoch(0), 1000 + at, received(bundleOf(keys.map(utf8), 1, 10 * at)))
    const changes = keys.map(
      (name, index): StateChange => ({ index, key: toText(utf8(name)), value: toText(utf8(`value ${at}`)) }),
    )
    log.append({ entry, certificate: certificateOf(entry), timestampMs: 1000 + at, changes })
  }
}

class FakeLink implements ClientLink {
  readonly id = 1
  readonly key: PublicKey
  /** Frames taken, each with its updates. */
  readonly frames: (readonly WatchUpdate[])[] = []
  full = false
  refused = 0

  constructor(of = key) {
    this.key = of
  }

  send(bytes: Uint8Array): boolean {
    if (this.full) {
      this.refused++
      return false
    }
    const frame = decodeReplicaFrame(bytes)
    if (!frame.ok || frame.value.kind !== 'watched') throw new Error('not news of watches')
    this.frames.push(frame.value.updates)
    return true
  }

  close(): void {}

  /** What came since this was called last: `id: (after, upTo] slots and keys`. */
  take(): string[] {
    return this.frames.splice(0).flat().map(textOf)
  }
}

function textOf(update: WatchUpdate): string {
  if (update.kind === 'ended') return `${update.id}: ${update.code} ${update.firstSlot}`
  const slots = update.slots.map(({ slot: at, changes }) => `${at}:${changes.map((each) => fromUtf8(each.key))}`)
  return `${update.id}: (${update.after}, ${update.upTo}] ${slots.join(' ')}`.trimEnd()
}

function setUp(limits = { bytes: 1 << 20, slots: 100 }) {
  const log = new ChangeLog(limits)
  const watches = new Watches({ log, knows: () => true, within: () => () => false })
  return { log, watches, link: new FakeLink() }
}

function ask(id: number, start: string, end: string | undefined, more: Partial<WatchRequest> = {}): WatchRequest {
  const range = { start: utf8(start), end: end === undefined ? undefined : utf8(end) }
  return { id, ...range, after: slot(0), credit: 100_000, single: false, ...more }
}

describe('the log of changes', () => {
  it('keeps so many slots, of which those without changes cost nothing', () => {
    const log = new ChangeLog({ bytes: 1 << 20, slots: 10 })
    write(log, ['a'], ...Array.from({ length: 8 }, () => []), ['b'])
    expect([log.first, log.last, [...log.after(0)].length]).toEqual([1, 10, 2])
    const { bytes } = log
    write(log, [], [])
    expect([log.first, [...log.after(0)].map((each) => Number(each.slot))]).toEqual([3, [10]])
    expect(log.bytes).toBeLessThan(bytes)
  })

  it('keeps all changes as they were, in however little memory', () => {
    const text = fc.uint8Array({ maxLength: 40 }).map(toText)
    const change = fc.record({
      index: fc.option(fc.nat(0xffff_fffe), { nil: undefined }),
      key: text,
      value: fc.option(text, { nil: undefined }),
    })
    fc.assert(
      fc.property(fc.array(change, { maxLength: 20 }), (changes) => {
        expect(new PackedChanges(changes).open()).toEqual(changes)
      }),
    )
  })

  it('holds nothing any more of what has fallen out', async () => {
    const log = new ChangeLog({ bytes: Number.MAX_SAFE_INTEGER, slots: 2 })
    write(log, ['a'], ['b'], ['c'])
    const refs = [...log.after(0)].map((each) => new WeakRef(each))
    write(log, ['d'], ['e'])
    await collected(refs)
    expect([...log.after(0)].map((each) => Number(each.slot))).toEqual([4, 5])
  })

  it('keeps so many bytes, and counts those of the entries', () => {
    const log = new ChangeLog({ bytes: 20_000, slots: 1_000 })
    for (let i = 0; i < 50; i++) write(log, ['a'])
    expect(log.bytes).toBeLessThanOrEqual(20_000)
    expect(log.first).toBeGreaterThan(40)
    expect([...log.after(log.first - 1)].map((each) => Number(each.slot))[0]).toBe(log.first)
  })

  it('begins anew after a slot with more changes than can be told', () => {
    const log = new ChangeLog()
    write(log, ['a'])
    const entry = noopEntry(slot(2), epoch(0))
    const change: StateChange = { index: undefined, key: toText(utf8('k')), value: undefined }
    const changes = Array.from({ length: CHANGED_SLOT_CHANGES + 1 }, () => change)
    log.append({ entry, certificate: certificateOf(entry), timestampMs: 1, changes })
    expect([log.first, log.last, log.bytes]).toEqual([3, 2, 0])
  })

  it('takes slots in order only', () => {
    const log = new ChangeLog()
    const entry = noopEntry(slot(2), epoch(0))
    const executed = { entry, certificate: certificateOf(entry), timestampMs: 1, changes: [] }
    expect(() => log.append(executed)).toThrow('slot: expected 1, got 2')
  })
})

describe('a slot of the log', () => {
  it('gives the changes of a range in the order in which they happened (random keys)', () => {
    const text = fc.string({ unit: fc.constantFrom('a', 'b', '\0'), maxLength: 3 })
    fc.assert(
      fc.property(fc.array(text, { minLength: 1, maxLength: 20 }), text, fc.option(text), (keys, start, end) => {
        const log = new ChangeLog()
        write(log, keys)
        const range = { start, end: end ?? undefined }
        const [changed] = log.after(0)
        const found = changed?.within(range).map(({ index }) => index)
        expect(found).toEqual([...keys.keys()].filter((i) => holds(range, keys[i] ?? '')))
      }),
    )
  })
})

describe('the index of ranges', () => {
  it('finds what looking at each of them finds (random ranges that come and go)', () => {
    const text = fc.string({ unit: fc.constantFrom('a', 'b', '\0'), maxLength: 3 })
    const range = fc.oneof(
      fc.record({ start: text, end: fc.option(text, { nil: undefined }) }),
      text.map((start) => ({ start, end: `${start}\0` })),
    )
    fc.assert(
      fc.property(fc.array(range, { maxLength: 150 }), fc.nat(4), text, (ranges, stride, name) => {
        const index = new RangeIndex<KeyRange>()
        for (const each of ranges) index.add(each)
        const left = ranges.filter((each, i) => {
          if (i % (stride + 1) === 0) index.delete(each)
          return i % (stride + 1) !== 0
        })
        const found = new Set<KeyRange>()
        index.visit(name, (each) => {
          expect(found.has(each)).toBe(false)
          found.add(each)
        })
        expect(found).toEqual(new Set(left.filter((each) => holds(each, name))))
      }),
    )
  })

  it('looks at few of a thousand ranges', () => {
    const index = new RangeIndex<KeyRange>()
    let looks = 0
    const counted = (start: string, end: string): KeyRange => ({
      get start() {
        looks++
        return start
      },
      end,
    })
    for (let i = 0; i < 1000; i++) index.add(counted(`${1000 + i}/`, `${1000 + i}0`))
    looks = 0
    const found: KeyRange[] = []
    index.visit('1500/x', (each) => found.push(each))
    expect(found).toHaveLength(1)
    expect(looks).toBeLessThan(200)
  })
})

describe('a watch at a replica', () => {
  it('is answered at once, told what matches at the end of the turn, and nothing of what does not', () => {
    const { log, watches, link } = setUp()
    write(log, ['a'], ['b'])
    watches.flush()
    watches.open(link, ask(1, 'b', 'c'))
    watches.open(link, ask(2, 'a', 'b', { after: slot(2) }))
    watches.flush()
    expect(link.take()).toEqual(['1: (0, 2] 2:b', '2: (2, 2]'])
    write(log, ['a', 'x', 'b'], ['x'], ['b'])
    watches.flush()
    expect(link.frames).toHaveLength(1)
    expect(link.take()).toEqual(['2: (2, 5] 3:a', '1: (2, 5] 3:b 5:b'])
    write(log, ['x'])
    watches.flush()
    expect(link.take()).toEqual([])
  })

  it('hears how far the log has come on a tick, all of one link in one frame', () => {
    const { log, watches, link } = setUp()
    for (let id = 1; id <= 1000; id++) watches.open(link, ask(id, `k${id}`, undefined))
    watches.flush()
    link.take()
    write(log, [], ['a'])
    watches.flush()
    watches.tick(WATCH_PROGRESS_MS)
    watches.flush()
    expect(link.frames).toHaveLength(1)
    expect(link.frames[0]).toHaveLength(1000)
    expect(link.take()[999]).toBe('1000: (0, 2]')
    watches.tick(3 * WATCH_PROGRESS_MS)
    watches.flush()
    expect(link.take()).toEqual([])
  })

  it.each([
    { when: 'at once', later: [] },
    { when: 'when other slots have followed', later: [['x'], ['y']] },
  ])('with proofs gets, $when, requests that are proven under the root of the entry', ({ later }) => {
    const { log, watches, link } = setUp()
    write(log, ['a', 'b', 'c'], ...later)
    watches.open(link, ask(1, 'b', 'c', { single: true }))
    watches.flush()
    const [update] = link.frames[0] ?? []
    const [told] = update?.kind === 'batch' ? update.slots : []
    const [request, ...more] = told?.requests ?? []
    expect(more).toEqual([])
    if (told === undefined || request?.identity.kind !== 'proof') throw new Error('no proof')
    const leaf = bundleOf(['a', 'b', 'c'].map(utf8), 1, 10)[1]?.id
    const { count, root } = told.header
    if (leaf === undefined) throw new Error('no request')
    expect(verifyInclusion({ leaf, index: 1, size: count, root }, request.identity.path)).toBe(true)
  })

  it('without credit is told nothing, costs its position, and goes on where it was', () => {
    const { log, watches, link } = setUp()
    watches.open(link, ask(1, 'a', undefined, { credit: 1 }))
    write(log, ...Array.from({ length: 20 }, () => ['a']))
    watches.flush()
    expect(link.take()).toEqual(['1: (0, 1] 1:a'])
    for (let i = 0; i < 5; i++) {
      watches.tick((i + 1) * WATCH_PROGRESS_MS)
      expect(watches.flush()).toBe(false)
    }
    expect(link.take()).toEqual([])
    watches.credit(link, [{ id: 1, more: 2_000 }])
    watches.flush()
    expect(link.take()).toEqual(['1: (1, 3] 2:a 3:a'])
  })

  it('takes nothing from the others when it has no credit', () => {
    const { log, watches, link } = setUp()
    const other = new FakeLink()
    watches.open(link, ask(1, 'a', undefined, { credit: 0 }))
    watches.open(other, ask(1, 'a', undefined))
    write(log, ['a'], ['a'])
    watches.flush()
    expect(link.take()).toEqual(['1: (0, 0]'])
    expect(other.take()).toEqual(['1: (0, 2] 1:a 2:a'])
  })

  it('is told that it fell behind, with the first slot that is left', () => {
    const { log, watches, link } = setUp({ bytes: 1 << 20, slots: 5 })
    watches.open(link, ask(1, 'a', undefined, { credit: 1 }))
    watches.open(link, ask(2, 'z', undefined))
    write(log, ['a'], ['a'])
    watches.flush()
    link.take()
    for (let i = 0; i < 10; i++) {
      write(log, ['b'])
      watches.flush()
    }
    watches.tick(WATCH_PROGRESS_MS)
    watches.flush()
    // The other one missed nothing: nothing of its keys happened.
    expect(link.take()).toEqual(['1: fell-behind 8', '2: (0, 12]'])
    watches.open(link, ask(3, 'a', undefined, { after: slot(6) }))
    watches.open(link, ask(4, 'a', undefined, { after: slot(7) }))
    watches.flush()
    expect(link.take()).toEqual(['3: fell-behind 8', '4: (7, 12] 8:b 9:b 10:b 11:b 12:b'])
    expect(watches.size).toBe(2)
  })

  it('fell behind where the replica fetched its state from others', () => {
    const { log, watches, link } = setUp()
    watches.open(link, ask(1, 'a', undefined))
    watches.open(link, ask(2, 'a', undefined, { after: slot(50) }))
    watches.flush()
    link.take()
    log.restart(40)
    watches.flush()
    expect(link.take()).toEqual(['1: fell-behind 41'])
    write(log, ...Array.from({ length: 12 }, () => ['a']))
    watches.flush()
    expect(link.take()).toEqual(['2: (50, 52] 51:a 52:a'])
  })

  it('stays where it was while the link takes nothing, and the others go on', () => {
    const { log, watches, link } = setUp()
    const other = new FakeLink()
    watches.open(link, ask(1, 'a', undefined))
    watches.open(other, ask(1, 'a', undefined))
    link.full = true
    write(log, ['a'])
    watches.flush()
    expect(other.take()).toEqual(['1: (0, 1] 1:a'])
    for (let i = 0; i < 9; i++) watches.flush()
    expect(link.refused).toBe(1)
    link.full = false
    write(log, ['a'])
    watches.tick(1)
    watches.flush()
    expect(link.take()).toEqual(['1: (0, 2] 1:a 2:a'])
  })

  it('is told in pieces what is much, in turn with others', () => {
    const { log, watches, link } = setUp({ bytes: 1 << 26, slots: 10_000 })
    for (let i = 0; i < 1000; i++) write(log, ['a'])
    watches.open(link, ask(1, 'a', undefined, { credit: 1 << 24 }))
    watches.open(link, ask(2, 'a', undefined, { credit: 1 << 24 }))
    let turns = 1
    while (watches.flush()) turns++
    expect(turns).toBeGreaterThan(2)
    const told = new Map<number, number[]>()
    for (const update of link.frames.flat()) {
      if (update.kind !== 'batch') throw new Error('ended')
      const known = told.get(update.id) ?? []
      told.set(update.id, [...known, ...update.slots.map((each) => Number(each.slot))])
    }
    for (const id of [1, 2]) expect(told.get(id)).toEqual(Array.from({ length: 1000 }, (_, i) => i + 1))
    expect(
      link.frames
        .flat()
        .slice(0, 3)
        .map(({ id }) => id),
    ).toEqual([1, 2, 1])
  })

  it('is refused to strangers, and beyond what one client may have; a number in use is a bad frame', () => {
    const { log, watches, link } = setUp()
    const strict = new Watches({ log, knows: () => false, within: () => () => false })
    expect(strict.open(link, ask(1, 'a', undefined))).toBe(true)
    expect(link.take()).toEqual(['1: not-allowed 0'])
    for (let id = 1; id <= WATCHES_PER_CLIENT; id++) watches.open(link, ask(id, 'a', undefined))
    expect(watches.open(link, ask(1, 'b', undefined))).toBe(false)
    link.take()
    const second = new FakeLink()
    watches.open(second, ask(1, 'a', undefined))
    expect(second.take()).toEqual(['1: too-many 0'])
    const stranger = new FakeLink(signerNamed('client admin').publicKey)
    watches.open(stranger, ask(1, 'a', undefined))
    expect(watches.size).toBe(WATCHES_PER_CLIENT + 1)
    watches.down(link)
    watches.close(stranger, 1)
    expect(watches.size).toBe(0)
    write(log, ['a'])
    watches.flush()
    expect([...link.take(), ...stranger.take()]).toEqual([])
  })
})
