// One thread of the verifier pool: takes packed jobs, answers one byte a job. An exception ends the thread; the pool
// rejects the batch with it and starts another one.

import type { KeyObject } from 'node:crypto'
import { parentPort } from 'node:worker_threads'
import { hex } from '../../crypto/index.ts'
import { type UnpackedJob, unpackJobs } from './jobs.ts'
import { publicKeyObject, verifyWithKeyObject } from './native.ts'
import { createPreparedVerifier, type PreparedJob, type PreparedKey, type PreparedVerifier } from './prepared/index.ts'

/** Keys a thread knows, 0.8 KiB each; the oldest goes first. A miss costs 20 microseconds. */
const MAX_KEYS = 4096
/** Checks after which a key is one that signs much: preparing it takes as long as some 70, and saves two thirds of each. */
const PREPARED_AFTER = 256

interface KnownKey {
  readonly object: KeyObject
  checks: number
  prepared: PreparedKey | undefined
}

const known = new Map<string, KnownKey>()
let verifier: PreparedVerifier | undefined

if (parentPort === null) throw new Error('verifier-worker runs as a worker thread only')
const port = parentPort

port.on('message', (packed: Uint8Array) => {
  const verdicts = verdictsOn(unpackJobs(packed))
  port.postMessage(verdicts, [verdicts.buffer])
})

/** The pool takes admitted keys only, so the bytes that arrive here are not admitted again. */
function verdictsOn(jobs: readonly UnpackedJob[]): Uint8Array<ArrayBuffer> {
  const verdicts = new Uint8Array(jobs.length)
  const prepared: PreparedJob[] = []
  const places: number[] = []
  for (const [i, { key, message, signature }] of jobs.entries()) {
    const { object, prepared: table } = seen(key)
    if (table === undefined) {
      verdicts[i] = verifyWithKeyObject(object, message, signature) ? 1 : 0
      continue
    }
    places.push(i)
    prepared.push({ key: table, message, signature })
  }
  for (const [i, good] of (verifier?.verify(prepared) ?? []).entries()) verdicts[places[i] ?? 0] = good ? 1 : 0
  return verdicts
}

function seen(key: Uint8Array): KnownKey {
  const name = hex(key)
  const found = known.get(name) ?? remember(name, key)
  found.checks++
  if (found.checks === PREPARED_AFTER) {
    verifier ??= createPreparedVerifier()
    found.prepared = verifier?.prepare(key)
  }
  return found
}

function remember(name: string, key: Uint8Array): KnownKey {
  const [oldest] = known.keys()
  if (known.size >= MAX_KEYS && oldest !== undefined) known.delete(oldest)
  const fresh = { object: publicKeyObject(key), checks: 0, prepared: undefined }
  known.set(name, fresh)
  return fresh
}
