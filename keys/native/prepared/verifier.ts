// The rule `ed25519-strict-1` for keys that sign much, as a log's few replicas do: rules S1 to S3 as ever, and S4 from prepared multiples,
// each signature by its own equation. A third of OpenSSL's time. Keys that sign little are left to the caller.

import { hash } from 'node:crypto'
import { Point } from '@noble/ed25519'
import { equalBytes, GROUP_ORDER, isWellFormedSignature } from '../../../crypto/index.ts'
import { MAX_SUMS, Multiples, type Table } from './multiples.ts'

/** Keys with a table, 480 KiB each; those that come later have none. */
export const MAX_PREPARED_KEYS = 16

/** A key's table. */
export interface PreparedKey {
  /** The key's 32 bytes. */
  readonly bytes: Uint8Array
  readonly table: Table
}

export interface PreparedJob {
  readonly key: PreparedKey
  readonly message: Uint8Array
  readonly signature: Uint8Array
}

export interface PreparedVerifier {
  /** The table of an admitted key, which takes as long as some fifty checks; undefined where there are as many as there may be. */
  prepare(key: Uint8Array): PreparedKey | undefined
  /** S1-S4 for each job, in their order. */
  verify(jobs: readonly PreparedJob[]): boolean[]
}

/** Undefined where there is no WebAssembly. */
export function createPreparedVerifier(): PreparedVerifier | undefined {
  const multiples = Multiples.create(1 + MAX_PREPARED_KEYS)
  if (multiples === undefined) return undefined
  const base = multiples.prepare(Point.BASE)
  return {
    prepare(key) {
      if (multiples.full) return undefined
      const bytes = Uint8Array.from(key)
      return { bytes, table: multiples.prepare(Point.fromBytes(bytes, false).negate()) }
    },
    verify(jobs) {
      const verdicts = jobs.map(() => false)
      for (let from = 0; from < jobs.length; from += MAX_SUMS) verifySome(multiples, base, jobs, from, verdicts)
      return verdicts
    },
  }
}

/** Of the jobs from `from` on, as many as there are sums. */
function verifySome(
  multiples: Multiples,
  base: Table,
  jobs: readonly PreparedJob[],
  from: number,
  verdicts: boolean[],
): void {
  const judged: number[] = []
  for (let i = from; i < Math.min(jobs.length, from + MAX_SUMS); i++) {
    const job = jobs[i]
    if (job === undefined || !isWellFormedSignature(job.signature)) continue
    const sum = judged.length
    multiples.clear(sum)
    multiples.add(sum, base, job.signature.subarray(32))
    multiples.add(sum, job.key.table, challengeOf(job))
    judged.push(i)
  }
  multiples.finish(judged.length, (sum, encoding) => {
    const i = judged[sum] ?? 0
    verdicts[i] = equalBytes(encoding, jobs[i]?.signature.subarray(0, 32) ?? new Uint8Array(0))
  })
}

/** SHA-512(R || A || M) mod L, as 32 little-endian bytes. */
function challengeOf({ key, message, signature }: PreparedJob): Uint8Array {
  const input = new Uint8Array(64 + message.length)
  input.set(signature.subarray(0, 32))
  input.set(key.bytes, 32)
  input.set(message, 64)
  const digest = hash('sha512', input, 'buffer').reverse()
  const scalar = BigInt(`0x${digest.toString('hex')}`) % GROUP_ORDER
  return Buffer.from(scalar.toString(16).padStart(64, '0'), 'hex').reverse()
}
