// Puts the leaves of a state that is loaded in the order of their keys. They come in the order of their paths, so the first are a sample of
// all, whatever the keys are: it says where parts begin that are about equally large (Frazer and McKellar, "Samplesort", 1970). A key finds
// its part while it is at hand, and a part is small enough to be sorted in the processor's cache; sorting a million keys at once takes
// three times as long.

import { EMPTY, type NodePool, type NodeRef } from './node-pool.ts'
import type { Entry } from './ordered-index.ts'
import type { Text } from './text.ts'

/** Leaves of the sample, and of them those with whose keys parts begin. */
const SAMPLE = 8192
const SAMPLES_A_PART = 8

export class KeyOrder {
  private readonly pool: NodePool
  /** The least key of each part but the first. */
  private bounds: Text[] = []
  private parts: NodeRef[][] = [[]]

  constructor(pool: NodePool) {
    this.pool = pool
  }

  add(leaf: NodeRef): void {
    const [sample] = this.parts
    if (this.bounds.length === 0 && sample !== undefined && sample.length >= SAMPLE) this.divide(sample)
    this.parts[this.partOf(this.pool.key(leaf))]?.push(leaf)
  }

  /** All that were added, in the order of their keys. */
  *entries(): Generator<Entry> {
    for (const part of this.parts) {
      const leaves = new Map<Text, NodeRef>()
      for (const leaf of part) leaves.set(this.pool.key(leaf), leaf)
      for (const key of [...leaves.keys()].sort()) yield { key, value: this.pool.value(leaves.get(key) ?? EMPTY) }
    }
  }

  private divide(sample: readonly NodeRef[]): void {
    const keys = sample.map((leaf) => this.pool.key(leaf)).sort()
    this.bounds = keys.filter((_, i) => i > 0 && i % SAMPLES_A_PART === 0)
    this.parts = Array.from({ length: this.bounds.length + 1 }, () => [])
    for (const leaf of sample) this.parts[this.partOf(this.pool.key(leaf))]?.push(leaf)
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
}
