// Whether the collector may have something: the one way to see that nobody holds it any more.

import { expect } from 'vitest'

/** Lets the collector run until nothing of `refs` is left. */
export async function collected(refs: readonly WeakRef<object>[]): Promise<void> {
  const { setFlagsFromString } = await import('node:v8')
  const { runInNewContext } = await import('node:vm')
  setFlagsFromString('--expose-gc')
  const collect: () => void = runInNewContext('gc')
  for (let i = 0; i < 20 && refs.some((ref) => ref.deref() !== undefined); i++) {
    // What a turn of the event loop has looked at is kept until its end.
    await new Promise((resolve) => setImmediate(resolve))
    collect()
  }
  expect(refs.filter((ref) => ref.deref() !== undefined)).toEqual([])
}
