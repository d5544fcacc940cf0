// What a member in memory holds of those that are not in its roster; see memory.ts.

import type { PublicKey } from '../crypto/index.ts'
import type { Counters } from './counters.ts'
import { refuseEmpty } from './frames.ts'
import type { MemoryNetwork } from './memory.ts'
import type { MemoryClient } from './memory-client.ts'
import type { MemoryReplica, Route } from './memory-replica.ts'
import type { ClientLink, FormerLink } from './transport.ts'

/** A client. */
export class MemoryLink implements ClientLink {
  readonly key: PublicKey
  readonly id: number
  readonly route: Route
  readonly #network: MemoryNetwork
  readonly #client: MemoryClient
  readonly #self: MemoryReplica
  readonly #close: () => void
  readonly #counters: Counters
  #open = true

  constructor(
    network: MemoryNetwork,
    self: MemoryReplica,
    client: MemoryClient,
    close: () => void,
    counters: Counters,
  ) {
    this.key = client.key
    this.id = network.nextLink()
    this.route = { from: self, to: client, limit: network.limits.maxClientQueueBytes, queued: 0 }
    this.#network = network
    this.#self = self
    this.#client = client
    this.#close = close
    this.#counters = counters
  }

  send(frame: Uint8Array): boolean {
    refuseEmpty(frame)
    if (!this.#open) return false
    const tooLarge = frame.length > this.#network.limits.maxFrameBytes.replica
    const copy = Uint8Array.from(frame)
    const deliver = () => this.#client.receive(this.#self, copy)
    if (!tooLarge && this.#network.post(this.route, copy, deliver)) {
      this.#counters.wrote(copy.length)
      return true
    }
    this.#counters.add(tooLarge ? 'frame-too-large' : 'queue-full')
    return false
  }

  close(): void {
    if (this.#open) this.#close()
  }

  end(): void {
    this.#open = false
    this.#network.lose(this.route)
  }
}

/** Somebody who was a member once: it asks one thing, is answered once, and then its link ends. */
export class MemoryVisit implements FormerLink {
  readonly key: PublicKey
  readonly route: Route
  readonly #network: MemoryNetwork
  readonly #counters: Counters
  readonly #deliver: (frame: Uint8Array) => void
  readonly #close: () => void
  #asked = false
  #open = true

  /** `deliver` hands it the answer, `close` ends its link. */
  constructor(
    network: MemoryNetwork,
    self: MemoryReplica,
    former: MemoryReplica,
    counters: Counters,
    deliver: (frame: Uint8Array) => void,
    close: () => void,
  ) {
    this.key = former.key
    this.route = { from: self, to: former, limit: network.limits.maxFormerAnswerBytes, queued: 0 }
    this.#network = network
    this.#counters = counters
    this.#deliver = deliver
    this.#close = close
  }

  /** True for the one frame that is heard. */
  ask(frame: Uint8Array): boolean {
    if (this.#asked || !this.#open) return false
    if (frame.length > this.#network.limits.maxFormerFrameBytes) {
      this.#counters.add('frame-too-large')
      this.#close()
      return false
    }
    this.#asked = true
    return true
  }

  send(frame: Uint8Array): boolean {
    refuseEmpty(frame)
    if (!this.#open || this.route.queued > 0) return false
    if (frame.length > this.#network.limits.maxFormerAnswerBytes) {
      this.#counters.add('frame-too-large')
      return false
    }
    const copy = Uint8Array.from(frame)
    this.#counters.wrote(copy.length)
    return this.#network.post(this.route, copy, () => {
      this.#deliver(copy)
      this.#close()
    })
  }

  end(): void {
    this.#open = false
    this.#network.lose(this.route)
  }
}
