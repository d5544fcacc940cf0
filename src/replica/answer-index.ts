// Where each request was answered lately, by numbers alone: an object and a string a request would be most of what the collector has to
// move. Identities are told apart by 31 bits here, so whoever finds an answer compares the whole identity. Two of the same bits
// forget the older one, which is then ordered again and answered by its session.

import { type Digest, readU32 } from '../../crypto/index.ts'
import { KEPT_RESULTS } from './limits.ts'
import type { SlotResults } from './slot-results.ts'

/** More than an entry has requests; with the slots kept, places stay small integers of V8. */
const PLACES = 2 ** 20

export class AnswerIndex {
  /** From the first bits of an identity to the slot, modulo KEPT_RESULTS, and the place in it. */
  private readonly places = new Map<number, number>()
  private newest = 0

  /** The requests of the next slot. */
  add(slot: number, requests: readonly { readonly id: Digest }[]): void {
    this.newest = slot
    for (const [index, { id }] of requests.entries()) this.places.set(bitsOf(id), placeOf(slot, index))
  }

  /** The slot goes; what later slots answered stays. */
  remove(slot: number, results: Pick<SlotResults, 'count' | 'identity'>): void {
    for (let index = 0; index < results.count; index++) {
      const identity = results.identity(index)
      const bits = identity && bitsOf(identity)
      if (bits !== undefined && this.places.get(bits) === placeOf(slot, index)) this.places.delete(bits)
    }
  }

  clear(): void {
    this.places.clear()
  }

  /** Where a request with this identity may have been answered last. */
  find(id: Digest): { readonly slot: number; readonly index: number } | undefined {
    const place = this.places.get(bitsOf(id))
    if (place === undefined) return undefined
    const [turn, index] = [Math.floor(place / PLACES), place % PLACES]
    return { slot: this.newest - ((this.newest - turn) % KEPT_RESULTS), index }
  }
}

function bitsOf(id: Uint8Array): number {
  return readU32(id, 0) >>> 1
}

function placeOf(slot: number, index: number): number {
  return (slot % KEPT_RESULTS) * PLACES + index
}
