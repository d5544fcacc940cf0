// Signature checks off the main thread. A batch is cut into pieces, each packed into one buffer and handed to the next idle
// thread; the answer comes back in the order of the jobs. Each signature is checked on its own: "batch" here is a matter of
// scheduling, never the batch equation, which accepts what rule S4 refuses.

import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'
import { packedBytes, packJobs, type VerifyJob } from './jobs.ts'

export type { VerifyJob } from './jobs.ts'

/** Signatures that may wait or run at once, by default: about half a second of work for one thread at 0.065 ms each. */
export const MAX_PENDING_SIGNATURES = 8192
/** Bytes of messages, keys and signatures that may wait or run at once. Far above 8192 votes (2 MiB); bounds large requests. */
export const MAX_PENDING_BYTES = 64 * 1024 * 1024
/** Threads of one pool. More than a machine has cores never helps; this keeps a mistyped option from starting thousands. */
export const MAX_THREADS = 64
/** A smaller piece is not worth a hand-over, which costs about as much as one check. */
const MIN_PIECE_SIGNATURES = 8
/** A longer piece would keep later, smaller batches waiting: 256 checks are some 25 ms by OpenSSL. */
const MAX_PIECE_SIGNATURES = 256

export interface VerifierPoolOptions {
  /** From 1 to {@link MAX_THREADS}; by default one fewer than the machine runs in parallel, and at least one. */
  readonly threads?: number
  /** See {@link MAX_PENDING_SIGNATURES}. */
  readonly maxPendingSignatures?: number
  /** The program of a thread; another one than the pool's own only in tests. */
  readonly worker?: URL
}

export interface VerifierPool {
  /**
   * The verdict on each job, in the order of `jobs`, as the native verifier gives it. The bytes are copied at the call.
   * Rejects with a {@link VerifierPoolError}, or with the signal's reason once that is aborted; then no verdict is given.
   */
  verifyBatch(jobs: readonly VerifyJob[], options?: { readonly signal?: AbortSignal }): Promise<boolean[]>
  /** Ends the threads and rejects what is pending with `closed`. Calling it again is harmless. */
  close(): Promise<void>
}

/**
 * Why a batch got no verdicts. `queue-full`: try again later or check fewer; `closed`: the pool was closed;
 * `worker-failed`: a thread died, see `cause`; the pool goes on with a new one.
 */
export class VerifierPoolError extends Error {
  override readonly name = 'VerifierPoolError'
  readonly code: 'queue-full' | 'closed' | 'worker-failed'

  constructor(code: VerifierPoolError['code'], message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

/** The threads start with the first batches, and do not keep the process alive while they are idle. */
export function createVerifierPool(options: VerifierPoolOptions = {}): VerifierPool {
  const threads = inRange('threads', options.threads ?? Math.max(1, availableParallelism() - 1), MAX_THREADS)
  const limit = inRange('maxPendingSignatures', options.maxPendingSignatures ?? MAX_PENDING_SIGNATURES, 2 ** 24)
  return new Pool(threads, limit, options.worker ?? workerProgram())
}

/** A batch in progress. */
interface Batch {
  readonly verdicts: boolean[]
  missing: number
  readonly finish: () => void
  readonly fail: (error: unknown) => void
}

/** Consecutive jobs of one batch, packed. */
interface Piece {
  readonly batch: Batch
  readonly first: number
  readonly count: number
  readonly bytes: number
  readonly packed: Uint8Array<ArrayBuffer>
}

/** One thread, started when it is first needed, and the piece it works on. */
interface Lane {
  worker: Worker | undefined
  piece: Piece | undefined
}

class Pool implements VerifierPool {
  readonly #lanes: readonly Lane[]
  readonly #limit: number
  readonly #program: URL
  #queue: Piece[] = []
  #pendingSignatures = 0
  #pendingBytes = 0
  #closed: Promise<void> | undefined

  constructor(threads: number, limit: number, program: URL) {
    this.#lanes = Array.from({ length: threads }, () => ({ worker: undefined, piece: undefined }))
    this.#limit = limit
    this.#program = program
  }

  async verifyBatch(jobs: readonly VerifyJob[], { signal }: { signal?: AbortSignal } = {}): Promise<boolean[]> {
    signal?.throwIfAborted()
    if (this.#closed !== undefined) throw new VerifierPoolError('closed', 'the verifier pool is closed')
    if (jobs.length === 0) return []
    const bytes = jobs.reduce((sum, job) => sum + packedBytes(job), 0)
    refuseAbove('signatures', this.#pendingSignatures, jobs.length, this.#limit)
    refuseAbove('bytes', this.#pendingBytes, bytes, MAX_PENDING_BYTES)
    return await this.#submit(jobs, signal)
  }

  close(): Promise<void> {
    if (this.#closed === undefined) {
      const running = this.#lanes.flatMap((lane) => lane.piece ?? [])
      for (const { batch } of [...this.#queue.splice(0), ...running]) {
        batch.fail(new VerifierPoolError('closed', 'the verifier pool was closed'))
      }
      const workers = this.#lanes.map((lane) => lane.worker)
      for (const lane of this.#lanes) lane.worker = lane.piece = undefined
      this.#closed = Promise.all(workers.map((worker) => worker?.terminate())).then(() => undefined)
    }
    return this.#closed
  }

  #submit(jobs: readonly VerifyJob[], signal: AbortSignal | undefined): Promise<boolean[]> {
    const verdicts = new Array<boolean>(jobs.length).fill(false)
    return new Promise((resolve, reject) => {
      const batch: Batch = {
        verdicts,
        missing: jobs.length,
        finish: () => {
          signal?.removeEventListener('abort', onAbort)
          resolve(verdicts)
        },
        fail: (error) => {
          signal?.removeEventListener('abort', onAbort)
          reject(error)
        },
      }
      const onAbort = () => this.#abandon(batch, signal?.reason)
      signal?.addEventListener('abort', onAbort, { once: true })
      this.#enqueue(cut(batch, jobs, this.#lanes.length))
    })
  }

  #enqueue(pieces: readonly Piece[]): void {
    for (const piece of pieces) {
      this.#queue.push(piece)
      this.#pendingSignatures += piece.count
      this.#pendingBytes += piece.bytes
    }
    this.#dispatch()
  }

  #release(piece: Piece): void {
    this.#pendingSignatures -= piece.count
    this.#pendingBytes -= piece.bytes
  }

  #dispatch(): void {
    for (const lane of this.#lanes) {
      if (lane.piece !== undefined) continue
      const piece = this.#queue.shift()
      if (piece === undefined) return
      lane.worker ??= this.#startWorker(lane)
      lane.piece = piece
      lane.worker.ref()
      lane.worker.postMessage(piece.packed, [piece.packed.buffer])
    }
  }

  #startWorker(lane: Lane): Worker {
    // No inherited arguments: some that a process may be started with, such as --input-type, are refused to a thread.
    const worker = new Worker(this.#program, { execArgv: [] })
    const onFailure = (cause: unknown) => this.#failed(lane, worker, cause)
    worker.on('message', (verdicts: Uint8Array) => this.#answered(lane, worker, verdicts))
    worker.on('error', onFailure)
    worker.on('messageerror', onFailure)
    worker.on('exit', (code) => onFailure(new Error(`the thread ended with code ${code}`)))
    return worker
  }

  #answered(lane: Lane, worker: Worker, verdicts: Uint8Array): void {
    const piece = lane.piece
    if (lane.worker !== worker || piece === undefined) return
    if (verdicts.length !== piece.count) {
      this.#failed(lane, worker, new Error(`${piece.count} jobs, but ${verdicts.length} verdicts`))
      return
    }
    lane.piece = undefined
    worker.unref()
    this.#release(piece)
    const { batch } = piece
    for (const [i, verdict] of verdicts.entries()) batch.verdicts[piece.first + i] = verdict === 1
    batch.missing -= piece.count
    if (batch.missing === 0) batch.finish()
    this.#dispatch()
  }

  /** A thread may report its end twice (error, then exit) and after the pool was closed; only the first counts. */
  #failed(lane: Lane, worker: Worker, cause: unknown): void {
    if (lane.worker !== worker) return
    const piece = lane.piece
    lane.worker = lane.piece = undefined
    void worker.terminate()
    if (piece !== undefined) {
      this.#release(piece)
      const message = 'a verifier thread failed; no verdict was given'
      this.#abandon(piece.batch, new VerifierPoolError('worker-failed', message, { cause }))
    }
    this.#dispatch()
  }

  /** Rejects the batch and takes its waiting pieces out of the queue; those that run come to their end unheard. */
  #abandon(batch: Batch, error: unknown): void {
    batch.fail(error)
    for (const piece of this.#queue) if (piece.batch === batch) this.#release(piece)
    this.#queue = this.#queue.filter((piece) => piece.batch !== batch)
  }
}

/** Beside this file, with the same ending: .ts in a checkout, .js in the built package. */
function workerProgram(): URL {
  return new URL(import.meta.url.endsWith('.ts') ? './verifier-worker.ts' : './verifier-worker.js', import.meta.url)
}

function cut(batch: Batch, jobs: readonly VerifyJob[], threads: number): Piece[] {
  const forThreads = Math.min(threads, Math.ceil(jobs.length / MIN_PIECE_SIGNATURES))
  const pieces = Math.max(forThreads, Math.ceil(jobs.length / MAX_PIECE_SIGNATURES))
  return Array.from({ length: pieces }, (_, i) => {
    const first = Math.floor((i * jobs.length) / pieces)
    const end = Math.floor(((i + 1) * jobs.length) / pieces)
    const packed = packJobs(jobs.slice(first, end))
    return { batch, first, count: end - first, bytes: packed.length, packed }
  })
}

function refuseAbove(unit: string, pending: number, more: number, limit: number): void {
  if (pending + more <= limit) return
  const message = `the verifier pool is full: ${pending} ${unit} pending, ${more} more would pass its limit of ${limit}`
  throw new VerifierPoolError('queue-full', message)
}

function inRange(name: string, value: number, most: number): number {
  if (Number.isInteger(value) && value >= 1 && value <= most) return value
  throw new RangeError(`${name}: expected an integer from 1 to ${most}, got ${value}`)
}
