// Small things for the client's tests.

import { afterEach, beforeEach, vi } from 'vitest'

/** Lets everything that is ready happen: frames, answers to them, and what follows, but no timer. */
export async function rounds(count = 12): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve))
}

/** Gives the tests of a file the client's clock; `pass` moves it. */
export function useTestClock(): (ms: number) => Promise<void> {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] })
  })
  afterEach(() => {
    vi.useRealTimers()
  })
  return async (ms) => {
    const steps = Math.ceil(ms / 25)
    for (let i = 0; i < steps; i++) {
      vi.advanceTimersByTime(ms / steps)
      await rounds(2)
    }
    await rounds()
  }
}

/** What a call has come to: undefined while it has no outcome. */
export function watched<Value>(call: Promise<Value>): { outcome: { value: Value } | { error: unknown } | undefined } {
  const seen: { outcome: { value: Value } | { error: unknown } | undefined } = { outcome: undefined }
  call.then(
    (value) => {
      seen.outcome = { value }
    },
    (error: unknown) => {
      seen.outcome = { error }
    },
  )
  return seen
}
