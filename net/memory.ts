// The network in one process, for tests: the same promises as over libp2p, with nothing but arrays beneath. Delivery
// is in the order of sending over the whole network, either by itself at the end of the turn or by `flush()`, so a
// run depends on nothing else.

import type { PublicKey, ReplicaIndex } from '../crypto/index.ts'
import { type Genesis, peerIdOf } from '../keys/index.ts'
import { prefixBytes } from './frames.ts'
import { DEFAULT_LIMITS, type NetLimits } from './limits.ts'
import { MemoryClient } from './memory-client.ts'
import { MemoryReplica, type Route } from './memory-replica.ts'
import type { ClientTransport, ReplicaTransport, RosterEntry } from './transport.ts'

export interface MemoryNetworkOptions {
  readonly genesis: Genesis
  /** `turn` (unless told): at the end of the turn. `manual`: when the test says {@link MemoryNetwork.flush}. */
  readonly delivery?: 'turn' | 'manual'
  readonly limits?: Partial<NetLimits>
}

/** One end of a link: a member, or one client transport. */
type End = MemoryReplica | MemoryClient

interface Parcel {
  /** Undefined where it is not a frame. */
  readonly route: Route | undefined
  readonly bytes: number
  readonly deliver: () => void
}

export class MemoryNetwork {
  readonly genesis: Genesis
  readonly limits: NetLimits
  readonly #manual: boolean
  readonly #ends = new Set<End>()
  readonly #cuts = new Set<string>()
  #parcels: Parcel[] = []
  #scheduled = false
  #links = 0

  constructor({ genesis, delivery = 'turn', limits = {} }: MemoryNetworkOptions) {
    this.genesis = genesis
    this.limits = { ...DEFAULT_LIMITS, ...limits }
    this.#manual = delivery === 'manual'
  }

  /**
   * The end of whoever stands at `self` in the roster, that of the genesis unless told. A second one for the same may start once the
   * first has stopped.
   */
  replica(self: ReplicaIndex, roster: readonly RosterEntry[] = this.genesis.members): ReplicaTransport {
    const own = roster[self]
    if (own === undefined) throw new RangeError(`the roster has no replica ${self}`)
    return new MemoryReplica(this, own, roster)
  }

  /** The end of a client with this key, known to the replicas or not. */
  client(key: PublicKey): ClientTransport {
    return new MemoryClient(this, key, this.genesis.members)
  }

  /**
   * Ends the links between `a` and `b`, and loses what was under way, until they are healed: members of the genesis by their index
   * there, others by the key of their channel.
   */
  cut(a: ReplicaIndex | PublicKey, b: ReplicaIndex | PublicKey): void {
    this.#cuts.add(this.#cutName(a, b))
    this.relink()
  }

  heal(a: ReplicaIndex | PublicKey, b: ReplicaIndex | PublicKey): void {
    this.#cuts.delete(this.#cutName(a, b))
    this.relink()
  }

  /** Heals every cut. */
  healAll(): void {
    this.#cuts.clear()
    this.relink()
  }

  /** Delivers what waits, and what is sent meanwhile, up to `most` frames; how many. */
  flush(most = Number.POSITIVE_INFINITY): number {
    let delivered = 0
    while (delivered < most) {
      const parcel = this.#parcels.shift()
      if (parcel === undefined) break
      if (parcel.route !== undefined) parcel.route.queued -= parcel.bytes
      parcel.deliver()
      delivered++
    }
    return delivered
  }

  /** Frames that wait. */
  get waiting(): number {
    return this.#parcels.length
  }

  /** @internal */
  enter(end: End): void {
    for (const other of this.#ends) {
      if (end instanceof MemoryReplica && other instanceof MemoryReplica && other.peerId === end.peerId) {
        throw new Error(`the replica ${end.peerId} is running already`)
      }
    }
    this.#ends.add(end)
    this.relink()
  }

  /** @internal */
  leave(end: End): void {
    this.#ends.delete(end)
    this.relink()
  }

  /** @internal */
  nextLink(): number {
    return this.#links++
  }

  /** @internal False where it does not fit. */
  post(route: Route, frame: Uint8Array, deliver: () => void): boolean {
    const bytes = prefixBytes(frame.length) + frame.length
    if (route.queued > 0 && route.queued + bytes > route.limit) return false
    route.queued += bytes
    this.#parcels.push({ route, bytes, deliver })
    this.#schedule()
    return true
  }

  /** @internal Links again what a replica closed, as a client that dials again would. */
  dialAgain(): void {
    this.#parcels.push({ route: undefined, bytes: 0, deliver: () => this.relink() })
    this.#schedule()
  }

  /** @internal Forgets what is under way on `route`. */
  lose(route: Route): void {
    this.#parcels = this.#parcels.filter((parcel) => parcel.route !== route)
    route.queued = 0
  }

  #schedule(): void {
    if (this.#manual || this.#scheduled) return
    this.#scheduled = true
    setImmediate(() => {
      this.#scheduled = false
      // What is sent meanwhile leaves in the next turn, as on a real network.
      this.flush(this.#parcels.length)
      if (this.#parcels.length > 0) this.#schedule()
    })
  }

  /** @internal Links every two ends that can reach each other, in the order in which they came. */
  relink(): void {
    for (const a of this.#ends) {
      for (const b of this.#ends) {
        if (a instanceof MemoryReplica && a !== b) a.meet(b, this.#reaches(a, b))
      }
    }
    for (const end of this.#ends) end.forget(this.#ends)
  }

  #reaches(a: End, b: End): boolean {
    return !this.#cuts.has(nameOfCut(a.peerId, b.peerId))
  }

  #cutName(a: ReplicaIndex | PublicKey, b: ReplicaIndex | PublicKey): string {
    const peerId = (end: ReplicaIndex | PublicKey) =>
      typeof end === 'number' ? (this.genesis.members[end]?.peerId ?? '') : peerIdOf(end)
    return nameOfCut(peerId(a), peerId(b))
  }
}

function nameOfCut(a: string, b: string): string {
  return [a, b].sort().join(' - ')
}
