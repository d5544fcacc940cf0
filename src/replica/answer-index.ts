// Where each request was answered lately: a table of a fixed size, since one that grows holds its replica up, and all replicas at the same
// slot; and of numbers alone, since an object and a string a request would be most of what the collector has to move. Identities are
// told apart by 32 bits here, so whoever finds an answer compares the whole identity. Where its part is full the oldest answer is
// forgotten; a request of it that comes again is then ordered again and answered by its session.

import { type Digest, readU32 } from '../../crypto/index.ts'
import { KEPT_RESULTS } from './limits.ts'

/**
 * Parts of WAYS places each; an identity has its place in one of them. Together these are three times as many as KEPT_RESULT_BYTES has
 * room for answers, so that less than one in a hundred is forgotten early.
 */
export const SETS = 2 ** 16
const WAYS = 4
/** A place is a slot modulo TURNS and the index in it: more than an entry has requests. */
const INDEXES = 2 ** 20
const TURNS = 2 ** 12
/** Of no request. */
const NOWHERE = 0

export class AnswerIndex {
  private readonly identities = new Int32Array(SETS * WAYS)
  private readonly places = new Int32Array(SETS * WAYS)
  private newest = 0

  /** The requests of the next slot. */
  add(slot: number, requests: readonly { readonly id: Digest }[]): void {
    this.newest = slot
    const turn = (slot % TURNS) * INDEXES
    for (let index = 0; index < requests.length; index++) {
      const id = requests[index]?.id
      if (id !== undefined) this.note(bitsOf(id), (turn + index) | 0)
    }
  }

  clear(): void {
    this.places.fill(NOWHERE)
  }

  /** Where a request with this identity may have been answered last. */
  find(id: Digest): { readonly slot: number; readonly index: number } | undefined {
    const bits = bitsOf(id)
    const first = firstOf(bits)
    for (let at = first; at < first + WAYS; at++) {
      const place = this.places[at] ?? NOWHERE
      if (this.identities[at] !== bits || place === NOWHERE) continue
      const age = this.ageOf(place)
      if (age < KEPT_RESULTS && age < this.newest) return { slot: this.newest - age, index: (place >>> 0) % INDEXES }
    }
    return undefined
  }

  private note(bits: number, place: number): void {
    const first = firstOf(bits)
    let oldest = first
    let most = -1
    for (let at = first; at < first + WAYS; at++) {
      const known = this.places[at] ?? NOWHERE
      if (known !== NOWHERE && this.identities[at] === bits) {
        oldest = at
        break
      }
      const age = known === NOWHERE ? TURNS : this.ageOf(known)
      if (age <= most) continue
      most = age
      oldest = at
    }
    this.identities[oldest] = bits
    this.places[oldest] = place
  }

  /** Slots since it was answered, modulo TURNS. */
  private ageOf(place: number): number {
    return (this.newest - Math.floor((place >>> 0) / INDEXES)) & (TURNS - 1)
  }
}

function firstOf(bits: number): number {
  return (bits & (SETS - 1)) * WAYS
}

function bitsOf(id: Uint8Array): number {
  return readU32(id, 0) | 0
}
