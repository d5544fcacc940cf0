// Leases: what ends with them and when, who may do what with them, and how much of it one entry does.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { fromUtf8, utf8 } from '../../../crypto/index.ts'
import {
  decodeKvResult,
  decodeResultRecord,
  type Executor,
  encodeKvCommand,
  type KvCommand,
  type KvResult,
  kv,
  MAX_KEYS_PER_LEASE,
  MAX_LEASE_TTL_MS,
  MAX_LEASES_ENDED_PER_ENTRY,
  MAX_LEASES_PER_CLIENT,
  MapRestoration,
  MIN_LEASE_TTL_MS,
  toBytes,
  toText,
} from '../../../src/machine/index.ts'
import { ADMIN, clientKey, executorOf, fail, READER, request, WRITER } from '../support.ts'

const OTHER = clientKey(4)
const TTL = 1000

type Asked = readonly [client: Uint8Array, command: KvCommand]

/** A store whose entries carry the times that the test says. */
function storeAt(executor: Executor = executorOf(kv, [{ key: OTHER, role: 'writer' }])) {
  let sequence = 0
  /** What the commands of one entry are answered: a result, or the outcome and its code. */
  const entry = (timestampMs: number, ...asked: readonly Asked[]): (KvResult | string)[] => {
    const requests = asked.map(([client, command]) => request(client, ++sequence, encodeKvCommand(command)))
    const { records } = executor.execute({ slot: executor.slot + 1, timestampMs, requests })
    return records.map((bytes) => {
      const { outcome, result } = decodeResultRecord(bytes) ?? fail('no record')
      if (outcome !== 'done') return `${outcome} ${fromUtf8(result)}`.trim()
      return decodeKvResult(result) ?? fail('no result')
    })
  }
  const ask = (timestampMs: number, command: KvCommand, client = WRITER) =>
    entry(timestampMs, [client, command])[0] ?? fail('no answer')
  const keys = (timestampMs: number): string[] => {
    const found = ask(timestampMs, list)
    if (typeof found === 'string' || found.response.kind !== 'range') return fail('no range')
    return found.response.entries.map(({ key, lease }) => `${fromUtf8(key)}@${lease}`)
  }
  return { executor, entry, ask, keys }
}

const list: KvCommand = { kind: 'range', start: utf8(''), end: undefined, limit: 0, keysOnly: false, countOnly: false }
const grant = (ttlMs = TTL): KvCommand => ({ kind: 'lease-grant', ttlMs })
const keepAlive = (lease: number): KvCommand => ({ kind: 'lease-keep-alive', lease })
const revoke = (lease: number): KvCommand => ({ kind: 'lease-revoke', lease })
const put = (key: string, lease?: number) =>
  ({
    kind: 'put',
    key: utf8(key),
    value: utf8('v'),
    previous: false,
    ...(lease === undefined ? {} : { lease }),
  }) as const
const remove = (key: string): KvCommand => ({ kind: 'delete', key: utf8(key), previous: false })

describe('a lease', () => {
  it('takes its keys along with the first entry at or after its end, and none before', () => {
    const { entry, keys, executor } = storeAt()
    const [granted] = entry(10_000, [WRITER, grant()], [WRITER, put('a', 1)], [WRITER, put('b')], [WRITER, put('c', 1)])
    expect(granted).toMatchObject({ response: { kind: 'lease-grant', lease: 1, expiresAtMs: 11_000 } })
    expect(executor.due()).toBe(11_000)
    expect(keys(10_999)).toEqual(['a@1', 'b@0', 'c@1'])
    expect(keys(11_000)).toEqual(['b@0'])
    expect(executor.due()).toBeUndefined()
  })

  it('counts anew from the agreed time of its last keep-alive', () => {
    const { ask, keys, executor } = storeAt()
    ask(10_000, grant())
    ask(10_000, put('a', 1))
    expect(ask(10_600, keepAlive(1))).toMatchObject({ response: { kind: 'lease-keep-alive', expiresAtMs: 11_600 } })
    expect(executor.due()).toBe(11_600)
    expect(keys(11_599)).toEqual(['a@1'])
    expect(ask(11_600, keepAlive(1))).toBe('refused lease-not-found')
    expect(keys(11_600)).toEqual([])
  })

  it('goes by agreed time, which does not go back with an entry that says so', () => {
    const { ask, keys } = storeAt()
    ask(10_000, grant())
    ask(5_000, put('a', 1))
    expect(ask(4_000, keepAlive(1))).toMatchObject({ response: { expiresAtMs: 11_000 } })
    expect(keys(3_000)).toEqual(['a@1'])
  })

  it('ends at once when it is revoked, and tells how many keys went', () => {
    const { entry, ask, keys, executor } = storeAt()
    entry(10_000, [WRITER, grant()], [WRITER, put('a', 1)], [WRITER, put('b', 1)])
    expect(ask(10_001, revoke(1))).toEqual({ revision: 3, response: { kind: 'lease-revoke', count: 2 } })
    expect(keys(10_002)).toEqual([])
    expect(executor.due()).toBeUndefined()
    expect(ask(10_003, put('a', 1))).toBe('refused lease-not-found')
  })

  it('has a number that no other lease ever had', () => {
    const { entry } = storeAt()
    const numbers = [0, 1, 2].flatMap((i) => {
      const [first, second] = entry(10_000 * (1 + i), [WRITER, grant()], [OTHER, grant()])
      return [first, second].map((each) =>
        typeof each === 'object' && each.response.kind === 'lease-grant' ? each.response.lease : fail('not granted'),
      )
    })
    expect(numbers).toEqual([1, 2, 3, 4, 5, 6])
  })

  it('changes the revision only where keys go: once for all that end with one entry', () => {
    const { entry, ask } = storeAt()
    expect(ask(10_000, grant())).toMatchObject({ revision: 0 })
    expect(ask(10_001, keepAlive(1))).toMatchObject({ revision: 0 })
    entry(10_001, [OTHER, grant(900)], [WRITER, put('a', 1)], [OTHER, put('b', 2)])
    expect(ask(12_000, list)).toMatchObject({ revision: 3, response: { count: 0 } })
    ask(12_000, grant())
    expect(ask(20_000, list)).toMatchObject({ revision: 3 })
  })
})

describe('a key', () => {
  it.each<[string, KvCommand, string[]]>([
    ['stays when it was put again without a lease', put('a'), ['a@0']],
    ['goes with the lease that it was moved to, and not before', put('a', 2), ['a@2']],
    ['goes with its lease when it was put again with it', put('a', 1), []],
    ['that was deleted and put again stays', { kind: 'txn', compares: [], success: [put('a')], failure: [] }, ['a@0']],
  ])('%s', (_name, command, left) => {
    const { entry, keys } = storeAt()
    entry(10_000, [WRITER, grant()], [WRITER, grant(5000)], [WRITER, put('a', 1)], [WRITER, command])
    expect(keys(11_000)).toEqual(left)
    expect(keys(15_000)).toEqual(left.filter((each) => each.endsWith('@0')))
  })

  it('is detached by every way of deleting it', () => {
    const { entry, keys, executor } = storeAt()
    const range = { kind: 'delete-range', start: utf8('b'), end: utf8('d'), previous: false } as const
    entry(10_000, [WRITER, grant()], ...['a', 'b', 'c', 'd'].map((key) => [WRITER, put(key, 1)] as const))
    entry(10_001, [WRITER, remove('a')], [WRITER, { kind: 'txn', compares: [], success: [range], failure: [] }])
    for (const key of ['a', 'b', 'c']) entry(10_002, [OTHER, put(key)])
    expect(keys(11_000)).toEqual(['a@0', 'b@0', 'c@0'])
    expect(executor.due()).toBeUndefined()
  })
})

describe('permissions and bounds', () => {
  it('only the owner and admins keep alive, revoke and attach; a reader has no lease', () => {
    const { entry, ask } = storeAt()
    ask(10_000, grant())
    expect(ask(10_001, grant(), READER)).toBe('forbidden')
    for (const command of [keepAlive(1), revoke(1), put('a', 1)]) {
      expect(ask(10_001, command, OTHER)).toBe('refused lease-not-yours')
      expect(ask(10_001, command, READER)).toBe('refused lease-not-yours')
    }
    const byAdmin = entry(10_002, [ADMIN, keepAlive(1)], [ADMIN, put('a', 1)], [ADMIN, revoke(1)])
    expect(byAdmin.map((each) => typeof each)).toEqual(['object', 'object', 'object'])
  })

  it('anybody who may write may overwrite an attached key, and so detach it', () => {
    const { entry, keys } = storeAt()
    entry(10_000, [WRITER, grant()], [WRITER, put('a', 1)], [OTHER, put('a')])
    expect(keys(11_000)).toEqual(['a@0'])
  })

  it('refuses a time to live out of bounds, and leases that are not there', () => {
    const { ask } = storeAt()
    for (const ttlMs of [0, MIN_LEASE_TTL_MS - 1, MAX_LEASE_TTL_MS + 1, Number.MAX_SAFE_INTEGER]) {
      expect(ask(10_000, grant(ttlMs))).toBe('refused lease-ttl')
    }
    for (const command of [keepAlive(7), revoke(7), put('a', 7)]) {
      expect(ask(10_000, command)).toBe('refused lease-not-found')
    }
    expect(ask(Number.MAX_SAFE_INTEGER - 10, grant())).toBe('refused lease-ttl')
  })

  it('bounds the keys of a lease: all of them go with one entry', () => {
    const { executor, entry, ask } = storeAt()
    ask(10_000, grant())
    const long = 'k'.repeat(1018)
    const puts = Array.from({ length: MAX_KEYS_PER_LEASE }, (_, i) => put(`${long}${100_000 + i}`, 1))
    for (let i = 0; i < puts.length; i += 100) {
      entry(10_001, [WRITER, { kind: 'txn', compares: [], success: puts.slice(i, i + 100), failure: [] }])
    }
    expect(ask(10_002, put('one more', 1))).toBe('refused lease-full')
    expect(ask(11_000, list)).toMatchObject({ response: { count: 0 } })
    expect(executor.due()).toBeUndefined()
  })

  it('ends the rest with the entries after it where too much is due at once, and what is due counts as gone', () => {
    const { executor, entry, ask } = storeAt()
    const ended = MAX_LEASES_ENDED_PER_ENTRY
    entry(10_000, ...Array.from({ length: ended + 1 }, () => [WRITER, grant()] as const))
    entry(10_000, [WRITER, put('last', ended + 1)])
    expect(entry(11_000, [WRITER, keepAlive(ended + 1)])).toEqual(['refused lease-not-found'])
    expect(executor.due()).toBe(11_000)
    expect(ask(11_000, list)).toMatchObject({ response: { count: 0 } })
    expect(executor.due()).toBeUndefined()
  })

  it('ends no more keys with one entry than its bound', () => {
    const { executor, entry, ask } = storeAt()
    const count = MAX_KEYS_PER_LEASE / 2 + 1
    for (const lease of [1, 2]) {
      entry(10_000, [WRITER, grant()])
      for (let i = 0; i < count; i += 100) {
        const success = Array.from({ length: Math.min(100, count - i) }, (_, j) => put(`${lease}/${i + j}`, lease))
        entry(10_000, [WRITER, { kind: 'txn', compares: [], success, failure: [] }])
      }
    }
    expect(ask(11_000, { ...list, countOnly: true })).toMatchObject({ response: { count } })
    expect(executor.due()).toBe(11_000)
    expect(ask(11_000, { ...list, countOnly: true })).toMatchObject({ response: { count: 0 } })
  })

  it("bounds a client's leases; those that ended make room", () => {
    const { entry, ask } = storeAt()
    for (let i = 0; i < MAX_LEASES_PER_CLIENT; i += 1000) {
      entry(10_000, ...Array.from({ length: 1000 }, () => [WRITER, grant(60_000)] as const))
    }
    expect(ask(10_000, grant())).toBe('refused too-many-leases')
    expect(ask(10_000, grant(), OTHER)).toMatchObject({ response: { kind: 'lease-grant' } })
    ask(10_000, revoke(5))
    expect(ask(10_000, grant())).toMatchObject({ response: { kind: 'lease-grant' } })
  })

  it('leaves nothing of an ended lease in the state', () => {
    const { executor, entry, ask } = storeAt()
    ask(10_000, put('kept'))
    entry(10_000, [WRITER, grant()], [WRITER, put('a', 1)], [WRITER, grant(5000)], [WRITER, put('b', 2)])
    entry(10_100, [WRITER, remove('b')], [WRITER, revoke(2)])
    entry(11_000)
    // What is left beside the key: revision, number of the last lease, sessions, position. No record, end, link or count.
    const spaces = stateKeys(executor).filter(([space]) => space === 0x10)
    expect(spaces.map(([, kind]) => kind).sort()).toEqual([0x00, 0x01, 0x05])
  })
})

/** The first two bytes of every key of the state. */
function stateKeys(executor: Executor): [number, number][] {
  const found: [number, number][] = []
  const snapshot = executor.snapshot()
  const restoration = new MapRestoration(snapshot.root)
  for (const chunk of snapshot.chunks()) restoration.offer(chunk)
  snapshot.close()
  restoration.finish().scan(toText(new Uint8Array(0)), undefined, (key) => {
    const bytes = toBytes(key)
    found.push([bytes[0] ?? 0, bytes[1] ?? 0])
    return true
  })
  return found
}

type Step =
  | { readonly do: 'wait'; readonly ms: number }
  | { readonly do: 'ask'; readonly who: number; readonly command: KvCommand }

describe('against a slow twin', () => {
  const name = fc.constantFrom('a', 'b', 'c', 'd')
  const lease = fc.integer({ min: 1, max: 5 })
  const command: fc.Arbitrary<KvCommand> = fc.oneof(
    fc.integer({ min: 100, max: 400 }).map(grant),
    lease.map(keepAlive),
    lease.map(revoke),
    fc.tuple(name, fc.option(lease, { nil: undefined })).map(([key, to]) => put(key, to)),
    fc.tuple(name, lease).map(([key, to]) => put(key, to)),
    name.map(remove),
  )
  const step: fc.Arbitrary<Step> = fc.oneof(
    fc.record({ do: fc.constant('wait' as const), ms: fc.integer({ min: 0, max: 250 }) }),
    fc.record({ do: fc.constant('ask' as const), who: fc.nat(2), command }),
  )

  it('keys are there as long as their lease lives, and every answer is that of a plain list', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        const { executor, ask, keys } = storeAt()
        const twin = new Twin()
        let now = 10_000
        for (const each of steps) {
          if (each.do === 'wait') now += each.ms
          else {
            const who = each.who === 2 ? 'admin' : each.who
            const client = [WRITER, OTHER, ADMIN][each.who] ?? WRITER
            expect(said(ask(now, each.command, client))).toBe(twin.ask(now, each.command, who))
          }
          expect(keys(now)).toEqual(twin.keys(now))
          expect(executor.due()).toBe(twin.due())
        }
      }),
      { numRuns: 200 },
    )
  })
})

function said(answer: KvResult | string): string {
  if (typeof answer === 'string') return answer
  const { response } = answer
  return `${response.kind} ${'expiresAtMs' in response ? response.expiresAtMs : 'count' in response ? response.count : ''}`
}

/** Leases in the plainest form: a list, and a look at all of it. */
class Twin {
  private last = 0
  private readonly leases = new Map<number, { owner: number | 'admin'; ttlMs: number; ends: number }>()
  private readonly content = new Map<string, number>()

  ask(now: number, command: KvCommand, who: number | 'admin'): string {
    this.pass(now)
    switch (command.kind) {
      case 'lease-grant': {
        this.leases.set(++this.last, { owner: who, ttlMs: command.ttlMs, ends: now + command.ttlMs })
        return `lease-grant ${now + command.ttlMs}`
      }
      case 'lease-keep-alive': {
        const no = this.refusal(command.lease, who)
        const known = this.leases.get(command.lease)
        if (no !== undefined || known === undefined) return no ?? ''
        known.ends = now + known.ttlMs
        return `lease-keep-alive ${known.ends}`
      }
      case 'lease-revoke': {
        const no = this.refusal(command.lease, who)
        if (no !== undefined) return no
        return `lease-revoke ${this.end(command.lease)}`
      }
      case 'put': {
        const no = command.lease === undefined ? undefined : this.refusal(command.lease, who)
        if (no !== undefined) return no
        this.content.set(fromUtf8(command.key) ?? '', command.lease ?? 0)
        return 'put '
      }
      case 'delete':
        return `delete ${this.content.delete(fromUtf8(command.key) ?? '') ? 1 : 0}`
      default:
        return fail('not a step')
    }
  }

  keys(now: number): string[] {
    this.pass(now)
    return [...this.content].map(([key, lease]) => `${key}@${lease}`).sort()
  }

  due(): number | undefined {
    const ends = [...this.leases.values()].map(({ ends }) => ends)
    return ends.length === 0 ? undefined : Math.min(...ends)
  }

  private refusal(lease: number, who: number | 'admin'): string | undefined {
    const known = this.leases.get(lease)
    if (known === undefined) return 'refused lease-not-found'
    return who === 'admin' || who === known.owner ? undefined : 'refused lease-not-yours'
  }

  private pass(now: number): void {
    for (const [lease, { ends }] of this.leases) if (ends <= now) this.end(lease)
  }

  private end(lease: number): number {
    const gone = [...this.content].filter(([, each]) => each === lease)
    for (const [key] of gone) this.content.delete(key)
    this.leases.delete(lease)
    return gone.length
  }
}
