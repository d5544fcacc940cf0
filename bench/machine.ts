// What the replicated machine costs: executing puts, the state root at a checkpoint, proofs, snapshots, memory.

import { hash } from 'node:crypto'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { concatBytes, type Digest, leafHash, utf8, writeU64 } from '../crypto/index.ts'
import {
  AuthenticatedMap,
  createExecutor,
  type ExecutableRequest,
  encodeKvCommand,
  type Hash,
  kv,
  MapRestoration,
  type MapSnapshot,
  type Text,
  toText,
  verifyStateProof,
} from '../src/machine/index.ts'
import { COMMIT_KEYS } from '../src/replica/limits.ts'
import { type Case, type Group, type Plan, requireHeld, type Suite } from './measure.ts'

const BATCH = 500
const CLIENTS = 32
const VALUE_BYTES = 64
/** Slots between two checkpoints of the executor that is measured. */
const INTERVAL = 20

/** SHA-256 by OpenSSL. */
const native: Hash = (bytes) => hash('sha256', bytes, 'buffer') as Uint8Array as Digest

export const machineSuite: Suite = async ({ quick }) => {
  const keys = quick ? 2000 : 1_000_000
  const changed = quick ? 20 : 10_000
  const pauses = quick ? [4000, 8000] : [10_000, 100_000, 1_000_000]
  const before = memory()
  const map = loaded(keys, native)
  const after = memory()
  const portable = loaded(keys)
  const snapshot = map.snapshot()
  const chunks = [...snapshot.chunks()]
  const plan: Plan = {
    settings: {
      keys,
      'keys changed': changed,
      'bytes a key and value': keyOf(0).length + VALUE_BYTES,
      'bytes kept a key': Math.round((after.kept - before.kept) / keys),
      'bytes resident a key': Math.round((after.resident - before.resident) / keys),
      'bytes a proof': snapshot.prove(utf8(keyOf(7))).length,
      chunks: chunks.length,
      'puts an entry': BATCH,
      clients: CLIENTS,
      'entries a checkpoint': INTERVAL,
    },
    groups: [
      executionCases(quick ? 1000 : 100_000),
      proofCases(snapshot, keys),
      transferCases(snapshot, chunks, keys),
      // Last, since an open snapshot would be measured with it.
      [
        checkpointCase(`state root, ${changed} changed, native`, map, keys, changed, snapshot),
        checkpointCase(`state root, ${changed} changed, noble`, portable, keys, changed, snapshot),
      ],
      pauses.map((size) => {
        const map = loaded(size, native)
        return checkpointCase(`state root, ${COMMIT_KEYS} changed of ${size}`, map, size, COMMIT_KEYS, map.snapshot())
      }),
    ],
    ratios: [],
    close: async () => {},
  }
  return plan
}

function executionCases(keys: number): Group {
  const clients = Array.from({ length: CLIENTS }, (_, i) => new Uint8Array(32).fill(i + 1))
  return [
    ['native', native],
    ['noble', undefined],
  ].flatMap(([name, how]) => {
    const options = typeof how === 'function' ? { hash: how } : {}
    const executor = createExecutor({
      machine: kv,
      clients: clients.map((key) => ({ key, role: 'writer' })),
      ...options,
    })
    const executing = stopwatch()
    const rooting = stopwatch()
    let next = 0
    const call = () => {
      for (let i = 0; i < INTERVAL; i++) {
        const requests = Array.from({ length: BATCH }, () => putRequest(clients, next++, keys))
        const entry = { slot: executor.slot + 1, timestampMs: executor.slot, requests }
        executing.time(() => executor.execute(entry))
      }
      rooting.time(() => executor.stateRoot())
    }
    const total = () => executing.ms() + rooting.ms()
    const unit = 'us' as const
    return [
      { name: `execute a put, ${name}`, unit, operations: BATCH * INTERVAL, call, clock: executing.ms },
      {
        name: `execute a put with its share of the state root, ${name}`,
        unit,
        operations: BATCH * INTERVAL,
        call,
        clock: total,
      },
    ]
  })
}

function checkpointCase(name: string, map: AuthenticatedMap, keys: number, changed: number, done: MapSnapshot): Case {
  const watch = stopwatch()
  let round = 0
  const call = () => {
    done.close()
    round++
    for (let i = 0; i < changed; i++) map.set(keyOf((i * 7919 * 13 + round) % keys), contentOf(i, round))
    watch.time(() => map.commit())
  }
  return { name, unit: 'us', operations: 1, call, clock: watch.ms }
}

function proofCases(snapshot: MapSnapshot, keys: number): Group {
  let next = 0
  const some = () => utf8(keyOf((next++ * 7919) % keys))
  const key = utf8(keyOf(5))
  const value = snapshot.get(key)
  const proof = snapshot.prove(key)
  return [
    { name: 'make a state proof', unit: 'us', operations: 1, call: () => snapshot.prove(some()) },
    {
      name: 'verify a state proof, noble',
      unit: 'us',
      operations: 1,
      call: () => requireHeld(verifyStateProof(snapshot.root, key, value, proof)),
    },
  ]
}

function transferCases(snapshot: MapSnapshot, chunks: readonly Uint8Array[], keys: number): Group {
  return [
    { name: 'snapshot: write a key', unit: 'us', operations: keys, call: () => Array.from(snapshot.chunks()) },
    {
      name: 'restore: verify and load a key, native',
      unit: 'us',
      operations: keys,
      call: () => {
        const restoration = new MapRestoration(snapshot.root, native)
        for (const chunk of chunks) requireHeld(restoration.offer(chunk).ok)
        requireHeld(restoration.finish().size === keys)
      },
    },
  ]
}

function loaded(keys: number, how?: Hash): AuthenticatedMap {
  const map = new AuthenticatedMap(how)
  for (let i = 0; i < keys; i++) {
    const number = (i * 7919) % keys
    map.set(keyOf(number), contentOf(number, 0))
    if (i % 10_000 === 0) map.commit()
  }
  map.commit()
  return map
}

function putRequest(clients: readonly Uint8Array[], number: number, keys: number): ExecutableRequest {
  const client = clients[number % CLIENTS] ?? new Uint8Array(32)
  const sequence = 1 + Math.floor(number / CLIENTS)
  const value = new Uint8Array(VALUE_BYTES).fill(number)
  const command = encodeKvCommand({ kind: 'put', key: utf8(keyOf((number * 7919) % keys)), value, previous: false })
  const head = new Uint8Array(8)
  writeU64(head, 0, sequence)
  return { request: { client, sequence, command }, id: leafHash(concatBytes(client, head, command)) }
}

function keyOf(number: number): Text {
  return toText(utf8(`user/${String(number).padStart(11, '0')}`))
}

function contentOf(number: number, round: number): Text {
  return toText(utf8(`value ${number} of round ${round}`.padEnd(VALUE_BYTES, '.')))
}

/** Counts only what is measured, not its preparation. */
function stopwatch(): { ms: () => number; time: (work: () => unknown) => void } {
  let spent = 0
  return {
    ms: () => spent,
    time(work) {
      const start = performance.now()
      work()
      spent += performance.now() - start
    },
  }
}

/**
 * Bytes after collections, the first of which frees buffers only for the next: what is reachable, and what the process
 * holds.
 */
function memory(): { readonly kept: number; readonly resident: number } {
  setFlagsFromString('--expose-gc')
  const collect: unknown = runInNewContext('gc')
  for (let i = 0; i < 3; i++) if (typeof collect === 'function') collect()
  const { heapUsed, arrayBuffers, rss } = process.memoryUsage()
  return { kept: heapUsed + arrayBuffers, resident: rss }
}
