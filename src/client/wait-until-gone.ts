// Waits for a key to go, by looking again and again, less and less often. A look from a quorum costs no slot of the log.

import { GONE_POLL_MS, RETRY_JITTER } from './limits.ts'
import type { CallOptions, Client } from './types.ts'

/** Resolves once `key` is absent. @throws {Error} the signal's reason once it is aborted, and as `client.get`. */
export async function waitUntilGone(client: Client, key: Uint8Array, options: CallOptions = {}): Promise<void> {
  const { signal } = options
  const [firstMs, mostMs] = GONE_POLL_MS
  let waitMs = firstMs
  for (;;) {
    signal?.throwIfAborted()
    const { value } = await client.get(key, { ...options, read: 'quorum' })
    if (value === undefined) return
    await pause(waitMs * (1 + RETRY_JITTER * Math.random()), signal)
    waitMs = Math.min(2 * waitMs, mostMs)
  }
}

/** @throws {Error} the signal's reason once it is aborted. */
export function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer)
      reject(signal?.reason)
    }
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', stop)
      resolve()
    }, ms)
    if (signal?.aborted) stop()
    else signal?.addEventListener('abort', stop, { once: true })
  })
}
