// What a watch of a whole log notices of the one replica's lies: everything but that it is late.

import { describe, expect, it, vi } from 'vitest'
import { leafHash, merkleRoot, replicaIndex, slot, utf8 } from '../../crypto/index.ts'
import { type Client, WatchEnded, type WatchOptions } from '../../src/client/index.ts'
import { batchEntry, type Entry, requestId } from '../../src/consensus/index.ts'
import { encodeKvCommand } from '../../src/machine/index.ts'
import type { ArchivedSlot } from '../../src/wire/index.ts'
import { LogFake, type LogLie, put, STRANGER, told, toldOf } from './log-fakes.ts'
import { rounds, useTestClock } from './support.ts'
import { follow } from './watch-fakes.ts'

const pass = useTestClock()

/** Six slots, a checkpoint after the fourth; each has something that a watch of one replica used to have to believe. */
function play(fake: LogFake): void {
  fake.agree(1_000, [{ kind: 'lease-grant', ttlMs: 5_000 }, put('b/1', '1')])
  fake.agree(2_000, [put('a/1', '1'), put('a/2', '2', 1)])
  fake.agree(3_000, [put('a/3', '3')], STRANGER)
  fake.agree(4_000, [
    {
      ...{ kind: 'txn', success: [put('a/4', 'yes')], failure: [put('a/4', 'no')] },
      compares: [{ target: 'value', relation: '=', key: utf8('b/1'), value: utf8('other') }],
    },
  ])
  fake.agree(20_000, [])
  fake.agree(21_000, [{ kind: 'delete-range', start: utf8('a/'), end: undefined, previous: false }])
}

const TRUTH = ['a/1=1 v1', 'a/2=2 v1', 'a/4=no v1', 'a/2 gone', 'a/1 gone', 'a/4 gone']

function withEntry(archived: ArchivedSlot, change: (entry: Entry) => Entry): ArchivedSlot {
  return { ...archived, entry: change(archived.entry) }
}

/** The same entry with other requests, as whoever makes it up has to present it. */
function anew({ header }: Entry, requests: Entry['requests']): Entry {
  return batchEntry(header.slot, header.epoch, header.timestampMs, requests)
}

const NOT_CHOSEN = 'nothing shows that it was chosen'

const LIES: readonly (readonly [name: string, lie: LogLie, fault: string])[] = [
  ['leaves out an entry', told((slots) => slots.filter(({ entry }) => entry.header.slot !== 5)), 'leaves out slot 5'],
  [
    'leaves out a request',
    toldOf(2, (truth) => withEntry(truth, (entry) => ({ ...entry, requests: entry.requests.slice(1) }))),
    'the requests are not those that were agreed',
  ],
  ['leaves out all requests', toldOf(2, (truth) => withEntry(truth, (entry) => anew(entry, []))), NOT_CHOSEN],
  [
    'invents a request',
    toldOf(2, (truth) => withEntry(truth, (entry) => anew(entry, [...entry.requests, forged(entry)]))),
    NOT_CHOSEN,
  ],
  [
    'changes a request under the root that was agreed',
    toldOf(2, (truth) =>
      withEntry(truth, (entry) => ({ ...entry, requests: [forged(entry), ...entry.requests.slice(1)] })),
    ),
    'the requests are not those that were agreed',
  ],
  [
    'tells the requests of an entry in another order',
    toldOf(2, (truth) => withEntry(truth, (entry) => ({ ...entry, requests: entry.requests.toReversed() }))),
    'the requests are not those that were agreed',
  ],
  [
    'changes the time at which a lease ends',
    toldOf(5, (truth) => withEntry(truth, (entry) => batchEntry(entry.header.slot, entry.header.epoch, 4_500, []))),
    NOT_CHOSEN,
  ],
  [
    'shows too few signatures',
    toldOf(2, ({ certificate, ...truth }) => ({
      ...truth,
      certificate: { ...certificate, signatures: certificate.signatures.slice(1) },
    })),
    NOT_CHOSEN,
  ],
  [
    'shows the certificate of another slot',
    told((slots) => {
      const certificate = slots[0]?.certificate
      return certificate === undefined ? slots : slots.map((each) => ({ ...each, certificate }))
    }),
    NOT_CHOSEN,
  ],
  [
    'tells a slot twice',
    told((slots) => slots.flatMap((each) => [each, each])),
    'tells slot 1 where slot 2 comes next',
  ],
  ['tells slots in another order', told((slots) => slots.toReversed()), 'leaves out slot 1 and tells slot 6'],
  [
    'begins again at an earlier slot',
    (truth, question) =>
      truth.kind === 'slots' && question.kind === 'slots' && question.from > 3
        ? { ...truth, slots: firstOnes.slice(0, 1) }
        : truth,
    'tells slot 1 where slot',
  ],
  [
    'tells a result that the entry does not give',
    toldOf(3, (truth) => {
      // It says that the stranger's put was done.
      const [record = new Uint8Array(0)] = truth.records
      const records = [Uint8Array.of(record[0] ?? 0, 0, ...record.slice(2))]
      const root = merkleRoot(records.map(leafHash))
      return { ...truth, records, receipt: new LogFake().cluster.receipt(1, 3, root) }
    }),
    'the results that it signed are not those that executing the entry gives',
  ],
  [
    'tells results that its receipt is not about',
    toldOf(3, (truth) => ({ ...truth, records: [Uint8Array.of(...(truth.records[0] ?? []), 1)] })),
    'the results are not those that the receipt signs',
  ],
]

/** Says of its log that it is cut until so many states were asked for. */
function cutUntil(states: number): LogLie {
  let asked = 0
  return (truth, { kind }) => {
    if (kind === 'state') asked++
    if (asked >= states) return truth
    if (truth.kind === 'slots') return { ...truth, slots: [] }
    return truth.kind === 'status' ? { ...truth, status: { ...truth.status, stable: slot(100) } } : truth
  }
}

let firstOnes: readonly ArchivedSlot[] = []

function forged(entry: Entry): Entry['requests'][number] {
  const [known] = entry.requests
  if (known === undefined) throw new Error('no request')
  const request = { ...known.request, sequence: 900, command: encodeKvCommand(put('a/9', 'x')) }
  const id = requestId(request)
  return { request, id, proof: { ...known.proof, root: id } }
}

async function watched(lie: LogLie | undefined, options: WatchOptions = { after: 0 }, prepare = play) {
  const fake = new LogFake()
  if (lie !== undefined) fake.lie = lie
  prepare(fake)
  firstOnes = fake.log
  const client = await fake.cluster.connect()
  const watch = client.watch({ prefix: 'a/' }, { replica: replicaIndex(1), wholeLog: true, ...options })
  const seen = follow(watch)
  await rounds(60)
  await pass(8_000)
  return { fake, client, watch, seen }
}

async function closed(client: Client): Promise<void> {
  await client.close()
  await rounds()
}

describe('a watch of the whole log of one replica', () => {
  it('tells what happened, of a refused put nothing, and which keys ended by themselves', async () => {
    const { client, seen, watch } = await watched(undefined)
    expect(seen.lines).toEqual(TRUTH)
    expect(seen.slots).toEqual([2, 4, 5, 6])
    expect(watch.position).toBe(6)
    await closed(client)
    expect(seen.error).toMatchObject({ code: 'closed' })
  })

  it.each(LIES)('ends when the replica %s', async (_, lie, fault) => {
    const { client, seen, watch } = await watched(lie, { after: 0 }, (fake) => {
      play(fake)
      // Nothing of it lies below a checkpoint, where a replica may have forgotten it.
      fake.states.length = 0
    })
    expect(seen.error).toBeInstanceOf(WatchEnded)
    expect(seen.error).toMatchObject({ code: 'lied' })
    expect(String(seen.error)).toContain('replica 1')
    expect(String(seen.error)).toContain(fault)
    expect(watch.dropped).toEqual([{ replica: 1, reason: 'watch-lied' }])
    expect(client.counters()['watch-lied']).toBe(1)
    // What it said before was true, in order, and nothing of it left out.
    expect(seen.lines).toEqual(TRUTH.slice(0, seen.lines.length))
    await closed(client)
  })

  it('goes on after the link broke, with neither gap nor duplicate', async () => {
    const { fake, client, seen } = await watched(undefined)
    fake.cluster.cut(1)
    fake.agree(22_000, [put('a/5', '5')])
    await pass(1_000)
    fake.cluster.raise(1)
    fake.agree(23_000, [put('a/6', '6')])
    await pass(1_000)
    expect(seen.lines).toEqual([...TRUTH, 'a/5=5 v1', 'a/6=6 v1'])
    await closed(client)
  })

  it('goes on from a slot in another client, from a state that a quorum signed', async () => {
    const { fake, client, seen } = await watched(undefined, { after: 5 })
    expect(seen.lines).toEqual(TRUTH.slice(4))
    expect(fake.asked.find((each) => each.kind === 'slots')).toMatchObject({ from: 5 })
    await closed(client)
  })

  it('without a slot begins at the end of what is told', async () => {
    const { fake, client, seen, watch } = await watched(undefined, {})
    expect(await watch.started).toBe(6)
    expect(seen.lines).toEqual([])
    fake.agree(22_000, [put('a/5', '5')])
    await pass(1_000)
    expect(seen.lines).toEqual(['a/5=5 v1'])
    await closed(client)
  })

  it('without a slot begins anew where the log was cut on the way to its end', async () => {
    const { fake, client, seen, watch } = await watched(cutUntil(2), {})
    expect(await watch.started).toBe(6)
    fake.agree(22_000, [put('a/5', '5')])
    await pass(1_000)
    expect(seen.lines).toEqual(['a/5=5 v1'])
    expect(seen.error).toBeUndefined()
    await closed(client)
  })

  it('without a slot gives up a replica whose log is cut again and again', async () => {
    const { fake, client, seen } = await watched(cutUntil(Number.POSITIVE_INFINITY), {})
    expect(seen.error).toMatchObject({ code: 'fell-behind', firstSlot: 101 })
    expect(fake.asked.filter(({ kind }) => kind === 'state')).toHaveLength(4)
    await closed(client)
  })

  it('waits where a write hides a slot for a moment', async () => {
    let looks = 0
    const { client, seen } = await watched((truth, question) => {
      const hides = question.kind === 'slots' && truth.kind === 'slots' && ++looks < 6
      return hides ? { ...truth, slots: truth.slots.filter(({ entry }) => entry.header.slot !== 5) } : truth
    })
    expect(seen.lines).toEqual(TRUTH)
    await closed(client)
  })

  it.each([
    ['some of what it asks for', 3],
    ['all of it', 100],
  ])('is told that it fell behind where the replica no longer keeps %s', async (_, firstSlot) => {
    const { client, seen } = await watched(undefined, { after: 1 }, (fake) => {
      for (let i = 0; i < 20; i++) play(fake)
      fake.firstSlot = firstSlot
    })
    expect(seen.error).toMatchObject({ code: 'fell-behind', firstSlot: 121 })
    await closed(client)
  })

  it.each<[string, LogLie, string]>([
    [
      'a state later than asked for',
      (truth, question) => (question.kind === 'state' && question.atMost === 4 ? later(truth) : truth),
      'gives the state of slot 8 for one up to slot 4',
    ],
    [
      'a state that no quorum signed',
      (truth) =>
        truth.kind === 'state' && truth.part
          ? {
              ...truth,
              part: {
                ...truth.part,
                checkpoint: { ...truth.part.checkpoint, signatures: truth.part.checkpoint.signatures.slice(1) },
              },
            }
          : truth,
      'the checkpoint of slot 4 is bad',
    ],
    [
      'a state with another content',
      (truth) => {
        if (truth.kind !== 'state' || truth.part === undefined) return truth
        const chunk = Uint8Array.from(truth.part.chunk)
        chunk[chunk.length - 1] = (chunk[chunk.length - 1] ?? 0) ^ 1
        return { ...truth, part: { ...truth.part, chunk } }
      },
      'a part of its state of slot 4 is not what a quorum signed',
    ],
  ])('ends when the replica gives %s', async (_, lie, fault) => {
    const other = new LogFake()
    for (let i = 0; i < 2; i++) play(other)
    spare = other
    const { client, seen } = await watched(lie, { after: 4 })
    expect(seen.error).toMatchObject({ code: 'lied' })
    expect(String(seen.error)).toContain(fault)
    expect(seen.lines).toEqual([])
    await closed(client)
  })

  it('may be told late; the age of the last that is told bounds it', async () => {
    const { client, seen } = await watched(
      told((slots) => slots.slice(0, 2)),
      { after: 0, maxAgeMs: 60_000 },
    )
    expect(seen.lines).toEqual(TRUTH.slice(0, 2))
    expect(seen.error).toMatchObject({ code: 'too-old' })
    expect(String(seen.error)).toContain('slot 2')
    await closed(client)
  })

  it.each<[string, LogLie]>([
    ['falls silent', (truth) => (truth.kind === 'slots' ? NOT_NOW : truth)],
    ['tells a little now and then', (truth) => (truth.kind === 'slots' && ++looks % 8 > 0 ? NOT_NOW : truth)],
  ])('ends in time when the replica, once up to date, %s', async (_, lie) => {
    const begunMs = Date.now() - 1_000
    const fake = new LogFake()
    fake.agree(begunMs, [put('a/1', '1')])
    const client = await fake.cluster.connect()
    const options = { after: 0, replica: replicaIndex(1), wholeLog: true, maxAgeMs: 5_000 }
    const seen = follow(client.watch({ prefix: 'a/' }, options))
    await rounds(60)
    await pass(4_000)
    expect(seen).toMatchObject({ done: false, lines: ['a/1=1 v1'] })
    // From here on it keeps back what is agreed.
    fake.lie = lie
    for (let i = 0; i < 80; i++) fake.agree(begunMs, [put('a/2', `${i}`)])
    const laterMs = Date.now() + 60_000
    vi.spyOn(Date, 'now').mockReturnValue(laterMs)
    await pass(9_000)
    vi.restoreAllMocks()
    expect(seen.error).toMatchObject({ code: 'too-old' })
    await closed(client)
  })

  it('asks for no more than its reader has room for, and tells a slow one everything', async () => {
    const fake = new LogFake()
    const keys = Array.from({ length: 200 }, (_, i) => `a/${i}`)
    for (const [i, key] of keys.entries()) fake.agree(1_000 * i, [put(key, 'v'.repeat(8_000))])
    const client = await fake.cluster.connect()
    const watch = client.watch({ prefix: 'a/' }, { after: 0, replica: replicaIndex(1), wholeLog: true })
    await rounds(300)
    await pass(2_000)
    expect(fake.asked.filter(({ kind }) => kind === 'slots')).toEqual([{ kind: 'slots', from: 1, to: 64 }])
    const seen = follow(watch)
    await rounds(900)
    await pass(1_000)
    expect(seen.slots).toEqual(keys.map((_, i) => i + 1))
    await closed(client)
  })

  it('asks for less at once where a page does not come', async () => {
    const fake = new LogFake()
    for (let i = 0; i < 20; i++) play(fake)
    fake.lie = (truth, question) => {
      const much = question.kind === 'slots' && question.to - question.from >= 8
      return much ? { kind: 'refused', reason: 'too much' } : truth
    }
    const client = await fake.cluster.connect()
    const seen = follow(client.watch({ key: 'a/9' }, { after: 0, replica: replicaIndex(1), wholeLog: true }))
    const late = client.watch({ key: 'a/1' }, { after: 0, replica: replicaIndex(1), wholeLog: true })
    await rounds(60)
    await pass(20_000)
    expect(seen).toMatchObject({ done: false, lines: [] })
    expect(await late.next()).toMatchObject({ done: false, value: { slot: 2 } })
    await closed(client)
  })
})

let spare: LogFake | undefined
let looks = 0
const NOT_NOW = { kind: 'refused', reason: 'not now' } as const

function later(truth: Parameters<LogLie>[0]): ReturnType<LogLie> {
  const state = spare?.states[0]
  if (truth.kind !== 'state' || truth.part === undefined || state === undefined) return truth
  const { checkpoint, frontier } = state
  return { ...truth, part: { ...truth.part, checkpoint, frontier } }
}
