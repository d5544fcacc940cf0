// Leases as their owner sees them. The owner trusts its own monotonic clock alone: a lease counts as lost once its time to live has
// passed since the owner began the last keep-alive that succeeded.
//
// The machine is asked for more than that. It goes by agreed time, which an honest replica only votes for within the drift bound of its
// own clock; the quorums of any two entries share an honest replica, so between two entries agreed time runs ahead of that replica's
// clock by twice the bound at most. With the time to live longer by that, the owner always stops before the cluster ends the lease.

import type { KvCommand, KvResult } from '../machine/index.ts'
import { MAX_LEASE_TTL_MS, MIN_LEASE_TTL_MS } from '../machine/index.ts'
import { ClientError } from './errors.ts'
import { KEEP_ALIVE_RETRY_SHARE, KEEP_ALIVE_SHARE } from './limits.ts'
import { type CallOptions, type Done, Refused } from './types.ts'

export interface GrantOptions extends CallOptions {
  /** Milliseconds that the owner may count on after each keep-alive. */
  readonly ttlMs: number
}

export interface Lease {
  /** Its number, which no other lease ever had. */
  readonly id: number
  readonly ttlMs: number
  /**
   * Aborted as soon as the lease can no longer be counted on: its time ran out here, it was revoked, or the client was closed. A
   * process that stood still learns of it late: hence fencing tokens.
   */
  readonly lost: AbortSignal
  /** Keeps it alive now; happens by itself every third of its time to live. */
  keepAlive(options?: CallOptions): Promise<void>
  /** Ends it, and deletes the keys attached to it. Calling it again is harmless. */
  revoke(options?: CallOptions): Promise<void>
  /** Stops keeping it alive: it ends by itself, with its keys. */
  close(): void
}

export interface Leases {
  /** @throws {RangeError} for a time to live out of range, and as every call. */
  grant(options: GrantOptions): Promise<Lease>
}

export interface LeasesParts {
  readonly kv: (command: KvCommand, options?: CallOptions) => Promise<Done<KvResult>>
  readonly clockDriftMs: () => number
}

export class ClientLeases implements Leases {
  private readonly parts: LeasesParts
  private readonly open = new Set<OwnLease>()

  constructor(parts: LeasesParts) {
    this.parts = parts
  }

  async grant({ ttlMs, ...options }: GrantOptions): Promise<Lease> {
    const { kv, clockDriftMs } = this.parts
    const extraMs = 2 * clockDriftMs()
    const mostMs = MAX_LEASE_TTL_MS - extraMs
    if (!Number.isSafeInteger(ttlMs) || ttlMs < MIN_LEASE_TTL_MS || ttlMs > mostMs) {
      throw new RangeError(`ttlMs: expected an integer from ${MIN_LEASE_TTL_MS} to ${mostMs}, got ${ttlMs}`)
    }
    const sinceMs = performance.now()
    const { value } = await kv({ kind: 'lease-grant', ttlMs: ttlMs + extraMs }, options)
    const { response } = value
    if (response.kind !== 'lease-grant') throw new Error('unreachable: a grant is answered by a grant')
    const lease = new OwnLease(response.lease, ttlMs, sinceMs, kv)
    this.open.add(lease)
    lease.lost.addEventListener('abort', () => this.open.delete(lease), { once: true })
    lease.start()
    return lease
  }

  close(): void {
    for (const lease of this.open) lease.close()
  }
}

class OwnLease implements Lease {
  readonly id: number
  readonly ttlMs: number
  private readonly kv: LeasesParts['kv']
  private readonly end = new AbortController()
  /** When the last keep-alive that succeeded began. */
  private sinceMs: number
  private keeping: NodeJS.Timeout | undefined
  private ending: NodeJS.Timeout | undefined
  private revoking: Promise<void> | undefined

  constructor(id: number, ttlMs: number, sinceMs: number, kv: LeasesParts['kv']) {
    this.id = id
    this.ttlMs = ttlMs
    this.sinceMs = sinceMs
    this.kv = kv
  }

  /** From here on it is kept alive; an answer that took too long finds it lost already. */
  start(): void {
    this.watch()
    this.keepLater(this.ttlMs * KEEP_ALIVE_SHARE)
  }

  get lost(): AbortSignal {
    return this.end.signal
  }

  async keepAlive(options?: CallOptions): Promise<void> {
    if (this.lost.aborted) throw lostError(this.id)
    const sinceMs = performance.now()
    try {
      await this.kv({ kind: 'lease-keep-alive', lease: this.id }, options)
    } catch (error) {
      if (error instanceof Refused && error.detail === 'lease-not-found') this.lose('it ended in the cluster')
      throw error
    }
    this.sinceMs = Math.max(this.sinceMs, sinceMs)
  }

  revoke(options?: CallOptions): Promise<void> {
    this.revoking ??= this.revokeOnce(options).catch((error: unknown) => {
      this.revoking = undefined
      throw error
    })
    return this.revoking
  }

  close(): void {
    this.lose('it was given up')
  }

  private async revokeOnce(options?: CallOptions): Promise<void> {
    this.lose('it was revoked')
    try {
      await this.kv({ kind: 'lease-revoke', lease: this.id }, options)
    } catch (error) {
      if (error instanceof Refused && error.detail === 'lease-not-found') return
      throw error
    }
  }

  private keepLater(ms: number): void {
    if (this.lost.aborted) return
    this.keeping = setTimeout(() => void this.keepNow(), ms)
  }

  /** One keep-alive after another; where one fails there is time for more before the lease is lost. */
  private async keepNow(): Promise<void> {
    const beganMs = performance.now()
    const { ttlMs } = this
    try {
      await this.keepAlive({ timeoutMs: Math.ceil(ttlMs * KEEP_ALIVE_SHARE), signal: this.lost })
      this.keepLater(Math.max(0, beganMs + ttlMs * KEEP_ALIVE_SHARE - performance.now()))
    } catch {
      // Whatever it was: the watch decides when it was one time too many.
      this.keepLater(ttlMs * KEEP_ALIVE_RETRY_SHARE)
    }
  }

  private watch(): void {
    const leftMs = this.sinceMs + this.ttlMs - performance.now()
    if (leftMs <= 0) this.lose('no keep-alive succeeded in time')
    else this.ending = setTimeout(() => this.watch(), Math.ceil(leftMs))
  }

  private lose(why: string): void {
    if (this.lost.aborted) return
    clearTimeout(this.keeping)
    clearTimeout(this.ending)
    this.end.abort(lostError(this.id, why))
  }
}

function lostError(id: number, why = 'it is lost'): ClientError {
  return new ClientError('lease-lost', `lease ${id} cannot be counted on any more: ${why}`)
}
