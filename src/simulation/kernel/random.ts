// The only source of chance in the simulator: sfc32, 32-bit integer arithmetic throughout, so that a seed means the same run
// on every machine. Each part of a run (a link, a disk, a client) draws from a stream of its own, named by a label: taking a
// fault or a client away while shrinking then leaves the draws of all the others as they were.
// Ref: Doty-Humphrey, PractRand (sfc32); Vigna and Blackman recommend such small generators for simulation only.

const TWO_TO_32 = 0x1_0000_0000

/** Reproducible numbers. Never for secrets. */
export class Random {
  private readonly label: string
  private a: number
  private b: number
  private c: number
  private counter = 1

  /** The stream of this label; equal labels give equal streams. */
  constructor(label: string) {
    this.label = label
    const [a, b, c] = seedWords(label)
    this.a = a
    this.b = b
    this.c = c
    for (let i = 0; i < 12; i++) this.u32()
  }

  /** An independent stream for one part; draws nothing from this one. */
  fork(part: string | number): Random {
    return new Random(`${this.label}/${part}`)
  }

  /** An integer from 0 to 2^32 - 1. */
  u32(): number {
    const sum = (this.a + this.b + this.counter) | 0
    this.counter = (this.counter + 1) | 0
    this.a = this.b ^ (this.b >>> 9)
    this.b = (this.c + (this.c << 3)) | 0
    this.c = (((this.c << 21) | (this.c >>> 11)) + sum) | 0
    return sum >>> 0
  }

  /** A number from 0 up to but not including 1. */
  unit(): number {
    return this.u32() / TWO_TO_32
  }

  /** An integer from 0 to `bound` - 1. Requires an integer from 1 to 2^32; the bias is below bound / 2^32. */
  below(bound: number): number {
    return Math.floor(this.unit() * bound)
  }

  /** An integer from `least` to `most`, both included. */
  between(least: number, most: number): number {
    return least + this.below(most - least + 1)
  }

  chance(probability: number): boolean {
    return probability > 0 && this.unit() < probability
  }

  /**
   * An integer of about exponential distribution with this mean, at most 16 times the mean. By halving and not by Math.log,
   * whose last bits differ between engines.
   */
  exponential(mean: number): number {
    let halvings = 0
    while (halvings < 10 && (this.u32() & 1) === 1) halvings++
    return Math.min(16 * mean, Math.round(((halvings + this.unit()) * mean) / 1.5))
  }

  /** @throws {RangeError} where `items` is empty. */
  pick<Item>(items: readonly Item[]): Item {
    const item = items[this.below(Math.max(1, items.length))]
    if (item === undefined) throw new RangeError('pick: expected at least one item')
    return item
  }

  /** The same items in another order; `items` stays as it is. */
  shuffled<Item>(items: readonly Item[]): Item[] {
    const keyed = items.map((item) => ({ item, key: this.u32() }))
    return keyed.sort((x, y) => x.key - y.key).map(({ item }) => item)
  }

  /** `count` of the items, in random order. */
  sample<Item>(items: readonly Item[], count: number): Item[] {
    return this.shuffled(items).slice(0, count)
  }
}

/** Three words that each depend on every character of the label. Ref: the finalizer of MurmurHash3. */
function seedWords(label: string): [number, number, number] {
  let hash = 1779033703 ^ label.length
  for (let i = 0; i < label.length; i++) {
    hash = Math.imul(hash ^ label.charCodeAt(i), 3432918353)
    hash = (hash << 13) | (hash >>> 19)
  }
  const next = () => {
    hash = Math.imul(hash ^ (hash >>> 16), 2246822507)
    hash = Math.imul(hash ^ (hash >>> 13), 3266489909)
    hash ^= hash >>> 16
    return hash | 0
  }
  return [next(), next(), next()]
}
