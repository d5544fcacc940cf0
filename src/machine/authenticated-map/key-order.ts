// Puts the leaves of a state that is loaded in the order of their keys. They come in the order of their paths, so the first are a sample of
// all, whatever the keys are: it says where parts begin that are about equally large (Frazer and McKellar, "Samplesort", 1970). A key finds
// its part while it is at hand, and leaves there the characters in which it differs from others of the part, as a number. Parts are sorted by
// these numbers: looking at the texts again, which lie anywhere in memory, takes several times as long.

import { EMPTY, type NodePool, type NodeRef } from './node-pool.ts'
import type { Entry } from './ordered-index.ts'
import type { Text } from './text.ts'

/** Leaves of the sample, and of them those with whose keys parts begin. */
const SAMPLE = 8192
const SAMPLES_A_PART = 8
/** Characters that tell keys apart: 4 x 8 bits, and 21 for the position in the part, are the 53 of a double. */
const RANKED_CHARACTERS = 4
const POSITIONS = 2 ** 21

interface Part {
  /** Characters with which all of its keys begin. */
  readonly shared: number
  readonly leaves: NodeRef[]
  /** Of each leaf's key the characters behind those, as a number: no larger than that of a greater key. */
  readonly ranks: number[]
}

export class KeyOrder {
  private readonly pool: NodePool
  /** The least key of each part but the first. */
  private bounds: Text[] = []
  private parts: Part[] = [newPart(0)]

  constructor(pool: NodePool) {
    this.pool = pool
  }

  add(leaf: NodeRef): void {
    const [sample] = this.parts
    if (this.bounds.length === 0 && sample !== undefined && sample.leaves.length >= SAMPLE) this.divide(sample.leaves)
    this.put(leaf)
  }

  /** All that were added, in the order of their keys. */
  *entries(): Generator<Entry> {
    for (const part of this.parts) {
      for (const leaf of this.sorted(part)) yield { key: this.pool.key(leaf), value: this.pool.value(leaf) }
    }
  }

  private put(leaf: NodeRef): void {
    const key = this.pool.key(leaf)
    const part = this.parts[this.partOf(key)]
    if (part === undefined) return
    part.leaves.push(leaf)
    part.ranks.push(rankOf(key, part.shared))
  }

  private divide(sample: readonly NodeRef[]): void {
    const keys = sample.map((leaf) => this.pool.key(leaf)).sort()
    this.bounds = keys.filter((_, i) => i > 0 && i % SAMPLES_A_PART === 0)
    const ends = [undefined, ...this.bounds, undefined]
    this.parts = ends.slice(1).map((end, i) => newPart(sharedLength(ends[i], end)))
    for (const leaf of sample) this.put(leaf)
  }

  private partOf(key: Text): number {
    let low = 0
    let high = this.bounds.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.bounds[middle] ?? key) <= key) low = middle + 1
      else high = middle
    }
    return low
  }

  private sorted({ leaves, ranks }: Part): NodeRef[] {
    const byKey = (a: NodeRef, b: NodeRef) => (this.pool.key(a) < this.pool.key(b) ? -1 : 1)
    if (leaves.length > POSITIONS) return leaves.sort(byKey)
    const numbers = new Float64Array(leaves.length)
    for (let at = 0; at < numbers.length; at++) numbers[at] = (ranks[at] ?? 0) * POSITIONS + at
    numbers.sort()
    const order: NodeRef[] = []
    let [first, last] = [0, -1]
    for (const number of numbers) {
      const rank = Math.floor(number / POSITIONS)
      if (rank !== last) {
        sortFrom(order, first, byKey)
        first = order.length
      }
      order.push(leaves[number - rank * POSITIONS] ?? EMPTY)
      last = rank
    }
    sortFrom(order, first, byKey)
    return order
  }
}

function newPart(shared: number): Part {
  return { shared, leaves: [], ranks: [] }
}

/** Those that are alike as far as they were looked at. */
function sortFrom(order: NodeRef[], first: number, compare: (a: NodeRef, b: NodeRef) => number): void {
  if (order.length - first < 2) return
  for (const [i, leaf] of order.slice(first).sort(compare).entries()) order[first + i] = leaf
}

/** Of the characters from `from` on; behind the end of a key stands the least. */
function rankOf(key: Text, from: number): number {
  let rank = 0
  for (let at = from; at < from + RANKED_CHARACTERS; at++)
    rank = rank * 256 + (at < key.length ? key.charCodeAt(at) : 0)
  return rank
}

/** Characters with which both begin, and so does whatever lies between them. */
function sharedLength(one: Text = '' as Text, other: Text = '' as Text): number {
  let shared = 0
  while (shared < Math.min(one.length, other.length) && one[shared] === other[shared]) shared++
  return shared
}
