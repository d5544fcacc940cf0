// One thread of the verifier pool: takes packed jobs, answers one byte a job. An exception ends the thread; the pool
// rejects the batch with it and starts another one.

import type { KeyObject } from 'node:crypto'
import { parentPort } from 'node:worker_threads'
import { hex } from '../../crypto/index.ts'
import { type UnpackedJob, unpackJobs } from './jobs.ts'
import { publicKeyObject, verifyWithKeyObject } from './native.ts'

/** Key objects a thread keeps, 0.8 KiB each; the oldest goes first. A miss costs 20 microseconds. */
const MAX_KEY_OBJECTS = 4096

const keyObjects = new Map<string, KeyObject>()

if (parentPort === null) throw new Error('verifier-worker runs as a worker thread only')
const port = parentPort

port.on('message', (packed: Uint8Array) => {
  const verdicts = Uint8Array.from(unpackJobs(packed), (job) => (check(job) ? 1 : 0))
  port.postMessage(verdicts, [verdicts.buffer])
})

/** The pool takes admitted keys only, so the bytes that arrive here are not admitted again. */
function check({ key, message, signature }: UnpackedJob): boolean {
  return verifyWithKeyObject(keyObjectOf(key), message, signature)
}

function keyObjectOf(key: Uint8Array): KeyObject {
  const name = hex(key)
  const known = keyObjects.get(name)
  if (known !== undefined) return known
  const [oldest] = keyObjects.keys()
  if (keyObjects.size >= MAX_KEY_OBJECTS && oldest !== undefined) keyObjects.delete(oldest)
  const keyObject = publicKeyObject(key)
  keyObjects.set(name, keyObject)
  return keyObject
}
