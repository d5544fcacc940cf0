// What an executor offers beside commands: reads that leave no trace, what ends by itself, and what an entry changed.

import { describe, expect, it } from 'vitest'
import { fromUtf8, utf8 } from '../../crypto/index.ts'
import {
  CommandRefused,
  changeBytes,
  createExecutor,
  MAX_WRITES_PER_COMMAND,
  type StateMachine,
  type Store,
} from '../../src/machine/index.ts'
import { READER, request, STRANGER, WRITER } from './support.ts'

const KEY = utf8('k')

/** `put X`, `get`, and a value that is gone ten milliseconds after it was put. */
const fading: StateMachine = {
  name: 'fading',
  apply(command, { timestampMs }, store) {
    const [verb, value] = (fromUtf8(command) ?? '').split(' ')
    if (verb === 'get') return store.get(KEY) ?? utf8('nothing')
    if (verb !== 'put') throw new CommandRefused('no such verb')
    store.put(KEY, utf8(value ?? ''))
    store.put(utf8('ends'), utf8(String(timestampMs + 10)))
    return utf8('put')
  },
  advance({ timestampMs }, store) {
    const ends = endOf(store)
    if (ends === undefined || ends > timestampMs) return
    store.delete(KEY)
    store.delete(utf8('ends'))
  },
  due: endOf,
}

function endOf(store: Store): number | undefined {
  const text = store.get(utf8('ends'))
  return text === undefined ? undefined : Number(fromUtf8(text))
}

function executorOf(machine: StateMachine, track = false) {
  const clients = [
    { key: WRITER, role: 'writer' as const },
    { key: READER, role: 'reader' as const },
  ]
  return createExecutor({ machine, clients, track })
}

const text = (bytes: Uint8Array | undefined) => (bytes === undefined ? undefined : fromUtf8(bytes))

describe('a read', () => {
  it('answers from the state after the last slot, and changes nothing', () => {
    const executor = executorOf(fading)
    executor.execute({ slot: 1, timestampMs: 100, requests: [request(WRITER, 1, utf8('put a'))] })
    const root = executor.stateRoot()
    const { outcome, result } = executor.read(utf8('get'), READER)
    expect([outcome, text(result)]).toEqual(['done', 'a'])
    expect(executor.stateRoot()).toEqual(root)
    expect(executor.slot).toBe(1)
  })

  it('is forbidden to write, whoever asks', () => {
    const executor = executorOf(fading)
    const root = executor.stateRoot()
    expect(executor.read(utf8('put b'), WRITER).outcome).toBe('forbidden')
    expect(executor.stateRoot()).toEqual(root)
  })

  it('says no as the command would, and knows its clients', () => {
    const executor = executorOf(fading)
    expect(executor.read(utf8('sing'), WRITER)).toEqual({ outcome: 'refused', result: utf8('no such verb') })
    expect(executor.read(utf8('get'), STRANGER).outcome).toBe('unknown-client')
  })
})

describe('what ends at an agreed time', () => {
  it('ends before the commands of the first entry of that time, and not earlier', () => {
    const executor = executorOf(fading)
    expect(executor.due()).toBeUndefined()
    executor.execute({ slot: 1, timestampMs: 100, requests: [request(WRITER, 1, utf8('put a'))] })
    expect(executor.due()).toBe(110)
    executor.execute({ slot: 2, timestampMs: 109, requests: [] })
    expect(text(executor.read(utf8('get'), READER).result)).toBe('a')
    executor.execute({ slot: 3, timestampMs: 110, requests: [] })
    expect(text(executor.read(utf8('get'), READER).result)).toBe('nothing')
    expect(executor.due()).toBeUndefined()
  })

  it('is part of the state: replicas that executed the same have the same root', () => {
    const [one, other] = [executorOf(fading), executorOf(fading, true)]
    for (const executor of [one, other]) {
      executor.execute({ slot: 1, timestampMs: 100, requests: [request(WRITER, 1, utf8('put a'))] })
      executor.execute({ slot: 2, timestampMs: 200, requests: [] })
    }
    expect(one.stateRoot()).toEqual(other.stateRoot())
  })

  it.each([
    ['throws', (store: Store) => [store.put(KEY, utf8('half')), fail()]],
    ['goes beyond a limit', (store: Store) => repeat(MAX_WRITES_PER_COMMAND + 1, () => store.put(KEY, utf8('half')))],
  ])('is undone as a whole where the machine %s, and the entry goes on', (_, advance) => {
    const executor = executorOf({ ...fading, advance: (_context, store) => void advance(store) }, true)
    const { records, changes } = executor.execute({
      slot: 1,
      timestampMs: 1,
      requests: [request(WRITER, 1, utf8('get'))],
    })
    expect(records).toHaveLength(1)
    expect(changes).toEqual([])
    expect(text(executor.read(utf8('get'), READER).result)).toBe('nothing')
  })
})

describe('the changes of an entry', () => {
  it('are what its requests wrote and what ended by itself, in order, each key once', () => {
    const executor = executorOf(fading, true)
    const first = executor.execute({
      slot: 1,
      timestampMs: 100,
      requests: [request(WRITER, 1, utf8('get')), request(WRITER, 2, utf8('put a'))],
    })
    expect(first.changes.map(changeBytes).map(({ index, key, value }) => [index, text(key), text(value)])).toEqual([
      [1, 'k', 'a'],
      [1, 'ends', '110'],
    ])
    const second = executor.execute({ slot: 2, timestampMs: 110, requests: [request(WRITER, 3, utf8('sing'))] })
    expect(second.changes.map(changeBytes).map(({ index, key, value }) => [index, text(key), value])).toEqual([
      [undefined, 'k', undefined],
      [undefined, 'ends', undefined],
    ])
  })

  it('are not gathered unless asked for', () => {
    const executor = executorOf(fading)
    const { changes } = executor.execute({ slot: 1, timestampMs: 1, requests: [request(WRITER, 1, utf8('put a'))] })
    expect(changes).toEqual([])
  })
})

function fail(): never {
  throw new Error('no')
}

function repeat(times: number, action: () => void): void {
  for (let i = 0; i < times; i++) action()
}
