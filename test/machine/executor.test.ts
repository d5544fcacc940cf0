import { describe, expect, it } from 'vitest'
import { EMPTY_ROOT, hex, leafHash, merkleRoot, readU64, sha256, utf8 } from '../../crypto/index.ts'
import {
  CommandRefused,
  counter,
  decodeResultRecord,
  decodeSum,
  type Executor,
  encodeAdd,
  encodeKvCommand,
  encodeReadSum,
  encodeResultRecord,
  kv,
  MAX_CACHED_RESULT_BYTES,
  MAX_COMMAND_BYTES,
  MAX_RESULT_BYTES,
  MAX_VALUE_BYTES,
  MAX_WRITES_PER_COMMAND,
  MapRestoration,
  machineStateKey,
  OUTCOME_BYTES,
  type Outcome,
  resumeExecutor,
  SESSION_WINDOW,
  type StateMachine,
  type Store,
  verifyStateProof,
} from '../../src/machine/index.ts'
import {
  ADMIN,
  clientKey,
  executorOf,
  governed,
  READER,
  request,
  run,
  runOne,
  STRANGER,
  setRole,
  WRITER,
} from './support.ts'

/** A machine whose commands are the functions of this table. */
function scripted(script: Readonly<Record<string, (store: Store, command: Uint8Array) => Uint8Array>>): StateMachine {
  return {
    name: 'scripted',
    apply(command, _context, store) {
      const action = script[String.fromCharCode(...command)]
      if (action === undefined) throw new CommandRefused('no such action')
      return action(store, command)
    },
  }
}

function afterRestore(executor: Executor, machine: StateMachine): Executor {
  const snapshot = executor.snapshot()
  const restoration = new MapRestoration(snapshot.root)
  for (const chunk of snapshot.chunks()) expect(restoration.offer(chunk).ok).toBe(true)
  snapshot.close()
  return resumeExecutor({ machine }, restoration.finish())
}

const outcomesOf = (records: readonly { outcome: Outcome }[]) => records.map(({ outcome }) => outcome)

describe('an entry', () => {
  it('gives one record a request, and the RFC 6962 root over them', () => {
    const executor = executorOf(counter)
    const requests = [
      request(WRITER, 1, encodeAdd(4)),
      request(WRITER, 2, encodeAdd(5)),
      request(READER, 1, encodeReadSum()),
    ]
    const { records, root, slot } = executor.execute({ slot: 1, timestampMs: 1, requests })
    expect(slot).toBe(1)
    expect(root).toEqual(merkleRoot(records.map(leafHash)))
    expect(records.map((bytes) => decodeSum(decodeResultRecord(bytes)?.result ?? bytes))).toEqual([4, 9, 9])
  })

  it('without requests has the root of the empty tree, and still moves the state on', () => {
    const executor = executorOf(counter)
    const before = executor.stateRoot()
    expect(executor.execute({ slot: 1, timestampMs: 0, requests: [] }).root).toEqual(EMPTY_ROOT)
    expect(executor.slot).toBe(1)
    expect(executor.stateRoot()).not.toEqual(before)
  })

  it('is executed once and in order: any slot but the next throws', () => {
    const executor = executorOf(counter)
    run(executor, request(WRITER, 1, encodeAdd(1)))
    for (const slot of [0, 1, 3]) {
      expect(() => executor.execute({ slot, timestampMs: 0, requests: [] })).toThrow('slot: expected 2')
    }
  })

  it('never sees time go back', () => {
    const seen: number[] = []
    const machine: StateMachine = {
      name: 'clock',
      apply: (_command, { timestampMs }) => Uint8Array.of(seen.push(timestampMs)),
    }
    const executor = executorOf(machine)
    for (const [i, timestampMs] of [500, 300, 0, 501].entries()) {
      executor.execute({ slot: i + 1, timestampMs, requests: [request(WRITER, i + 1, utf8('t'))] })
    }
    expect(seen).toEqual([500, 500, 500, 501])
  })

  it('stops the replica where a request could not have been voted for', () => {
    const executor = executorOf(counter)
    for (const sequence of [0, -1, 1.5, 2 ** 53]) {
      const broken = {
        ...request(WRITER, 1, encodeAdd(1)),
        request: { client: WRITER, sequence, command: encodeAdd(1) },
      }
      expect(() => executor.execute({ slot: 1, timestampMs: 0, requests: [broken] })).toThrow('sequence: expected')
    }
    expect(executor.slot).toBe(0)
  })
})

describe('a result record', () => {
  it('decodes to what was encoded, and from no other bytes', () => {
    for (const outcome of Object.keys(OUTCOME_BYTES) as Outcome[]) {
      const record = {
        outcome,
        client: WRITER,
        sequence: 2 ** 53 - 1,
        request: sha256(utf8('r')),
        slot: 7,
        result: utf8('x'),
      }
      const bytes = encodeResultRecord(record)
      expect(decodeResultRecord(bytes)).toEqual(record)
      expect(decodeResultRecord(Uint8Array.from(bytes, (byte, i) => (i === 0 ? 2 : byte)))).toBeUndefined()
      expect(decodeResultRecord(Uint8Array.from(bytes, (byte, i) => (i === 1 ? 99 : byte)))).toBeUndefined()
      expect(decodeResultRecord(bytes.subarray(0, 81))).toBeUndefined()
      // Numbers of 2^53 and more, which a liar may send, throw no more than anything else.
      for (const at of [34, 74]) {
        expect(decodeResultRecord(Uint8Array.from(bytes, (byte, i) => (i === at ? 255 : byte)))).toBeUndefined()
      }
    }
  })
})

describe('exactly once (P42)', () => {
  it('adds once what is ordered in three slots, across a checkpoint and a state transfer, and answers alike', () => {
    const executor = executorOf(counter)
    const add = request(WRITER, 1, encodeAdd(10))
    const first = runOne(executor, add)
    expect(runOne(executor, add)).toEqual(first)
    executor.stateRoot()
    expect(runOne(executor, add)).toEqual(first)
    const copy = afterRestore(executor, counter)
    expect(copy.slot).toBe(3)
    expect(runOne(copy, add)).toEqual(first)
    expect(decodeSum(runOne(copy, request(WRITER, 2, encodeReadSum())).result)).toBe(10)
  })

  it('adds once what is twice in one entry', () => {
    const executor = executorOf(counter)
    const [first, second] = run(executor, request(WRITER, 1, encodeAdd(3)), request(WRITER, 1, encodeAdd(3)))
    expect(second).toEqual(first)
    expect(decodeSum(runOne(executor, request(WRITER, 2, encodeReadSum())).result)).toBe(3)
  })

  it('takes the numbers of a window in any order', () => {
    const executor = executorOf(counter)
    const sequences = [...Array(SESSION_WINDOW).keys()].map((i) => ((i * 389) % SESSION_WINDOW) + 1)
    for (const sequence of sequences)
      expect(runOne(executor, request(WRITER, sequence, encodeAdd(1))).outcome).toBe('done')
    expect(decodeSum(runOne(executor, request(READER, 1, encodeReadSum())).result)).toBe(SESSION_WINDOW)
  })

  it('refuses a number below the window, says which ones are still known, and never executes it', () => {
    const executor = executorOf(counter)
    const highest = SESSION_WINDOW + 40
    runOne(executor, request(WRITER, highest, encodeAdd(1)))
    for (const sequence of [1, 40]) {
      const { outcome, result, slot } = runOne(executor, request(WRITER, sequence, encodeAdd(1)))
      expect([outcome, readU64(result, 0), readU64(result, 8), slot]).toEqual(['expired', 41, highest, 0])
    }
    expect(runOne(executor, request(WRITER, 41, encodeAdd(1))).outcome).toBe('done')
    expect(decodeSum(runOne(executor, request(READER, 1, encodeReadSum())).result)).toBe(2)
  })

  it('takes any gap, the whole number space included', () => {
    const executor = executorOf(counter)
    for (const sequence of [5, 1_700_000_000_000, 2 ** 53 - 1]) {
      expect(runOne(executor, request(WRITER, sequence, encodeAdd(1))).outcome).toBe('done')
    }
    expect(runOne(executor, request(WRITER, 5, encodeAdd(1))).outcome).toBe('expired')
  })

  it('keeps a bounded number of keys for a client, however many requests it made', () => {
    const sizes = [1, 3].map((windows) => {
      const executor = executorOf(counter)
      for (let sequence = 1; sequence <= windows * SESSION_WINDOW; sequence++) {
        runOne(executor, request(WRITER, sequence, encodeAdd(1)))
        if (sequence % 100 === 0) executor.stateRoot()
      }
      return [...executor.snapshot().chunks()].reduce((sum, chunk) => sum + chunk.length, 0)
    })
    expect(sizes[1]).toBeLessThan((sizes[0] ?? 0) * 1.1)
  })

  it('gives the same root whenever the checkpoints are, and whatever was done of it in between', () => {
    const roots = [1, 7, 1000].map((interval) => {
      const executor = executorOf(counter)
      for (let i = 1; i <= 600; i++) {
        const sequence = i % 50 === 0 ? i * 30 : i * 30 - ((i * 7) % 40)
        runOne(
          executor,
          request(clientKey(1 + (i % 2)), Math.max(1, sequence), i % 3 === 0 ? encodeReadSum() : encodeAdd(i)),
        )
        if (i % interval === 0) executor.stateRoot()
        else if (interval === 7) executor.prepareRoot(i % 5)
      }
      return hex(executor.stateRoot())
    })
    expect(new Set(roots).size).toBe(1)
  })

  it('keeps of a long result the digest, and says so when it is asked again', () => {
    const long = new Uint8Array(MAX_CACHED_RESULT_BYTES + 1).fill(7)
    const executor = executorOf(scripted({ long: () => long }))
    const asked = request(WRITER, 1, utf8('long'))
    expect(runOne(executor, asked).result).toEqual(long)
    expect(runOne(executor, asked)).toMatchObject({ outcome: 'forgotten', slot: 1, result: sha256(long) })
  })
})

describe('a client that equivocates (P41)', () => {
  it('gets what was ordered first, and for the other body the identity of the winner, also after a restore', () => {
    const executor = executorOf(counter)
    const winner = request(WRITER, 1, encodeAdd(1))
    const loser = request(WRITER, 1, encodeAdd(100))
    const [first, conflict] = run(executor, winner, loser)
    expect(first?.outcome).toBe('done')
    expect(conflict).toMatchObject({ outcome: 'conflict', request: loser.id, result: winner.id, slot: 0 })
    const copy = afterRestore(executor, counter)
    expect(runOne(copy, loser)).toEqual(conflict)
    expect(decodeSum(runOne(copy, request(WRITER, 2, encodeReadSum())).result)).toBe(1)
  })
})

describe('roles, judged when a request is executed (P20)', () => {
  const write = (client: Uint8Array, sequence = 1) => request(client, sequence, encodeAdd(1))

  it('let readers read, writers and admins write, and strangers nothing', () => {
    const executor = executorOf(counter)
    const read = request(READER, 2, encodeReadSum())
    const records = run(executor, write(READER), read, write(WRITER), write(ADMIN), write(STRANGER))
    expect(outcomesOf(records)).toEqual(['forbidden', 'done', 'done', 'done', 'unknown-client'])
    expect(decodeSum(runOne(executor, request(READER, 3, encodeReadSum())).result)).toBe(2)
  })

  it('make a request in flight of a key that was revoked meanwhile a deterministic refusal, not a fault', () => {
    const executors = [governed(counter), governed(counter)]
    const roots = executors.map((executor) => {
      runOne(executor, write(WRITER, 1))
      setRole(executor, WRITER, undefined)
      expect(outcomesOf(run(executor, write(WRITER, 2), write(ADMIN)))).toEqual(['unknown-client', 'done'])
      setRole(executor, ADMIN, 'reader')
      expect(runOne(executor, write(ADMIN, 2)).outcome).toBe('forbidden')
      return hex(executor.stateRoot())
    })
    expect(roots[0]).toBe(roots[1])
  })

  it('do not take back an answer: a client that is gone still gets the record of what it did', () => {
    const executor = governed(counter)
    const done = runOne(executor, write(WRITER))
    setRole(executor, WRITER, undefined)
    expect(runOne(executor, write(WRITER))).toEqual(done)
    expect(runOne(executor, write(WRITER, 2)).outcome).toBe('unknown-client')
  })

  it('make a refusal final: what was forbidden stays so when the role is given later', () => {
    const executor = governed(counter)
    const refused = runOne(executor, write(READER))
    setRole(executor, READER, 'writer')
    expect(runOne(executor, write(READER))).toEqual(refused)
    expect(runOne(executor, write(READER, 2)).outcome).toBe('done')
  })

  it('cost the state nothing for strangers, however many', () => {
    const executor = executorOf(counter)
    const size = () => [...executor.snapshot().chunks()][0]?.length
    runOne(executor, write(WRITER))
    const before = size()
    for (let i = 100; i < 200; i++) runOne(executor, write(clientKey(i)))
    expect(size()).toBe(before)
  })
})

describe('a command that fails', () => {
  const executorWith = (script: Parameters<typeof scripted>[0]) => {
    const executor = executorOf(
      scripted({
        ...script,
        seed: (store) => {
          for (const name of ['a', 'b', 'c']) store.put(utf8(name), utf8(name))
          return utf8('seeded')
        },
        dump: (store) =>
          utf8(
            store
              .range({ start: utf8('') })
              .map(({ key, value }) => `${key}=${value}`)
              .join(' '),
          ),
      }),
    )
    expect(runOne(executor, request(WRITER, 1, utf8('seed'))).outcome).toBe('done')
    return executor
  }
  const dump = (executor: Executor) => hex(runOne(executor, request(READER, executor.slot, utf8('dump'))).result)
  const mess = (store: Store) => {
    store.put(utf8('a'), utf8('changed'))
    store.put(utf8('a'), utf8('again'))
    store.delete(utf8('b'))
    store.put(utf8('new'), utf8('x'))
    store.delete(utf8('new'))
    store.put(utf8('b'), utf8('back'))
  }

  it.each<[string, Outcome, (store: Store) => Uint8Array]>([
    ['throws', 'failed', () => new Uint8Array(-1)],
    [
      'throws what is no error',
      'failed',
      () => {
        throw undefined
      },
    ],
    [
      'refuses',
      'refused',
      () => {
        throw new CommandRefused('not today')
      },
    ],
    ['answers too much', 'limit', () => new Uint8Array(MAX_RESULT_BYTES + 1)],
    [
      'writes too much',
      'limit',
      (store) => {
        for (let i = 0; i <= MAX_WRITES_PER_COMMAND; i++) store.put(utf8(`${i}`), utf8(''))
        return utf8('')
      },
    ],
    [
      'writes a value too long',
      'limit',
      (store) => {
        store.put(utf8('k'), new Uint8Array(MAX_VALUE_BYTES + 1))
        return utf8('')
      },
    ],
    [
      'reads without end',
      'limit',
      (store) => {
        for (;;) store.get(utf8('a'))
      },
    ],
    [
      'catches the limit and goes on',
      'limit',
      (store) => {
        try {
          for (;;) store.count({ start: utf8('') })
        } catch {
          return utf8('I did it')
        }
      },
    ],
  ])('leaves the state as it was when it %s', (name, outcome, action) => {
    const executor = executorWith({
      [name]: (store) => {
        mess(store)
        return action(store)
      },
    })
    const before = dump(executor)
    const record = runOne(executor, request(WRITER, 2, utf8(name)))
    expect(record.outcome).toBe(outcome)
    expect(record.result).toEqual(outcome === 'refused' ? utf8('not today') : utf8(''))
    expect(dump(executor)).toBe(before)
    expect(runOne(executor, request(WRITER, 2, utf8(name)))).toEqual(record)
  })

  it('tells the client nothing of the exception, whose text differs between engines (P46)', () => {
    const executor = executorWith({
      boom: () => {
        throw new TypeError(`at ${import.meta.url}`)
      },
    })
    expect(runOne(executor, request(WRITER, 2, utf8('boom'))).result).toEqual(utf8(''))
  })

  it('is survived also by the replay of the log: the poison request fails alike every time (P47)', () => {
    const nesting = utf8('['.repeat(200_000))
    const machine = scripted({
      bomb: () => {
        throw new RangeError('Maximum call stack size exceeded')
      },
    })
    const roots = [1, 2].map(() => {
      const executor = executorOf(machine)
      const poison = [utf8('bomb'), nesting.subarray(0, 9), new Uint8Array(MAX_COMMAND_BYTES + 1)]
      const records = run(executor, ...poison.map((command, i) => request(WRITER, i + 1, command)))
      expect(outcomesOf(records)).toEqual(['failed', 'refused', 'limit'])
      return hex(executor.stateRoot())
    })
    expect(roots[0]).toBe(roots[1])
  })

  it('cannot write later through a store that it kept', () => {
    let kept: Store | undefined
    const executor = executorWith({
      keep: (store) => {
        kept = store
        return utf8('')
      },
    })
    runOne(executor, request(WRITER, 2, utf8('keep')))
    expect(() => kept?.put(utf8('a'), utf8('late'))).toThrow()
    expect(() => kept?.range({ start: utf8('') })).toThrow()
    expect(dump(executor)).toBe(dump(executor))
  })

  it('sees its own writes, in ranges too', () => {
    const executor = executorWith({
      look: (store) => {
        mess(store)
        return utf8(
          store
            .range({ start: utf8('a'), end: utf8('c') })
            .map(({ value }) => hex(value))
            .join(),
        )
      },
    })
    const { result } = runOne(executor, request(WRITER, 2, utf8('look')))
    expect(result).toEqual(utf8(['again', 'back'].map((text) => hex(utf8(text))).join()))
  })
})

describe('state transfer (P57)', () => {
  it('carries everything: values, sessions, clients, position, time', () => {
    const executor = executorOf(kv, [{ key: STRANGER, role: 'writer' }])
    for (let i = 1; i <= 200; i++) {
      const put = encodeKvCommand({
        kind: 'put',
        key: utf8(`k${i % 50}`),
        value: new Uint8Array(2000).fill(i),
        previous: false,
      })
      runOne(executor, request(WRITER, i, put))
    }
    const copy = afterRestore(executor, kv)
    expect([copy.slot, copy.timestampMs, copy.roleOf(STRANGER)]).toEqual([200, executor.timestampMs, 'writer'])
    expect(copy.stateRoot()).toEqual(executor.stateRoot())
    const next = request(STRANGER, 1, encodeKvCommand({ kind: 'get', key: utf8('k3') }))
    expect(runOne(copy, next)).toEqual(runOne(executor, next))
    expect(copy.stateRoot()).toEqual(executor.stateRoot())
  })

  it('of a snapshot taken earlier is not disturbed by what was executed since', () => {
    const executor = executorOf(counter)
    runOne(executor, request(WRITER, 1, encodeAdd(5)))
    const snapshot = executor.snapshot()
    for (let i = 2; i < 50; i++) {
      runOne(executor, request(WRITER, i, encodeAdd(5)))
      executor.stateRoot()
    }
    const restoration = new MapRestoration(snapshot.root)
    for (const chunk of snapshot.chunks()) restoration.offer(chunk)
    const copy = resumeExecutor({ machine: counter }, restoration.finish())
    expect([copy.slot, snapshot.slot]).toEqual([1, 1])
    expect(decodeSum(runOne(copy, request(WRITER, 2, encodeReadSum())).result)).toBe(5)
    const key = machineStateKey(utf8('sum'))
    expect(verifyStateProof(snapshot.root, key, snapshot.get(key), snapshot.prove(key))).toBe(true)
  })

  it('refuses the state of another machine', () => {
    const snapshot = executorOf(counter).snapshot()
    const restoration = new MapRestoration(snapshot.root)
    for (const chunk of snapshot.chunks()) restoration.offer(chunk)
    expect(() => resumeExecutor({ machine: kv }, restoration.finish())).toThrow('expected quorate-state-v2 kv-v1')
  })
})

describe('the counter', () => {
  it.each([
    [utf8('')],
    [Uint8Array.of(9)],
    [encodeAdd(1).subarray(1)],
    [Uint8Array.of(...encodeAdd(1), 0)],
    [Uint8Array.of(2, 2)],
  ])('refuses what it does not know (%j)', (command) => {
    expect(runOne(executorOf(counter), request(WRITER, 1, command))).toMatchObject({
      outcome: 'refused',
      result: utf8('malformed'),
    })
  })

  it('refuses to pass 2^53 - 1', () => {
    const executor = executorOf(counter)
    runOne(executor, request(WRITER, 1, encodeAdd(2 ** 53 - 1)))
    expect(runOne(executor, request(WRITER, 2, encodeAdd(1))).result).toEqual(utf8('overflow'))
    expect(decodeSum(runOne(executor, request(WRITER, 3, encodeReadSum())).result)).toBe(2 ** 53 - 1)
  })
})
