// A series of things kept under keys for audits, bounded in number and in bytes: the store holds what is under keys in memory and
// writes it again with every new file.

export interface SeriesBounds {
  readonly count: number
  readonly bytes: number
}

interface Kept<Item> {
  readonly item: Item
  readonly bytes: number
}

export class KeptSeries<Item> {
  private readonly bounds: SeriesBounds
  private readonly kept = new Map<number, Kept<Item>>()
  private bytes = 0

  constructor(bounds: SeriesBounds) {
    this.bounds = bounds
  }

  /** In the order in which they came first. */
  get items(): Item[] {
    return [...this.kept.values()].map(({ item }) => item)
  }

  entries(): IterableIterator<[number, Kept<Item>]> {
    return this.kept.entries()
  }

  get size(): number {
    return this.kept.size
  }

  /** Puts an item of so many bytes in place `number`, in place of what is there; false where it does not fit. */
  put(number: number, item: Item, bytes: number): boolean {
    const before = this.kept.get(number)
    const sum = this.bytes - (before?.bytes ?? 0) + bytes
    if (number >= this.bounds.count || sum > this.bounds.bytes) return false
    this.kept.delete(number)
    this.kept.set(number, { item, bytes })
    this.bytes = sum
    return true
  }
}
