// Where each request was answered lately, by numbers alone: an object and a string a request would be most of what the collector has to
// move. Identities are told apart by 31 bits here, so whoever finds an answer compares the whole identity. Two of the same bits
// forget the older one, which is then ordered again and answered by its session.

import { type Digest, readU32 } from '../../crypto/index.ts'
import { KEPT_RESULTS } from './limits.ts'
import type { SlotResults } from './slot-results.ts'

/** Maps, each for some of the identities: one that grows holds its replica up, and all replicas at the same slot. */
const PARTS = 256

/** More than an entry has requests; with the slots kept, places stay small integers of V8. */
const PLACES = 2 ** 20

export class AnswerIndex {
  /** From the first bits of an identity to the slot, modulo KEPT_RESULTS, and the place in it. */
  private readonly parts = Array.from({ length: PARTS }, () => new Map<number, number>())
  private newest = 0

  /** The requests of the next slot. */
  add(slot: number, requests: readonly { readonly id: Digest }[]): void {
    this.newest = slot
    for (const [index, { id }] of requests.entries()) {
      const bits = bitsOf(id)
      this.partOf(bits).set(bits, placeOf(slot, index))
    }
  }

  /** The slot goes; what later slots answered stays. */
  remove(slot: number, results: Pick<SlotResults, 'count' | 'identity'>): void {
    for (let index = 0; index < results.count; index++) {
      const identity = results.identity(index)
      const bits = identity && bitsOf(identity)
      if (bits === undefined) continue
      const part = this.partOf(bits)
      if (part.get(bits) === placeOf(slot, index)) part.delete(bits)
    }
  }

  clear(): void {
    for (const part of this.parts) part.clear()
  }

  /** Where a request with this identity may have been answered last. */
  find(id: Digest): { readonly slot: number; readonly index: number } | undefined {
    const bits = bitsOf(id)
    const place = this.partOf(bits).get(bits)
    if (place === undefined) return undefined
    const [turn, index] = [Math.floor(place / PLACES), place % PLACES]
    return { slot: this.newest - ((this.newest - turn) % KEPT_RESULTS), index }
  }

  private partOf(bits: number): Map<number, number> {
    return this.parts[bits % PARTS] ?? unreachable()
  }
}

function unreachable(): never {
  throw new Error('answer index: a part is missing')
}

function bitsOf(id: Uint8Array): number {
  return readU32(id, 0) >>> 1
}

function placeOf(slot: number, index: number): number {
  return (slot % KEPT_RESULTS) * PLACES + index
}
