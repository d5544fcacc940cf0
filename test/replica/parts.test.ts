import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type AdmittedKey, EMPTY_FRONTIER, epoch, type SignatureVerifier, slot, utf8 } from '../../crypto/index.ts'
import { nativeVerifier } from '../../keys/native/index.ts'
import { EpochChain } from '../../src/consensus/index.ts'
import { seededChance } from '../../src/replica/chance.ts'
import { FairQueue } from '../../src/replica/fair-queue.ts'
import { Fetches } from '../../src/replica/fetches.ts'
import { emptyKept, Journal } from '../../src/replica/journal.ts'
import { KeptSeries } from '../../src/replica/kept-series.ts'
import { FETCH_MS_PER_SECOND } from '../../src/replica/limits.ts'
import { TokenBucket } from '../../src/replica/token-bucket.ts'
import { CachingVerifier } from '../../src/replica/verify-cache.ts'
import { memoryStore, type Store } from '../../src/storage/index.ts'
import { signerNamed } from '../keys/sample.ts'
import { chainParts, charterAfter, handOver } from '../support/chain.ts'
import { testCluster } from '../support/cluster.ts'
import { collected } from '../support/collected.ts'

describe('the verifier with a memory', () => {
  const signers = [signerNamed('a'), signerNamed('b')] as const
  const triples = [0, 1].flatMap((i) =>
    ['x', 'y'].map((text) => {
      const signer = signers[i as 0 | 1]
      return { key: signer.publicKey, message: utf8(text), signature: signer.sign(utf8(text)) }
    }),
  )

  it('gives the very verdict of the one inside, whatever is asked in whatever order', () => {
    const pick = fc.nat(triples.length - 1)
    fc.assert(
      fc.property(
        fc.array(fc.tuple(pick, pick, pick), { maxLength: 40 }),
        fc.integer({ min: 1, max: 3 }),
        (asks, size) => {
          const cache = new CachingVerifier(nativeVerifier, size)
          for (const [key, message, signature] of asks) {
            const [k, m, s] = [triples[key], triples[message], triples[signature]]
            if (k === undefined || m === undefined || s === undefined) throw new Error('unreachable')
            expect(cache.verify(k.key, m.message, s.signature)).toBe(
              nativeVerifier.verify(k.key, m.message, s.signature),
            )
          }
          expect(cache.size).toBeLessThanOrEqual(2 * size)
        },
      ),
      { numRuns: 50 },
    )
  })

  it('checks a good signature once, and a bad one every time', () => {
    const cache = new CachingVerifier(nativeVerifier)
    const [first, second] = triples
    if (first === undefined || second === undefined) throw new Error('unreachable')
    for (let i = 0; i < 3; i++) expect(cache.verify(first.key, first.message, first.signature)).toBe(true)
    expect(cache).toMatchObject({ checks: 1, hits: 2 })
    for (let i = 0; i < 3; i++) expect(cache.verify(first.key, second.message, first.signature)).toBe(false)
    expect(cache).toMatchObject({ checks: 4, hits: 2 })
  })

  it('remembers no more than two generations', () => {
    const yes: SignatureVerifier = { verify: () => true }
    const cache = new CachingVerifier(yes, 10)
    const key: AdmittedKey = signers[0].publicKey
    for (let i = 0; i < 1000; i++) cache.verify(key, utf8('m'), utf8(`signature ${i}`))
    expect(cache.size).toBeLessThanOrEqual(20)
  })
})

describe('the fair queue', () => {
  const options = { sourceBytes: 10_000, costPerSecond: 100, costBurst: 10 }

  it('holds nothing any more of what was handled, while others wait', async () => {
    const queue = new FairQueue<string, object>(options)
    const refs = Array.from({ length: 5 }, (_, i) => {
      const item = { i }
      queue.push('a', item, 10)
      return new WeakRef(item)
    })
    let handled = 0
    expect(
      queue.drain(
        0,
        () => ++handled === 3,
        () => 0,
      ),
    ).toBe('more')
    await collected(refs.slice(0, 3))
    expect(refs.slice(3).map((ref) => ref.deref())).toEqual([{ i: 3 }, { i: 4 }])
    expect(
      queue.drain(
        0,
        () => false,
        () => 0,
      ),
    ).toBe('empty')
  })

  it('serves each source in turn, so that a flood waits for itself alone', () => {
    const queue = new FairQueue<string, number>(options)
    for (let i = 0; i < 100; i++) queue.push('flood', i, 10)
    queue.push('honest', 1, 10)
    const served: string[] = []
    queue.drain(
      0,
      () => served.length >= 4,
      (source) => {
        served.push(source)
        return 0
      },
    )
    expect(served).toEqual(['flood', 'honest', 'flood', 'flood'])
  })

  it('stops serving a source that has spent its tokens until time passes', () => {
    const queue = new FairQueue<string, number>(options)
    for (let i = 0; i < 50; i++) queue.push('dear', i, 10)
    let served = 0
    const handle = () => {
      served++
      return 5
    }
    expect(queue.drain(0, () => false, handle)).toBe('throttled')
    expect(served).toBe(2)
    queue.push('other', 1, 10)
    expect(queue.drain(0, () => false, handle)).toBe('throttled')
    expect(served).toBe(3)
    queue.drain(1000, () => false, handle)
    expect(served).toBe(3 + 2)
  })

  it('keeps no more than its bounds of one source and of all, and says what it dropped', () => {
    const queue = new FairQueue<number, number>({ ...options, totalBytes: 15_000 })
    for (let i = 0; i < 1000; i++) queue.push(0, i, 1000)
    expect(queue.waiting).toBeLessThanOrEqual(10_000)
    for (let source = 1; source < 100; source++) queue.push(source, 0, 1000)
    expect(queue.waiting).toBeLessThanOrEqual(15_000)
    expect(queue.dropped).toBeGreaterThan(1000)
  })

  it('hands out what it took, in order, each once', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(3), fc.nat(50)), { maxLength: 600 }), (pushes) => {
        const queue = new FairQueue<number, number>({ sourceBytes: 1e9, costPerSecond: 1, costBurst: 1e9 })
        const expected = new Map<number, number[]>()
        const got = new Map<number, number[]>()
        let number = 0
        for (const [source, serve] of pushes) {
          queue.push(source, number, 10)
          expected.set(source, [...(expected.get(source) ?? []), number++])
          let left = serve % 3
          if (left === 0) continue
          queue.drain(
            0,
            () => --left <= 0,
            (from, item) => {
              got.set(from, [...(got.get(from) ?? []), item])
              return 0
            },
          )
        }
        const rest = (from: number, item: number) => {
          got.set(from, [...(got.get(from) ?? []), item])
          return 0
        }
        expect(queue.drain(0, () => false, rest)).toBe('empty')
        expect(got).toEqual(expected)
        expect(queue.waiting).toBe(0)
      }),
    )
  })

  it('has a bucket that fills with time up to its burst, and may go into debt', () => {
    const bucket = new TokenBucket(10, 5)
    expect(bucket.ready(0)).toBe(true)
    bucket.take(15)
    expect(bucket.ready(900)).toBe(false)
    expect(bucket.ready(1100)).toBe(true)
    bucket.ready(1_000_000)
    expect(bucket.full).toBe(true)
  })
})

describe('a series kept for audits', () => {
  it('is bounded in number and in bytes, and replaces what stands in its place', () => {
    const series = new KeptSeries<string>({ count: 3, bytes: 100 })
    expect(series.put(0, 'a', 60)).toBe(true)
    expect(series.put(1, 'b', 60)).toBe(false)
    expect(series.put(0, 'c', 90)).toBe(true)
    expect(series.put(3, 'd', 1)).toBe(false)
    expect(series.items).toEqual(['c'])
  })
})

describe('the journal', () => {
  function journalOn(store: Pick<Store, 'append'>, kept = emptyKept()) {
    const durable: number[] = []
    return { durable, journal: new Journal({ store, kept, bytes: 0, signed: (checkpoint) => checkpoint }) }
  }

  it('tells everybody, in order, where nothing had to be written and nothing waits', () => {
    const store = memoryStore()
    const { journal, durable } = journalOn(store)
    journal.add([], () => durable.push(1))
    journal.add([], () => durable.push(2))
    journal.flush()
    expect(durable).toEqual([1, 2])
    expect(store.counters().appends).toBe(0)
  })

  it('holds who added no records back until all appends before it are durable', () => {
    const dones: (() => void)[] = []
    const { journal, durable } = journalOn({ append: (_, done) => void dones.push(done) })
    journal.addOutcome(slot(1), testCluster().vote(0, { kind: 'receipt' }), [])
    journal.add([], () => durable.push(1))
    journal.flush()
    journal.add([], () => durable.push(2))
    journal.flush()
    expect(durable).toEqual([])
    dones[0]?.()
    expect(durable).toEqual([1, 2])
  })

  it('keeps the hand-over to each epoch under a name of its own, where no cut comes', () => {
    const names: (string | undefined)[] = []
    const append: Store['append'] = (records) => names.push(...records.map(({ slot: at, key }) => `${at} ${key}`))
    const { journal } = journalOn({ append })
    const { last } = EpochChain.genesis(chainParts([0, 1, 2, 3]))
    for (const start of [128, 256]) {
      const charter = charterAfter(last, [0, 1, 2, 3], start)
      const handedOver = handOver(last, { ...charter, epoch: epoch(start / 128) }, [[0, 0]])
      journal.add([{ kind: 'hand-over', handOver: handedOver, frontier: EMPTY_FRONTIER }], () => {})
    }
    journal.flush()
    expect(names).toEqual(['0 hand-over/1', '0 hand-over/2'])
  })
})

describe('the chance of a liar', () => {
  it('is the same for the same label, in range, and another one for each part', () => {
    const draws = (label: string) => {
      const chance = seededChance(label)
      return Array.from({ length: 50 }, () => chance.below(10))
    }
    expect(draws('a')).toEqual(draws('a'))
    expect(draws('a')).not.toEqual(draws('b'))
    expect(draws('a').every((each) => each >= 0 && each < 10)).toBe(true)
    expect(new Set(draws('a')).size).toBeGreaterThan(5)
    expect(seededChance('a').fork('x').below(1e6)).not.toBe(seededChance('a').fork('y').below(1e6))
  })
})

describe('what peers fetch', () => {
  it('is remembered of those alone who have fetched lately', () => {
    let nowMs = 0
    const fetches = new Fetches(() => nowMs)
    const answer = () => {
      nowMs += 10
    }
    for (let i = 0; i < 100; i++) fetches.serve(`peer ${i}`, answer)
    // 10 ms are paid back in so many times 10 ms.
    expect(fetches.size).toBeLessThanOrEqual(1 + Math.ceil(1000 / FETCH_MS_PER_SECOND))
    nowMs += 1000
    fetches.serve('another', answer)
    expect(fetches.size).toBe(1)
  })
})
