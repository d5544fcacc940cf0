// Seeds over several threads. A thread gets one seed at a time, so the slow ones hold nobody up.

import { Worker } from 'node:worker_threads'
import { type DrawOptions, runSeed, type SeedResult } from '../../simulation/index.ts'
import { realSuite } from './real-suite.ts'

export interface Seeds {
  readonly first: number
  readonly count: number
  readonly draw: DrawOptions
  /** With one thread everything runs in this one. */
  readonly threads: number
  readonly signal: AbortSignal
  /** Called once for each seed, in no particular order; false ends it all. */
  readonly onResult: (result: SeedResult) => boolean
}

/** Runs them all. @throws the reason of the signal, or what a thread died of. */
export async function runSeeds(seeds: Seeds): Promise<void> {
  const threads = Math.min(seeds.threads, seeds.count)
  if (threads <= 1) await runHere(seeds)
  else await runThreads(seeds, threads)
}

async function runHere({ first, count, draw, signal, onResult }: Seeds): Promise<void> {
  for (let i = 0; i < count; i++) {
    if (!onResult(runSeed(first + i, draw, { realSuite }))) return
    // Lets the interrupt in.
    await new Promise((resolve) => setImmediate(resolve))
    signal.throwIfAborted()
  }
}

async function runThreads({ first, count, draw, signal, onResult }: Seeds, threads: number): Promise<void> {
  const program = new URL(import.meta.url.endsWith('.ts') ? './worker.ts' : './worker.js', import.meta.url)
  const workers = Array.from({ length: threads }, () => new Worker(program, { workerData: draw, execArgv: [] }))
  let next = 0
  let done = 0
  try {
    await new Promise<void>((resolve, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason), { once: true })
      for (const worker of workers) {
        const give = () => {
          if (next < count) worker.postMessage(first + next++)
        }
        worker.on('error', reject)
        worker.on('message', (result: SeedResult) => {
          done++
          if (!onResult(result) || done === count) resolve()
          else give()
        })
        give()
      }
    })
  } finally {
    await Promise.all(workers.map((worker) => worker.terminate()))
  }
}
