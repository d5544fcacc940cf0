// A client's end over libp2p: one connection to everybody in the roster.

import type { Connection } from '@libp2p/interface'
import { multiaddr } from '@multiformats/multiaddr'
import type { Libp2p } from 'libp2p'
import type { ReplicaIndex } from '../../crypto/index.ts'
import { Counters } from '../counters.ts'
import { DEFAULT_LIMITS, type NetLimits } from '../limits.ts'
import { Roster } from '../roster.ts'
import type { ClientTransport, ClientTransportHandlers, RosterEntry } from '../transport.ts'
import { endConnection } from './end.ts'
import { outboundGate } from './gate.ts'
import { Guards } from './guard.ts'
import { Links } from './links.ts'
import { makeNode } from './node.ts'
import { OneRun } from './one-run.ts'
import type { ClientTransportOptions } from './options.ts'
import { ReplicaLink } from './replica-link.ts'
import { Turn } from './stream-writer.ts'

/** A client's end over TCP, Noise and yamux. It may be started again after it was stopped. */
export function libp2pClientTransport(options: ClientTransportOptions): ClientTransport {
  return new ClientEnd(options)
}

class ClientEnd implements ClientTransport {
  readonly #options: ClientTransportOptions
  readonly #only = new OneRun<ClientRun>()
  #roster: Roster
  /** The last one that began, which may not have started yet. */
  #latest: ClientRun | undefined

  constructor(options: ClientTransportOptions) {
    this.#options = options
    this.#roster = new Roster(options.roster)
  }

  start(handlers: ClientTransportHandlers, { signal }: { signal?: AbortSignal } = {}): Promise<void> {
    const begin = () => {
      this.#latest = new ClientRun(this.#options, this.#roster, handlers)
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

  send(to: ReplicaIndex, frame: Uint8Array): boolean {
    return this.#only.current?.send(to, frame) ?? false
  }

  connected(replica: ReplicaIndex): boolean {
    return this.#only.current?.connected(replica) ?? false
  }
}

/** From one start to the next stop. */
class ClientRun {
  readonly #options: ClientTransportOptions
  readonly #limits: NetLimits
  readonly #counters = new Counters()
  readonly #links: Links<ReplicaLink>
  #node: Libp2p | undefined
  #ticker: NodeJS.Timeout | undefined
  #stopped = false

  constructor(options: ClientTransportOptions, roster: Roster, handlers: ClientTransportHandlers) {
    this.#options = options
    this.#limits = { ...DEFAULT_LIMITS, ...options.limits }
    const dial = async (address: string, peerId: string, signal: AbortSignal) => {
      await this.#node?.dial(multiaddr(`${address}/p2p/${peerId}`), { signal })
    }
    const common = { dial, options, limits: this.#limits, counters: this.#counters, turn: new Turn(), handlers }
    this.#links = new Links(roster, (place) => new ReplicaLink({ ...common, place }))
  }

  /** Resolves with this, once it dials. */
  async start(): Promise<ClientRun> {
    const limits = this.#limits
    const guards = new Guards(limits, this.#counters)
    const gater = outboundGate()
    const node = await makeNode({ seed: this.#options.seed, listen: [], limits, gater, guards, maxConnections: 1 }, [])
    this.#node = node
    node.addEventListener('connection:open', ({ detail }) => this.#opened(detail))
    node.addEventListener('connection:close', ({ detail }) => this.#linkOf(detail)?.closed(detail))
    await node.start()
    this.#ticker = setInterval(() => guards.tick(), limits.tickMs)
    this.#links.start()
    return this
  }

  async stop(): Promise<void> {
    this.#stopped = true
    clearInterval(this.#ticker)
    this.#links.stop()
    await this.#node?.stop()
  }

  update(roster: Roster): void {
    if (!this.#stopped) this.#links.update(roster)
  }

  send(to: ReplicaIndex, frame: Uint8Array): boolean {
    return this.#links.at(to)?.send(frame) ?? false
  }

  connected(replica: ReplicaIndex): boolean {
    return this.#links.at(replica)?.connected ?? false
  }

  #opened(connection: Connection): void {
    const link = this.#linkOf(connection)
    if (link !== undefined) link.opened(connection)
    // Its link was dropped while it was dialled.
    else endConnection(connection, 'it is not in the roster any more')
  }

  #linkOf(connection: Connection): ReplicaLink | undefined {
    return this.#links.of(connection.remotePeer.toString())
  }
}
