import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { compareBytes, hex, utf8 } from '../../../crypto/index.ts'
import {
  type Compare,
  decodeEntry,
  decodeKvCommand,
  decodeKvResult,
  type Executor,
  encodeKvCommand,
  encodeKvResult,
  type KvCommand,
  type KvResult,
  kv,
  kvStateKey,
  MAX_KV_KEY_BYTES,
  MAX_KV_VALUE_BYTES,
  type Operation,
  prefixRange,
  verifyStateProof,
} from '../../../src/machine/index.ts'
import { executorOf, fail, READER, request, runOne, WRITER } from '../support.ts'

const put = (key: string, value: string, previous = false): Operation => ({
  kind: 'put',
  key: utf8(key),
  value: utf8(value),
  previous,
})
const get = (key: string): Operation => ({ kind: 'get', key: utf8(key) })
const remove = (key: string, previous = false): Operation => ({ kind: 'delete', key: utf8(key), previous })
const range = (
  start: string,
  end?: string,
  options: { limit?: number; keysOnly?: boolean; countOnly?: boolean } = {},
): Operation => ({
  kind: 'range',
  start: utf8(start),
  end: end === undefined ? undefined : utf8(end),
  limit: options.limit ?? 0,
  keysOnly: options.keysOnly ?? false,
  countOnly: options.countOnly ?? false,
})
const removeRange = (start: string, end?: string, previous = false): Operation => ({
  kind: 'delete-range',
  start: utf8(start),
  end: end === undefined ? undefined : utf8(end),
  previous,
})

/** A store that counts its own requests. */
function storeOf(executor: Executor = executorOf(kv)) {
  let sequence = 0
  const send = (command: KvCommand, client = WRITER) =>
    runOne(executor, request(client, ++sequence, encodeKvCommand(command)))
  const ask = (command: KvCommand): KvResult => {
    const { outcome, result } = send(command)
    return outcome === 'done'
      ? (decodeKvResult(result) ?? fail('result does not decode'))
      : fail(`${outcome}: ${result}`)
  }
  return { executor, send, ask }
}

function entriesIn({ response }: KvResult): string[] {
  return response.kind === 'range'
    ? response.entries.map(({ key, value }) => `${text(key)}=${text(value)}`)
    : fail('no range')
}

const text = (bytes: Uint8Array) => String.fromCharCode(...bytes)

describe('revisions', () => {
  it('count what changed something: creation, last put and number of puts are known per key', () => {
    const { ask } = storeOf()
    expect(ask(put('a', '1')).revision).toBe(1)
    expect(ask(put('b', '1')).revision).toBe(2)
    expect(ask(put('a', '2')).revision).toBe(3)
    expect(ask(get('a'))).toMatchObject({
      revision: 3,
      response: { entry: { value: utf8('2'), createRevision: 1, modRevision: 3, version: 2 } },
    })
    expect(ask(remove('x')).revision).toBe(3)
    expect(ask(remove('a')).revision).toBe(4)
    expect(ask(get('a'))).toEqual({ revision: 4, response: { kind: 'get', entry: undefined } })
    ask(put('a', '3'))
    expect(ask(get('a'))).toMatchObject({ response: { entry: { createRevision: 5, modRevision: 5, version: 1 } } })
  })

  it('move on by one for a transaction, whatever it changes', () => {
    const { ask } = storeOf()
    const { revision } = ask({ kind: 'txn', compares: [], success: [put('a', '1'), put('b', '1')], failure: [] })
    expect(revision).toBe(1)
    expect(ask(range('')).response).toMatchObject({ entries: [{ modRevision: 1 }, { modRevision: 1 }] })
    expect(ask({ kind: 'txn', compares: [], success: [get('a')], failure: [] }).revision).toBe(1)
  })
})

describe('put and delete', () => {
  it('tell what was there before, where asked', () => {
    const { ask } = storeOf()
    expect(ask(put('a', '1', true)).response).toEqual({ kind: 'put', previous: undefined })
    expect(ask(put('a', '2', true)).response).toMatchObject({ previous: { value: utf8('1'), version: 1 } })
    expect(ask(put('a', '3')).response).toEqual({ kind: 'put', previous: undefined })
    expect(ask(remove('a', true)).response).toMatchObject({ count: 1, previous: [{ value: utf8('3') }] })
    expect(ask(remove('a', true)).response).toEqual({ kind: 'delete', count: 0, previous: [] })
  })

  it('take a range of keys out and nothing beside it', () => {
    const { ask } = storeOf()
    for (const key of ['a', 'b', 'b1', 'b2', 'c']) ask(put(key, key))
    expect(ask(removeRange('b', 'c', true)).response).toMatchObject({ count: 3, previous: [{}, {}, {}] })
    expect(entriesIn(ask(range('')))).toEqual(['a=a', 'c=c'])
    expect(ask(removeRange('')).response).toMatchObject({ count: 2, previous: [] })
    expect(ask(range('', undefined, { countOnly: true })).response).toMatchObject({ count: 0 })
  })
})

describe('range', () => {
  const { ask } = storeOf()
  for (const key of ['b/2', 'a', 'b/1', 'b/10', 'c', 'b0']) ask(put(key, `<${key}>`))

  it('gives the keys from start on and before end, in the order of their bytes', () => {
    expect(entriesIn(ask(range('')))).toHaveLength(6)
    expect(entriesIn(ask(range('b/1', 'b/2')))).toEqual(['b/1=<b/1>', 'b/10=<b/10>'])
    expect(entriesIn(ask(range('b/2')))).toEqual(['b/2=<b/2>', 'b0=<b0>', 'c=<c>'])
    expect(entriesIn(ask(range('z', 'a')))).toEqual([])
  })

  it('gives what begins with a prefix', () => {
    const { start, end } = prefixRange(utf8('b/'))
    expect(entriesIn(ask({ kind: 'range', start, end, limit: 0, keysOnly: false, countOnly: false }))).toHaveLength(3)
    expect(prefixRange(Uint8Array.of(1, 0xff, 0xff)).end).toEqual(Uint8Array.of(2))
    expect(prefixRange(Uint8Array.of(0xff)).end).toBeUndefined()
  })

  it('stops at the limit and says whether there was more', () => {
    expect(ask(range('', undefined, { limit: 2 })).response).toMatchObject({ count: 2, more: true })
    expect(ask(range('', undefined, { limit: 6 })).response).toMatchObject({ count: 6, more: false })
  })

  it('leaves values out, or everything but the count, where asked', () => {
    expect(entriesIn(ask(range('b/1', 'b/2', { keysOnly: true })))).toEqual(['b/1=', 'b/10='])
    expect(ask(range('b', 'c', { countOnly: true })).response).toEqual({
      kind: 'range',
      count: 4,
      more: false,
      entries: [],
    })
  })

  it('has no access to what the machine keeps beside the entries', () => {
    expect(entriesIn(ask(range(''))).some((entry) => entry.includes('\0'))).toBe(false)
  })
})

describe('a transaction', () => {
  const when = (...compares: Compare[]): KvCommand => ({
    kind: 'txn',
    compares,
    success: [put('won', '1')],
    failure: [get('a')],
  })

  it.each<[string, Compare, boolean]>([
    ['the value is equal', { target: 'value', relation: '=', key: utf8('a'), value: utf8('2') }, true],
    ['the value is above', { target: 'value', relation: '>', key: utf8('a'), value: utf8('1z') }, true],
    ['the value is another', { target: 'value', relation: '!=', key: utf8('a'), value: utf8('2') }, false],
    ['a missing key has a value', { target: 'value', relation: '!=', key: utf8('none'), value: utf8('2') }, false],
    ['a missing key has version 0', { target: 'version', relation: '=', key: utf8('none'), number: 0 }, true],
    ['the version is 2', { target: 'version', relation: '=', key: utf8('a'), number: 2 }, true],
    ['the version is below 2', { target: 'version', relation: '<', key: utf8('a'), number: 2 }, false],
    ['it was created in 1', { target: 'create-revision', relation: '=', key: utf8('a'), number: 1 }, true],
    ['it was changed after 2', { target: 'mod-revision', relation: '>', key: utf8('a'), number: 2 }, true],
  ])('takes its first branch only if %s', (_name, compare, succeeded) => {
    const { ask } = storeOf()
    for (const each of [put('a', '1'), put('b', '1'), put('a', '2')]) ask(each)
    expect(ask(when(compare)).response).toMatchObject({ succeeded, responses: [{ kind: succeeded ? 'put' : 'get' }] })
    expect(ask(when(compare, { target: 'version', relation: '>', key: utf8('a'), number: 9 })).response).toMatchObject({
      succeeded: false,
    })
  })

  it('is atomic: with one write refused none stands', () => {
    const { ask, send, executor } = storeOf()
    ask(put('a', '1'))
    for (const success of [
      [put('b', '1'), remove('a'), put('a', '2')],
      [put('b', '1'), put('b', '2')],
      [put('b', '1'), removeRange('a')],
    ]) {
      const { outcome, result } = send({ kind: 'txn', compares: [], success, failure: [] })
      expect([outcome, text(result)]).toEqual(['refused', 'duplicate-key'])
    }
    expect(ask(range(''))).toMatchObject({ revision: 1, response: { entries: [{ key: utf8('a'), version: 1 }] } })
    expect(executor.slot).toBe(5)
  })

  it('sees its own writes in its later operations', () => {
    const { ask } = storeOf()
    expect(ask({ kind: 'txn', compares: [], success: [put('a', '1'), get('a')], failure: [] }).response).toMatchObject({
      responses: [{}, { entry: { value: utf8('1'), modRevision: 1 } }],
    })
  })
})

describe('permissions and proofs', () => {
  it('a reader may ask for anything and change nothing', () => {
    const { ask, send } = storeOf()
    ask(put('a', '1'))
    expect(send(range(''), READER).outcome).toBe('done')
    for (const command of [put('a', '2'), remove('a'), removeRange('')])
      expect(send(command, READER).outcome).toBe('forbidden')
    expect(ask(get('a')).response).toMatchObject({ entry: { value: utf8('1') } })
  })

  it('one entry, and the absence of one, can be proved from the state root alone', () => {
    const { ask, executor } = storeOf()
    for (let i = 0; i < 50; i++) ask(put(`k${i}`, `v${i}`))
    const { root, get: read, prove } = executor.snapshot()
    const key = kvStateKey(utf8('k7'))
    const value = read(key) ?? fail('not there')
    expect(verifyStateProof(root, key, value, prove(key))).toBe(true)
    expect(decodeEntry(utf8('k7'), value)).toEqual({
      key: utf8('k7'),
      value: utf8('v7'),
      createRevision: 8,
      modRevision: 8,
      version: 1,
      lease: 0,
    })
    const none = kvStateKey(utf8('k77'))
    expect(verifyStateProof(root, none, undefined, prove(none))).toBe(true)
  })
})

describe('the command codec', () => {
  const key = fc.uint8Array({ minLength: 1, maxLength: 20 })
  const value = fc.uint8Array({ maxLength: 30 })
  const end = fc.option(key, { nil: undefined })
  const lease = fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER })
  const operation: fc.Arbitrary<Operation> = fc.oneof(
    fc.record({ kind: fc.constant('put' as const), key, value, previous: fc.boolean() }),
    fc.record({ kind: fc.constant('put' as const), key, value, previous: fc.boolean(), lease }),
    fc.record({ kind: fc.constant('get' as const), key }),
    fc.record({ kind: fc.constant('delete' as const), key, previous: fc.boolean() }),
    fc.record({
      kind: fc.constant('range' as const),
      start: value,
      end,
      limit: fc.nat(0xffff_ffff),
      keysOnly: fc.boolean(),
      countOnly: fc.boolean(),
    }),
    fc.record({ kind: fc.constant('delete-range' as const), start: value, end, previous: fc.boolean() }),
  )
  const relation = fc.constantFrom('=' as const, '!=' as const, '<' as const, '>' as const)
  const compare: fc.Arbitrary<Compare> = fc.oneof(
    fc.record({ target: fc.constant('value' as const), relation, key, value }),
    fc.record({
      target: fc.constantFrom('version' as const, 'create-revision' as const, 'mod-revision' as const),
      relation,
      key,
      number: fc.maxSafeNat(),
    }),
  )
  const leaseCommand: fc.Arbitrary<KvCommand> = fc.oneof(
    fc.record({ kind: fc.constant('lease-grant' as const), ttlMs: fc.maxSafeNat() }),
    fc.record({ kind: fc.constantFrom('lease-keep-alive' as const, 'lease-revoke' as const), lease }),
  )
  const operations = fc.array(operation, { maxLength: 4 })
  const command: fc.Arbitrary<KvCommand> = fc.oneof(
    operation,
    leaseCommand,
    fc.record({
      kind: fc.constant('txn' as const),
      compares: fc.array(compare, { maxLength: 3 }),
      success: operations,
      failure: operations,
    }),
  )

  it('decodes what it encoded', () => {
    fc.assert(
      fc.property(command, (each) => {
        expect(decodeKvCommand(encodeKvCommand(each))).toEqual(each)
      }),
    )
  })

  it('gives every command one encoding: changed bytes are refused, or are another command', () => {
    fc.assert(
      fc.property(command, fc.nat(), fc.integer({ min: 1, max: 255 }), (each, position, change) => {
        const bytes = encodeKvCommand(each)
        const changed = Uint8Array.from(bytes, (byte, i) => (i === position % bytes.length ? byte ^ change : byte))
        const decoded = decodeKvCommand(changed)
        if (decoded !== undefined) expect(encodeKvCommand(decoded)).toEqual(changed)
        expect(decodeKvCommand(bytes.subarray(0, -1))).toBeUndefined()
        expect(decodeKvCommand(Uint8Array.from([...bytes, 0]))).toBeUndefined()
      }),
    )
  })

  it('never throws, and what decodes of noise re-encodes to it', () => {
    const noise = fc.tuple(fc.constantFrom(1, 2, 3, 4, 5, 6, 7, 8, 0x10), fc.uint8Array({ maxLength: 60 }))
    fc.assert(
      fc.property(noise, ([kind, rest]) => {
        const bytes = Uint8Array.of(kind, ...rest)
        const decoded = decodeKvCommand(bytes)
        if (decoded !== undefined) expect(encodeKvCommand(decoded)).toEqual(bytes)
      }),
      { numRuns: 2000 },
    )
  })

  it.each<[string, KvCommand]>([
    ['an empty key', put('', 'x')],
    ['a key too long', put('k'.repeat(MAX_KV_KEY_BYTES + 1), 'x')],
    [
      'a value too long',
      { kind: 'put', key: utf8('k'), value: new Uint8Array(MAX_KV_VALUE_BYTES + 1), previous: false },
    ],
    ['too many operations', { kind: 'txn', compares: [], success: new Array(129).fill(get('a')), failure: [] }],
  ])('refuses %s', (_name, each) => {
    expect(decodeKvCommand(encodeKvCommand(each))).toBeUndefined()
    const { send } = storeOf()
    expect(send(each)).toMatchObject({ outcome: 'refused', result: utf8('malformed') })
  })

  it('refuses a transaction in a transaction, however deep: nothing nests (P47)', () => {
    const { executor } = storeOf()
    const nested = new Uint8Array(500_000).fill(0x10)
    expect(decodeKvCommand(nested)).toBeUndefined()
    expect(runOne(executor, request(WRITER, 1, nested)).outcome).toBe('refused')
  })
})

describe('the result codec', () => {
  it('decodes all that the machine answers, and refuses cuts and additions', () => {
    const { send } = storeOf()
    const txn: KvCommand = {
      kind: 'txn',
      compares: [],
      success: [put('b', '1', true), get('a'), range(''), remove('a', true)],
      failure: [],
    }
    for (const command of [
      put('a', '1', true),
      put('a', '2', true),
      get('a'),
      get('x'),
      range(''),
      txn,
      removeRange('', 'z', true),
    ]) {
      const { result } = send(command)
      const decoded = decodeKvResult(result) ?? fail('does not decode')
      expect(hex(encodeKvResult(decoded))).toBe(hex(result))
      for (let length = 0; length < result.length; length++)
        expect(decodeKvResult(result.subarray(0, length))).toBeUndefined()
      expect(decodeKvResult(Uint8Array.from([...result, 0]))).toBeUndefined()
    }
  })
})

describe('against a slow twin', () => {
  const name = fc.integer({ min: 0, max: 12 }).map((number) => `k${number}`)
  const step = fc.oneof(
    fc.tuple(name, fc.string({ maxLength: 3, unit: 'grapheme-ascii' })).map(([key, value]) => put(key, value, true)),
    name.map((key) => remove(key, true)),
    fc.tuple(name, name).map(([start, end]) => removeRange(start, end)),
    fc.tuple(name, name, fc.nat(3)).map(([start, end, limit]) => range(start, end, { limit })),
    name.map(get),
  )

  it('gives the answers of a plain sorted list', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const { ask } = storeOf()
        const twin = new Twin()
        for (const each of steps) expect(ask(each)).toEqual(twin.ask(each))
      }),
    )
  })
})

/** etcd's model in the plainest form. */
class Twin {
  private revision = 0
  private entries: {
    key: Uint8Array
    value: Uint8Array
    createRevision: number
    modRevision: number
    version: number
    lease: number
  }[] = []

  ask(operation: Operation): KvResult {
    const old = 'key' in operation ? this.entries.find(({ key }) => compareBytes(key, operation.key) === 0) : undefined
    switch (operation.kind) {
      case 'get':
        return { revision: this.revision, response: { kind: 'get', entry: old } }
      case 'put': {
        this.revision++
        const { key, value } = operation
        const createRevision = old?.createRevision ?? this.revision
        this.entries = this.entries.filter((entry) => entry !== old)
        const version = (old?.version ?? 0) + 1
        this.entries.push({ key, value, createRevision, modRevision: this.revision, version, lease: 0 })
        this.entries.sort((a, b) => compareBytes(a.key, b.key))
        return { revision: this.revision, response: { kind: 'put', previous: old } }
      }
      case 'delete':
        return this.drop(old === undefined ? [] : [old], true)
      case 'delete-range':
        return this.drop(this.between(operation.start, operation.end), false)
      case 'range': {
        const all = this.between(operation.start, operation.end)
        const entries = operation.limit === 0 ? all : all.slice(0, operation.limit)
        const more = entries.length < all.length
        return { revision: this.revision, response: { kind: 'range', count: entries.length, more, entries } }
      }
    }
  }

  private between(start: Uint8Array, end: Uint8Array | undefined) {
    return this.entries.filter(
      ({ key }) => compareBytes(key, start) >= 0 && (end === undefined || compareBytes(key, end) < 0),
    )
  }

  private drop(gone: Twin['entries'], tell: boolean): KvResult {
    if (gone.length > 0) this.revision++
    this.entries = this.entries.filter((entry) => !gone.includes(entry))
    return { revision: this.revision, response: { kind: 'delete', count: gone.length, previous: tell ? gone : [] } }
  }
}
