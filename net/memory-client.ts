// A client's end in memory; see memory.ts.

import type { PublicKey, ReplicaIndex } from '../crypto/index.ts'
import { refuseEmpty } from './frames.ts'
import type { MemoryNetwork } from './memory.ts'
import type { MemoryReplica, Route } from './memory-replica.ts'
import type { ClientTransport, ClientTransportHandlers } from './transport.ts'

export class MemoryClient implements ClientTransport {
  readonly key: PublicKey
  readonly #network: MemoryNetwork
  readonly #replicas = new Map<MemoryReplica, Route>()
  #handlers: ClientTransportHandlers | undefined

  constructor(network: MemoryNetwork, key: PublicKey) {
    this.#network = network
    this.key = key
  }

  get address(): PublicKey {
    return this.key
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

  send(to: ReplicaIndex, frame: Uint8Array): boolean {
    refuseEmpty(frame)
    const entry = [...this.#replicas].find(([replica]) => replica.self === to)
    if (entry === undefined || frame.length > this.#network.limits.maxFrameBytes.client) return false
    const [replica, route] = entry
    const copy = Uint8Array.from(frame)
    return this.#network.post(route, copy, () => replica.receive(this, copy))
  }

  connected(replica: ReplicaIndex): boolean {
    return [...this.#replicas.keys()].some((each) => each.self === replica)
  }

  linked(replica: MemoryReplica): void {
    const limit = this.#network.limits.maxClientQueueBytes
    this.#replicas.set(replica, { from: this, to: replica, limit, queued: 0 })
    this.#handlers?.replicaUp(replica.self)
  }

  unlinked(replica: MemoryReplica): void {
    const route = this.#replicas.get(replica)
    if (route === undefined) return
    this.#replicas.delete(replica)
    this.#network.lose(route)
    this.#handlers?.replicaDown(replica.self)
  }

  receive(replica: MemoryReplica, frame: Uint8Array): void {
    if (this.#replicas.has(replica)) this.#handlers?.replicaFrame(replica.self, frame)
  }

  /** Links end where the replicas end them. */
  forget(): void {}
}
