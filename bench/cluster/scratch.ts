// A folder for one measurement, and the end of everything that was started in it, however it ends.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export interface ScratchWork<Value> {
  /** `root` is a new folder under TMPDIR. */
  readonly work: (root: string) => Promise<Value>
  /** Gives back whatever was started; called at the end, and as soon as the signal is aborted. */
  readonly end: () => Promise<void>
}

/** @throws what `work` throws, and the signal's reason in its place where that is aborted. */
export async function inScratch<Value>(signal: AbortSignal, { work, end }: ScratchWork<Value>): Promise<Value> {
  signal.throwIfAborted()
  const root = await mkdtemp(join(tmpdir(), 'quorate-bench-'))
  const onAbort = () => void end()
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    return await work(root)
  } catch (error) {
    // Whatever fails because everything was ended, failed because of that.
    signal.throwIfAborted()
    throw error
  } finally {
    signal.removeEventListener('abort', onAbort)
    await end()
    await rm(root, { recursive: true, force: true })
  }
}
