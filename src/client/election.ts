// An election: at most one client leads at a time, says something about itself, and has a token that shows it. Followers look at what
// it says.

import { equalBytes } from '../../crypto/index.ts'
import { lockKey } from '../machine/index.ts'
import { OBSERVE_POLL_MS } from './limits.ts'
import { type FencingToken, giveBack, type TakeOptions, take } from './taking.ts'
import type { CallOptions, Client } from './types.ts'
import { pause } from './wait-until-gone.ts'

export interface Leadership {
  readonly name: string
  readonly token: FencingToken
  /** Aborted as soon as the leadership cannot be counted on any more. */
  readonly lost: AbortSignal
  /** Lets another one lead. Where the cluster cannot be reached it ends by itself. Calling it again is harmless. */
  resign(options?: CallOptions): Promise<void>
}

/** Who leads, as the store has it. */
export interface Leader {
  /** What it said when it was elected. */
  readonly value: Uint8Array
  /** Revision in which it was elected: another one with the same value is told apart by it. */
  readonly revision: number
}

/** Campaigns until elected. @throws {Error} the signal's reason once that is aborted, and as every call of the client. */
export async function elect(client: Client, name: string, options: TakeOptions = {}): Promise<Leadership> {
  const { token, lease } = await take(client, 'election', name, options)
  return { name, token, lost: lease.lost, resign: (call) => giveBack(lease, call) }
}

/** Who leads now; undefined where nobody does. */
export async function leaderOf(client: Client, name: string, options?: CallOptions): Promise<Leader | undefined> {
  const { value } = await client.get(lockKey('election', name), { ...options, read: 'quorum' })
  return value === undefined ? undefined : { value: value.value, revision: value.createRevision }
}

/** Who leads, again and again: each time that it is another one, or nobody. Ends with the signal. */
export async function* observeLeader(
  client: Client,
  name: string,
  options: CallOptions = {},
): AsyncGenerator<Leader | undefined> {
  let [known, first]: [Leader | undefined, boolean] = [undefined, true]
  while (options.signal?.aborted !== true) {
    const leader = await leaderOf(client, name, options)
    if (first || !sameLeader(known, leader)) yield leader
    known = leader
    first = false
    await pause(OBSERVE_POLL_MS, options.signal)
  }
}

function sameLeader(a: Leader | undefined, b: Leader | undefined): boolean {
  if (a === undefined || b === undefined) return a === b
  return a.revision === b.revision && equalBytes(a.value, b.value)
}
