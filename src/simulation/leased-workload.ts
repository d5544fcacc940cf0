// What simulated clients ask about leases: grants, keep-alives, revocations, and puts of few keys that go with them. Mostly about
// leases of their own, now and then about somebody else's, which is refused.

import { utf8 } from '../../crypto/index.ts'
import { type KvCommand, MIN_LEASE_TTL_MS } from '../machine/index.ts'
import type { ClientCommand, Operation } from './history.ts'
import type { Random } from './kernel/index.ts'

/** Leases of its own that a client remembers; the oldest go first, and end. */
const REMEMBERED = 4
/** Numbers that a client tries where it means somebody else's lease. */
const FOREIGN = 20
const KEYS = 3

export class LeasedWorkload {
  private readonly ttlMs: number
  private readonly random: Random
  private own: number[] = []

  /** Leases live from half of `ttlMs` to all of it. */
  constructor(ttlMs: number, random: Random) {
    this.ttlMs = ttlMs
    this.random = random
  }

  next(value: string): ClientCommand {
    const key = `leased ${this.random.below(KEYS)}`
    return { kind: 'leased', key, command: this.command(utf8(key), utf8(value)) }
  }

  /** Learns which leases are its own, and which of them are gone. */
  saw({ command, answer, outcome }: Operation): void {
    if (command.kind !== 'leased') return
    const about = 'lease' in command.command ? command.command.lease : undefined
    if (outcome === 'refused' || command.command.kind === 'lease-revoke') {
      this.own = this.own.filter((lease) => lease !== about)
    }
    if (answer?.kind !== 'leased' || answer.response.kind !== 'lease-grant') return
    this.own = [...this.own, answer.response.lease].slice(-REMEMBERED)
  }

  private command(key: Uint8Array, value: Uint8Array): KvCommand {
    const { random, own } = this
    const put = { kind: 'put', key, value, previous: false } as const
    const die = random.below(100)
    if (own.length === 0 || die < 15) return { kind: 'lease-grant', ttlMs: this.ttl() }
    if (die < 35) return { kind: 'lease-keep-alive', lease: this.lease() }
    if (die < 40) return { kind: 'lease-revoke', lease: this.lease() }
    if (die < 70) return { ...put, lease: this.lease() }
    if (die < 78) return put
    if (die < 85) return { kind: 'delete', key, previous: false }
    return { kind: 'get', key }
  }

  private ttl(): number {
    return Math.max(MIN_LEASE_TTL_MS, this.random.between(this.ttlMs >> 1, this.ttlMs))
  }

  private lease(): number {
    return this.random.chance(0.1) ? 1 + this.random.below(FOREIGN) : this.random.pick(this.own)
  }
}
