// A client's end in memory; see memory.ts.

import type { PublicKey, ReplicaIndex } from '../crypto/index.ts'
import { peerIdOf } from '../keys/index.ts'
import { refuseEmpty } from './frames.ts'
import type { MemoryNetwork } from './memory.ts'
import type { MemoryReplica, Route } from './memory-replica.ts'
import { Roster } from './roster.ts'
import type { ClientTransport, ClientTransportHandlers, RosterEntry } from './transport.ts'

export class MemoryClient implements ClientTransport {
  readonly key: PublicKey
  readonly peerId: string
  readonly #network: MemoryNetwork
  readonly #replicas = new Map<MemoryReplica, Route>()
  #roster: Roster
  #handlers: ClientTransportHandlers | undefined

  constructor(network: MemoryNetwork, key: PublicKey, roster: readonly RosterEntry[]) {
    this.#network = network
    this.key = key
    this.peerId = peerIdOf(key)
    this.#roster = new Roster(roster)
  }

  async start(handlers: ClientTransportHandlers, { signal }: { signal?: AbortSignal } = {}): Promise<void> {
    signal?.throwIfAborted()
    if (this.#handlers !== undefined) return
    this.#handlers = handlers
    // Nobody hears of a link before the call of `start` has returned.
    await Promise.resolve()
    if (this.#handlers === handlers) this.#network.enter(this)
  }

  async stop(): Promise<void> {
    if (this.#handlers === undefined) return
    this.#network.leave(this)
    this.#handlers = undefined
  }

  update(roster: readonly RosterEntry[]): void {
    const next = new Roster(roster)
    for (const replica of [...this.#replicas.keys()]) {
      if (next.indexOf(replica.peerId) === undefined) replica.meet(this, false)
    }
    this.#roster = next
    this.#network.relink()
  }

  send(to: ReplicaIndex, frame: Uint8Array): boolean {
    refuseEmpty(frame)
    const entry = [...this.#replicas].find(([replica]) => this.indexOf(replica) === to)
    if (entry === undefined || frame.length > this.#network.limits.maxFrameBytes.client) return false
    const [replica, route] = entry
    const copy = Uint8Array.from(frame)
    return this.#network.post(route, copy, () => replica.receive(this, copy))
  }

  connected(replica: ReplicaIndex): boolean {
    return [...this.#replicas.keys()].some((each) => this.indexOf(each) === replica)
  }

  /** Where `replica` stands in the roster of this client. */
  indexOf(replica: MemoryReplica): ReplicaIndex | undefined {
    return this.#roster.indexOf(replica.peerId)
  }

  linked(replica: MemoryReplica): void {
    const limit = this.#network.limits.maxClientQueueBytes
    this.#replicas.set(replica, { from: this, to: replica, limit, queued: 0 })
    this.#tell(replica, (index) => this.#handlers?.replicaUp(index))
  }

  unlinked(replica: MemoryReplica): void {
    const route = this.#replicas.get(replica)
    if (route === undefined) return
    this.#replicas.delete(replica)
    this.#network.lose(route)
    this.#tell(replica, (index) => this.#handlers?.replicaDown(index))
  }

  receive(replica: MemoryReplica, frame: Uint8Array): void {
    if (!this.#replicas.has(replica)) return
    this.#tell(replica, (index) => this.#handlers?.replicaFrame(index, frame))
  }

  /** Links end where the replicas end them. */
  forget(): void {}

  #tell(replica: MemoryReplica, how: (index: ReplicaIndex) => void): void {
    const index = this.indexOf(replica)
    if (index !== undefined) how(index)
  }
}
