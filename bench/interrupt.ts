// Ctrl-C and SIGTERM end a measurement through the signal that it was given, so that nothing it started stays behind.

import { BenchError } from './errors.ts'

const SIGNALS = ['SIGINT', 'SIGTERM'] as const

/** @throws {BenchError} where it was interrupted; whatever `work` throws. */
export async function interruptible<Value>(work: (signal: AbortSignal) => Promise<Value>): Promise<Value> {
  const stop = new AbortController()
  const onSignal = () => stop.abort(new BenchError('stopped before it was done'))
  for (const name of SIGNALS) process.once(name, onSignal)
  try {
    return await work(stop.signal)
  } finally {
    for (const name of SIGNALS) process.off(name, onSignal)
  }
}
