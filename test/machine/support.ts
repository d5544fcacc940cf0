// Shared by the tests of the replicated machine: requests, entries, and a slow obvious twin of the state tree.

import { concatBytes, type Digest, digest, leafHash, publicKey, sha256, writeU64 } from '../../crypto/index.ts'
import {
  type Client,
  createExecutor,
  decodeResultRecord,
  type ExecutableRequest,
  type Executor,
  encodeSystemCommand,
  type ResultRecord,
  type Role,
  type StateMachine,
  stateGenesis,
} from '../../src/machine/index.ts'
import { genesisOf, sample } from '../keys/sample.ts'

/** A client key; not a real one, since the machine checks no signatures. */
export function clientKey(number: number): Uint8Array {
  return new Uint8Array(32).fill(number)
}

export const WRITER = clientKey(1)
export const READER = clientKey(2)
export const ADMIN = clientKey(3)
export const STRANGER = clientKey(99)

export function request(client: Uint8Array, sequence: number, command: Uint8Array): ExecutableRequest {
  const number = new Uint8Array(8)
  writeU64(number, 0, sequence)
  return { request: { client, sequence, command }, id: leafHash(concatBytes(client, number, command)) }
}

export const CLIENTS: readonly { readonly key: Uint8Array; readonly role: Role }[] = [
  { key: WRITER, role: 'writer' },
  { key: READER, role: 'reader' },
  { key: ADMIN, role: 'admin' },
]

export function executorOf(machine: StateMachine, more: readonly Client[] = []): Executor {
  return createExecutor({ machine, clients: [...CLIENTS, ...more] })
}

const CHIEF = clientKey(98)

/** The executor of a cluster, with one admin more, who does what {@link setRole} asks. */
export function governed(machine: StateMachine): Executor {
  const { cluster } = stateGenesis(genesisOf(sample()))
  return createExecutor({ machine, cluster, clients: [...CLIENTS, { key: CHIEF, role: 'admin' }] })
}

/** Gives a client another role, or takes it where undefined, in the next entry. */
export function setRole(executor: Executor, client: Uint8Array, role: Role | undefined): void {
  const key = publicKey(client)
  const edit = role === undefined ? ({ op: 'remove', key } as const) : ({ op: 'role', key, role } as const)
  const asked = request(CHIEF, executor.slot + 1, encodeSystemCommand({ kind: 'client', edit }))
  if (runOne(executor, asked).outcome !== 'done') fail('the role was not set')
}

/** Executes `requests` as the next entry and returns the decoded records. */
export function run(executor: Executor, ...requests: ExecutableRequest[]): ResultRecord[] {
  const slot = executor.slot + 1
  const { records } = executor.execute({ slot, timestampMs: 1_700_000_000_000 + slot, requests })
  return records.map((bytes) => decodeResultRecord(bytes) ?? fail('a record does not decode'))
}

/** The only record of an entry with one request. */
export function runOne(executor: Executor, one: ExecutableRequest): ResultRecord {
  return run(executor, one)[0] ?? fail('no record')
}

/** The state root of `content` straight from the definition in hashing.ts, with nothing kept and nothing clever. */
export function twinRoot(content: ReadonlyMap<string, string>): Digest {
  const leaves = [...content].map(([key, value]) => {
    const path = sha256(tagged(0x22, key))
    return { bits: [...path].map((byte) => byte.toString(2).padStart(8, '0')).join(''), path, value }
  })
  return twinNode(leaves, 0)
}

type TwinLeaf = { readonly bits: string; readonly path: Uint8Array; readonly value: string }

function twinNode(leaves: readonly TwinLeaf[], depth: number): Digest {
  const [first] = leaves
  if (first === undefined) return digest(new Uint8Array(32))
  if (leaves.length === 1)
    return sha256(concatBytes(Uint8Array.of(0x20), first.path, sha256(tagged(0x23, first.value))))
  const children = ['00', '01', '10', '11'].map((digit) =>
    twinNode(
      leaves.filter(({ bits }) => bits.slice(2 * depth, 2 * depth + 2) === digit),
      depth + 1,
    ),
  )
  return sha256(concatBytes(Uint8Array.of(0x21), ...children))
}

function tagged(tag: number, text: string): Uint8Array {
  return Uint8Array.from([tag, ...[...text].map((character) => character.charCodeAt(0))])
}

export function fail(why: string): never {
  throw new Error(why)
}
