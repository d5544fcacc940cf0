// Takes a lock or wins an election: waits until its key is gone, asks for a lease, and puts the key attached to it in one transaction,
// whose receipt is the fencing token. Both recipes are this under different names.

import { encodeReceiptFile } from '../audit/verify/index.ts'
import { decodeKvResult, type KvResult, type LockKind, lockKey, lockTransaction } from '../machine/index.ts'
import { ClientError } from './errors.ts'
import type { Lease } from './leases.ts'
import { GIVE_BACK_MS, TAKE_TTL_MS } from './limits.ts'
import { type CallOptions, type Client, type Done, OutcomeUnknown, type Receipt, Refused } from './types.ts'
import { waitUntilGone } from './wait-until-gone.ts'

export interface TakeOptions {
  /** Milliseconds that the holder may count on after each keep-alive; 10,000 unless told. */
  readonly ttlMs?: number
  /** What others see who holds it; the beginning of the client key unless told. */
  readonly value?: string | Uint8Array
  /** Ends the waiting. What is held already is not touched by it. */
  readonly signal?: AbortSignal
}

/**
 * The proof of who took a lock and when, for a third system to check offline: `verifyFencingToken`. Whoever takes it next has a greater
 * slot: its transaction succeeds only after the key of the one before is gone.
 */
export interface FencingToken {
  readonly slot: number
  /** Of the store; greater for each next holder even where a stranger deleted the key within one slot. */
  readonly revision: number
  /** The token as a file, to be handed to the resource. */
  readonly bytes: Uint8Array
  readonly receipt: Receipt
}

export interface Held {
  readonly token: FencingToken
  readonly lease: Lease
}

/** Waits until it is ours. @throws {Error} the signal's reason once that is aborted, and as every call of the client. */
export async function take(client: Client, kind: LockKind, name: string, options: TakeOptions): Promise<Held> {
  const key = lockKey(kind, name)
  const { ttlMs = TAKE_TTL_MS, value = hexName(client.publicKey), signal } = options
  const bytes = typeof value === 'string' ? new TextEncoder().encode(value) : value
  const call: CallOptions = signal === undefined ? {} : { signal }
  for (;;) {
    await waitUntilGone(client, key, call)
    const lease = await client.leases.grant({ ttlMs, ...call })
    try {
      const command = lockTransaction({ kind, name, value: bytes, lease: lease.id })
      const { value: result, slot, receipt } = await certainly(client, lease, client.kv(command, call), call)
      if (result.response.kind === 'txn' && result.response.succeeded) {
        lease.lost.throwIfAborted()
        const file = encodeReceiptFile(receipt, client.genesis, client.chain)
        return { token: { slot, revision: result.revision, bytes: file, receipt }, lease }
      }
    } catch (error) {
      await giveBack(lease)
      throw error
    }
    // Somebody was faster.
    await giveBack(lease)
  }
}

/** Deletes the key by ending its lease; where that fails, the lease ends by itself. */
export async function giveBack(lease: Lease, options?: CallOptions): Promise<void> {
  await lease.revoke({ timeoutMs: GIVE_BACK_MS, ...options }).catch((error: unknown) => {
    if (![OutcomeUnknown, ClientError, Refused].some((expected) => error instanceof expected)) throw error
  })
}

/** The outcome of the transaction: where it is unknown, the same request is asked about again as long as the lease lives. */
async function certainly(
  client: Client,
  lease: Lease,
  first: Promise<Done<KvResult>>,
  call: CallOptions,
): Promise<Done<KvResult>> {
  try {
    return await first
  } catch (error) {
    if (!(error instanceof OutcomeUnknown) || error.expired) throw error
    lease.lost.throwIfAborted()
    call.signal?.throwIfAborted()
    const again = client.resume(error.request, call).then((done) => {
      const value = decodeKvResult(done.value)
      if (value === undefined) throw new TypeError("the cluster's state machine is not the key-value store")
      return { ...done, value }
    })
    return await certainly(client, lease, again, call)
  }
}

function hexName(key: Uint8Array): string {
  return [...key.subarray(0, 8)].map((byte) => byte.toString(16).padStart(2, '0')).join('')
}
