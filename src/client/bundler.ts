// Puts calls that wait into bundles, signed once each. What is submitted in one turn of the event loop goes together. While several
// bundles are on their way, what comes next waits for company: a signature costs its maker and every replica as much as executing
// dozens of requests, and one request a bundle would keep them all busy with signatures.

import type { Signer } from '../../crypto/index.ts'
import { signBundle } from './bundle.ts'
import type { Call, Signed } from './call.ts'
import type { ClusterView } from './cluster-view.ts'
import type { Counters } from './counters.ts'
import {
  BUNDLE_BYTES,
  BUNDLE_REQUESTS,
  EAGER_BUNDLES,
  FILLED_BUNDLE,
  SEQUENCE_SPAN,
  UNDER_WAY_BYTES,
} from './limits.ts'
import type { Sequences } from './sequence.ts'
import { Waiting } from './waiting.ts'

export interface BundlerParts {
  readonly view: ClusterView
  readonly key: Signer
  readonly sequences: Sequences
  readonly counters: Counters
  /** The lowest number under way that must not be forgotten. */
  readonly lowest: () => number | undefined
  /** Takes a signed bundle. */
  readonly take: (calls: readonly Signed[]) => void
}

export class Bundler {
  private readonly parts: BundlerParts
  private readonly waiting = new Waiting()
  /** Calls without an outcome, of each bundle that has any. */
  private readonly open = new Map<object, number>()
  /** Bytes of their commands. */
  private openBytes = 0
  private flushing = false
  private numbering = false

  constructor(parts: BundlerParts) {
    this.parts = parts
  }

  /** Calls that are not signed yet; those that ended meanwhile included, until they are passed over. */
  get size(): number {
    return this.waiting.size
  }

  /** Those of them that have not ended. */
  [Symbol.iterator](): Iterator<Call> {
    return this.waiting[Symbol.iterator]()
  }

  /** False where there is no room. */
  push(call: Call): boolean {
    if (!this.waiting.push(call)) return false
    this.flushSoon()
    return true
  }

  /** A call has its outcome, so there may be room, or no reason left to wait for company. */
  ended(call: Call): void {
    const { bundle } = call
    call.bundle = undefined
    if (bundle !== undefined) {
      this.openBytes -= call.command.length
      const left = (this.open.get(bundle) ?? 1) - 1
      if (left > 0) this.open.set(bundle, left)
      else this.open.delete(bundle)
    }
    if (this.waiting.size > 0) this.flushSoon()
  }

  /** Signs all that waits and has room; what waited for company has waited long enough. */
  flush(): void {
    for (;;) {
      const batch = this.next()
      if (batch.length === 0) return
      this.parts.take(this.sign(batch))
    }
  }

  private flushSoon(): void {
    if (this.flushing) return
    this.flushing = true
    setImmediate(() => {
      this.flushing = false
      if (this.open.size < EAGER_BUNDLES || this.waiting.size >= FILLED_BUNDLE) this.flush()
    })
  }

  private sign(batch: readonly (readonly [Call, number])[]): readonly Signed[] {
    const { view, key, counters } = this.parts
    const client = key.publicKey
    const requests = batch.map(([{ command }, sequence]) => ({ client, sequence, command }))
    const signed = signBundle(requests, view.genesis.clusterId, key)
    counters.add('bundles')
    const bundle = {}
    this.open.set(bundle, batch.length)
    for (const { command } of requests) this.openBytes += command.length
    return batch.map(([call], i) => call.sign(signed[i], bundle))
  }

  /** The calls of the next bundle with their numbers; none while there is no room or no number. */
  private next(): [Call, number][] {
    const { sequences } = this.parts
    const batch: [Call, number][] = []
    let lowest = this.parts.lowest()
    let bytes = 0
    for (let call = this.waiting.peek(); call !== undefined; call = this.waiting.peek()) {
      bytes += call.command.length
      if (batch.length === BUNDLE_REQUESTS || (batch.length > 0 && bytes > BUNDLE_BYTES)) break
      // The replicas would have no room for it, and say nothing.
      if (this.openBytes + bytes > UNDER_WAY_BYTES && this.openBytes + bytes > call.command.length) break
      const number = sequences.peek()
      if (number === undefined) {
        this.fetchNumbers()
        break
      }
      lowest ??= number
      // Further apart, the cluster could forget the lowest before it is executed.
      if (number - lowest >= SEQUENCE_SPAN) break
      batch.push([call, sequences.next()])
      this.waiting.shift()
    }
    return batch
  }

  private fetchNumbers(): void {
    if (this.numbering) return
    this.numbering = true
    const wanted = Math.min(this.waiting.size, BUNDLE_REQUESTS)
    this.parts.sequences.reserve(wanted).then(
      () => {
        this.numbering = false
        this.flush()
      },
      (error: unknown) => {
        this.numbering = false
        const reason = error instanceof Error ? error : new Error(String(error))
        for (const call of this.waiting) call.end(reason)
      },
    )
  }
}
