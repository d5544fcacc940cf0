// A lock: at most one client holds it, by its own clock and the cluster's; and the token says so to others. docs/locks.md says why a lock
// without a token is not a lock.

import { type FencingToken, giveBack, type TakeOptions, take } from './taking.ts'
import type { CallOptions, Client } from './types.ts'

export interface HeldLock {
  readonly name: string
  /** To be shown to whatever the lock protects. */
  readonly token: FencingToken
  /** Aborted as soon as the lock cannot be counted on any more; stop what it protects then. */
  readonly lost: AbortSignal
  /** Lets the next one have it. Where the cluster cannot be reached it ends by itself. Calling it again is harmless. */
  release(options?: CallOptions): Promise<void>
}

/** Waits for the lock and takes it. @throws {Error} the signal's reason once that is aborted, and as every call of the client. */
export async function lock(client: Client, name: string, options: TakeOptions = {}): Promise<HeldLock> {
  const { token, lease } = await take(client, 'lock', name, options)
  return { name, token, lost: lease.lost, release: (call) => giveBack(lease, call) }
}
