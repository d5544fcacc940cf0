// A fixed log of a thousand requests for the key-value machine, good and bad; run as a program it prints what came out,
// as JSON. Two hosts that differ in anything must print the same (pitfall P46).

import { hex, utf8 } from '../../crypto/index.ts'
import { encodeKvCommand, type KvCommand, kv } from '../../src/machine/index.ts'
import { CLIENTS, executorOf, request, STRANGER } from './support.ts'

export interface LogOutcome {
  readonly resultsRoots: readonly string[]
  readonly stateRoots: readonly string[]
}

/** Executes the log, with a checkpoint every 8 slots. */
export function executeSampleLog(): LogOutcome {
  const executor = executorOf(kv)
  const next = numbers(20261122)
  const clients = [...CLIENTS.map(({ key }) => key), STRANGER]
  const sequences = clients.map(() => 0)
  const resultsRoots: string[] = []
  const stateRoots: string[] = []
  for (let slot = 1; slot <= 64; slot++) {
    const requests = Array.from({ length: 16 }, () => {
      const who = next(clients.length)
      const sequence = Math.max(1, (sequences[who] ?? 0) + next(5) - 1)
      sequences[who] = Math.max(sequences[who] ?? 0, sequence)
      const command = next(20) === 0 ? utf8('noise') : encodeKvCommand(commandOf(next))
      return request(clients[who] ?? STRANGER, sequence, command)
    })
    const results = executor.execute({ slot, timestampMs: 1_700_000_000_000 + next(10_000), requests })
    resultsRoots.push(hex(results.root))
    if (slot % 8 === 0) stateRoots.push(hex(executor.stateRoot()))
  }
  return { resultsRoots, stateRoots }
}

function commandOf(next: (below: number) => number): KvCommand {
  const names = ['a', 'I', 'ı', 'i', 'Ä', 'z', 'ß', '10', '9', '\u{1f9ff}', 'é', 'e\u0301']
  const key = () => utf8(names[next(names.length)] ?? 'a')
  const value = utf8(String(next(1_000_000) / 7))
  switch (next(6)) {
    case 5:
      return leaseCommandOf(next, key(), value)
    case 0:
      return { kind: 'get', key: key() }
    case 1:
      return { kind: 'delete', key: key(), previous: true }
    case 2:
      return { kind: 'range', start: key(), end: undefined, limit: next(4), keysOnly: false, countOnly: false }
    case 3: {
      const compares = [{ target: 'version', relation: '>', key: key(), number: next(3) }] as const
      const failure = [{ kind: 'delete-range', start: key(), end: key(), previous: false }] as const
      return { kind: 'txn', compares, success: [{ kind: 'put', key: key(), value, previous: true }], failure }
    }
    default:
      return { kind: 'put', key: key(), value, previous: true }
  }
}

function leaseCommandOf(next: (below: number) => number, key: Uint8Array, value: Uint8Array): KvCommand {
  const lease = 1 + next(12)
  switch (next(4)) {
    case 0:
      return { kind: 'lease-grant', ttlMs: 100 + next(4000) }
    case 1:
      return { kind: next(3) === 0 ? 'lease-revoke' : 'lease-keep-alive', lease }
    default:
      return { kind: 'put', key, value, previous: false, lease }
  }
}

/** Numbers below a bound, the same on every host. */
function numbers(seed: number): (below: number) => number {
  let state = seed >>> 0
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return (state >>> 8) % below
  }
}

if (process.argv[1]?.endsWith('sample-log.ts') === true) console.log(JSON.stringify(executeSampleLog()))
