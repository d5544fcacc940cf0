import { afterEach, describe, expect, it } from 'vitest'
import { concatBytes, type Signer, utf8 } from '../../../crypto/index.ts'
import {
  createVerifierPool,
  MAX_PENDING_BYTES,
  MAX_THREADS,
  nativeSigner,
  nativeVerifier,
  type VerifierPool,
  type VerifierPoolOptions,
  type VerifyJob,
} from '../../../keys/native/index.ts'

const dying = new URL('../../support/dying-worker.ts', import.meta.url)
const short = new URL('../../support/short-worker.ts', import.meta.url)
const idle = new URL('../../support/idle-worker.ts', import.meta.url)
const members: readonly Signer[] = Array.from({ length: 4 }, (_, i) => nativeSigner(new Uint8Array(32).fill(i)))

const pools: VerifierPool[] = []

afterEach(async () => {
  await Promise.all(pools.splice(0).map((pool) => pool.close()))
})

describe('the verifier pool', () => {
  it.each([1, 2])('%i threads give the inline verdicts in the order of the jobs', async (threads) => {
    const pool = openPool({ threads })
    const jobs = mixedJobs(700)
    const inline = jobs.map(({ key, message, signature }) => nativeVerifier.verify(key, message, signature))
    expect(new Set(inline)).toEqual(new Set([true, false]))
    expect(await pool.verifyBatch(jobs)).toEqual(inline)
  })

  it('keys that sign so much that they are prepared, and those that do not, get the inline verdicts', async () => {
    const pool = openPool({ threads: 1 })
    const rare = nativeSigner(new Uint8Array(32).fill(99))
    const seldom = { key: rare.publicKey, message: utf8('seldom'), signature: rare.sign(utf8('seldom')) }
    for (let turn = 0; turn < 3; turn++) {
      const jobs = [...mixedJobs(600), seldom, { ...seldom, message: utf8('other') }, ...mixedJobs(100)]
      const inline = jobs.map(({ key, message, signature }) => nativeVerifier.verify(key, message, signature))
      expect(await pool.verifyBatch(jobs)).toEqual(inline)
    }
  })

  it('batches that overlap get each their own verdicts', async () => {
    const pool = openPool({ threads: 2 })
    const batches = [1, 9, 300, 2, 40].map(mixedJobs)
    const verdicts = await Promise.all(batches.map((jobs) => pool.verifyBatch(jobs)))
    for (const [i, jobs] of batches.entries()) {
      expect(verdicts[i]).toEqual(jobs.map((job) => nativeVerifier.verify(job.key, job.message, job.signature)))
    }
  })

  it('an empty batch has no verdicts', async () => {
    expect(await openPool({ threads: 1 }).verifyBatch([])).toEqual([])
  })

  it('bytes that are overwritten after the call do not change a verdict', async () => {
    const [job] = mixedJobs(1)
    if (job === undefined) throw new Error('no job')
    const message = Uint8Array.from(job.message)
    const verdicts = openPool({ threads: 1 }).verifyBatch([{ ...job, message }])
    message.fill(0)
    expect(await verdicts).toEqual([true])
  })

  it('a number of threads that is no whole number from 1 up is refused', () => {
    expect(() => createVerifierPool({ threads: 0 })).toThrow(
      `threads: expected an integer from 1 to ${MAX_THREADS}, got 0`,
    )
    expect(() => createVerifierPool({ threads: 1.5 })).toThrow('got 1.5')
    expect(() => createVerifierPool({ threads: MAX_THREADS + 1 })).toThrow(RangeError)
  })
})

describe('a full pool', () => {
  it('refuses the batch that would pass its limit, in words, and takes it once there is room', async () => {
    const pool = openPool({ threads: 1, maxPendingSignatures: 20 })
    const first = pool.verifyBatch(mixedJobs(15))
    await expect(pool.verifyBatch(mixedJobs(6))).rejects.toMatchObject({
      code: 'queue-full',
      message: 'the verifier pool is full: 15 signatures pending, 6 more would pass its limit of 20',
    })
    expect(await first).toHaveLength(15)
    expect(await pool.verifyBatch(mixedJobs(20))).toHaveLength(20)
  })

  it('refuses more bytes than its limit', async () => {
    const pool = openPool({ threads: 1 })
    const [job] = mixedJobs(1)
    if (job === undefined) throw new Error('no job')
    const large = { ...job, message: new Uint8Array(MAX_PENDING_BYTES) }
    await expect(pool.verifyBatch([large])).rejects.toMatchObject({ code: 'queue-full' })
  })
})

describe('an aborted batch', () => {
  it('rejects with the reason when the signal was aborted before the call', async () => {
    const signal = AbortSignal.abort(new Error('too late'))
    await expect(openPool({ threads: 1 }).verifyBatch(mixedJobs(3), { signal })).rejects.toThrow('too late')
  })

  it('rejects at once while it runs, frees its place in the queue, and leaves the others alone', async () => {
    const pool = openPool({ threads: 1, maxPendingSignatures: 600 })
    const controller = new AbortController()
    const running = pool.verifyBatch(mixedJobs(10))
    const aborted = pool.verifyBatch(mixedJobs(590), { signal: controller.signal })
    controller.abort(new Error('no longer wanted'))
    await expect(aborted).rejects.toThrow('no longer wanted')
    const next = pool.verifyBatch(mixedJobs(590))
    expect(await running).toHaveLength(10)
    expect(await next).toHaveLength(590)
    await expect(pool.verifyBatch(mixedJobs(601))).rejects.toMatchObject({ code: 'queue-full' })
  })

  it('a signal aborted after the verdicts changes nothing', async () => {
    const controller = new AbortController()
    const pool = openPool({ threads: 1 })
    expect(await pool.verifyBatch(mixedJobs(2), { signal: controller.signal })).toHaveLength(2)
    controller.abort()
    expect(await pool.verifyBatch(mixedJobs(2))).toHaveLength(2)
  })
})

describe('closing', () => {
  it('rejects what runs and what waits, refuses what comes later, and may be repeated', async () => {
    const pool = openPool({ threads: 1, worker: idle })
    const running = pool.verifyBatch(mixedJobs(3))
    const waiting = pool.verifyBatch(mixedJobs(3))
    const rejected = Promise.all([
      expect(running).rejects.toMatchObject({ code: 'closed' }),
      expect(waiting).rejects.toMatchObject({ code: 'closed' }),
    ])
    await Promise.all([pool.close(), pool.close()])
    await rejected
    await expect(pool.verifyBatch(mixedJobs(1))).rejects.toMatchObject({ code: 'closed' })
    await pool.close()
  })

  it('a pool that never ran can be closed', async () => {
    await openPool({ threads: 2 }).close()
  })
})

describe('a thread that fails', () => {
  it('rejects its batch with the cause, and the next batch gets a new thread', async () => {
    const pool = openPool({ threads: 1, worker: dying })
    for (let attempt = 0; attempt < 2; attempt++) {
      await expect(pool.verifyBatch(mixedJobs(2))).rejects.toMatchObject({
        code: 'worker-failed',
        cause: { message: 'this thread always fails' },
      })
    }
  })

  it('an answer of another length than the batch is a failure, not a verdict', async () => {
    const pool = openPool({ threads: 1, worker: short })
    await expect(pool.verifyBatch(mixedJobs(2))).rejects.toMatchObject({
      code: 'worker-failed',
      cause: { message: '2 jobs, but 1 verdicts' },
    })
  })

  it('a program that cannot be loaded rejects the batch too', async () => {
    const pool = openPool({ threads: 2, worker: new URL('./no-such-file.ts', import.meta.url) })
    await expect(pool.verifyBatch(mixedJobs(100))).rejects.toMatchObject({ code: 'worker-failed' })
  })
})

function openPool(options: VerifierPoolOptions): VerifierPool {
  const pool = createVerifierPool(options)
  pools.push(pool)
  return pool
}

/** Jobs of which every third is refused, for a different reason each time; the first one is accepted. */
function mixedJobs(count: number): VerifyJob[] {
  return Array.from({ length: count }, (_, i) => {
    const signer = members[i % members.length]
    if (signer === undefined) throw new Error('no signer')
    const message = utf8(`vote ${i}`.padEnd(i % 200, '.'))
    const signature = signer.sign(message)
    const bad = [signature.subarray(0, 63), concatBytes(signature, new Uint8Array(1)), signer.sign(utf8('another'))]
    return {
      key: signer.publicKey,
      message,
      signature: i % 3 === 2 ? (bad[Math.floor(i / 3) % bad.length] ?? signature) : signature,
    }
  })
}
