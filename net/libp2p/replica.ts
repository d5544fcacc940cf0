// A member's end over libp2p.

import type { ReplicaIndex } from '../../crypto/index.ts'
import { Counters } from '../counters.ts'
import { Roster } from '../roster.ts'
import type {
  PeerChannel,
  ReplicaTransport,
  ReplicaTransportHandlers,
  RosterEntry,
  Traffic,
  TransportCounter,
} from '../transport.ts'
import { OneRun } from './one-run.ts'
import type { ReplicaTransportOptions } from './options.ts'
import { ReplicaRun } from './replica-run.ts'

/** A member's end over TCP, Noise and yamux. It may be started again after it was stopped. */
export function libp2pReplicaTransport(options: ReplicaTransportOptions): ReplicaTransport {
  const own = options.roster[options.self]
  if (own === undefined) throw new RangeError(`the roster has no replica ${options.self}`)
  return new ReplicaEnd(options, own)
}

class ReplicaEnd implements ReplicaTransport {
  readonly #options: ReplicaTransportOptions
  readonly #own: RosterEntry
  readonly #counters = new Counters()
  readonly #only = new OneRun<ReplicaRun>()
  #roster: Roster
  /** The last one that began, which may not have started yet. */
  #latest: ReplicaRun | undefined

  constructor(options: ReplicaTransportOptions, own: RosterEntry) {
    this.#options = options
    this.#own = own
    this.#roster = new Roster(options.roster)
  }

  get addresses(): readonly string[] {
    return this.#only.current?.addresses ?? []
  }

  start(handlers: ReplicaTransportHandlers, { signal }: { signal?: AbortSignal } = {}): Promise<void> {
    const begin = () => {
      this.#latest = new ReplicaRun(this.#options, this.#own, this.#roster, handlers, this.#counters)
      return this.#latest.start()
    }
    return this.#only.start(begin, signal)
  }

  stop(): Promise<void> {
    return this.#only.stop()
  }

  update(roster: readonly RosterEntry[]): void {
    this.#roster = new Roster(roster)
    this.#latest?.update(this.#roster)
  }

  send(to: ReplicaIndex, channel: PeerChannel, frame: Uint8Array): boolean {
    return this.#only.current?.send(to, channel, frame) ?? false
  }

  flush(): void {
    this.#only.current?.flush()
  }

  connected(peer: ReplicaIndex): boolean {
    return this.#only.current?.connected(peer) ?? false
  }

  counters(): Readonly<Partial<Record<TransportCounter, number>>> {
    return this.#counters.read()
  }

  sent(): Traffic {
    return this.#counters.sent
  }

  queuedBytes(): number {
    return this.#only.current?.queuedBytes() ?? 0
  }
}
