// Which of many ranges of keys a key lies in, without looking at each of them: single keys by name, all others as a tree of
// intervals that is built anew when enough came or went.

/** From `start` on and before `end`; without `end`, to the last. */
export interface KeyRange {
  readonly start: string
  readonly end: string | undefined
}

/** Ranges that came, or went, since the tree was built, before it is built again: so many, and a share of the tree. */
const LOOSE = 32
const LOOSE_SHARE = 1 / 8

export class RangeIndex<Range extends KeyRange> {
  private readonly single = new Map<string, Set<Range>>()
  /** Sorted by start: a balanced tree whose root is in the middle, and so on down. */
  private tree: readonly Range[] = []
  /** The highest end below each node of the tree; undefined where one has none. */
  private ends: (string | undefined)[] = []
  private readonly fresh = new Set<Range>()
  private readonly gone = new Set<Range>()

  add(range: Range): void {
    if (!isSingle(range)) {
      this.fresh.add(range)
      return this.tidy()
    }
    const same = this.single.get(range.start)
    if (same === undefined) this.single.set(range.start, new Set([range]))
    else same.add(range)
  }

  /** Requires a range that was added. */
  delete(range: Range): void {
    if (isSingle(range)) {
      const same = this.single.get(range.start)
      same?.delete(range)
      if (same?.size === 0) this.single.delete(range.start)
    } else if (!this.fresh.delete(range)) {
      this.gone.add(range)
      this.tidy()
    }
  }

  /** Calls `visit` with every range that holds `key`. */
  visit(key: string, visit: (range: Range) => void): void {
    for (const range of this.single.get(key) ?? []) visit(range)
    for (const range of this.fresh) if (holds(range, key)) visit(range)
    this.descend(0, this.tree.length, key, visit)
  }

  private descend(from: number, to: number, key: string, visit: (range: Range) => void): void {
    if (from >= to) return
    const middle = (from + to) >>> 1
    const [range, highest] = [this.tree[middle], this.ends[middle]]
    if (range === undefined || (highest !== undefined && highest <= key)) return
    this.descend(from, middle, key, visit)
    if (range.start > key) return
    if (holds(range, key) && !this.gone.has(range)) visit(range)
    this.descend(middle + 1, to, key, visit)
  }

  private tidy(): void {
    const loose = LOOSE + this.tree.length * LOOSE_SHARE
    if (this.fresh.size <= loose && this.gone.size <= loose) return
    const all = [...this.tree, ...this.fresh].filter((range) => !this.gone.has(range))
    this.fresh.clear()
    this.gone.clear()
    this.tree = all.sort((a, b) => (a.start < b.start ? -1 : Number(a.start > b.start)))
    this.ends = all.map(() => undefined)
    this.build(0, all.length)
  }

  /** The highest end of the ranges from `from` to before `to`; '' where there are none. */
  private build(from: number, to: number): string | undefined {
    if (from >= to) return ''
    const middle = (from + to) >>> 1
    const ends = [this.build(from, middle), this.tree[middle]?.end, this.build(middle + 1, to)]
    const highest = ends.reduce((a, b) => (a === undefined || b === undefined ? undefined : a > b ? a : b))
    this.ends[middle] = highest
    return highest
  }
}

/** True of a range that holds one key: the next one is its end. */
function isSingle({ start, end }: KeyRange): boolean {
  return end !== undefined && end.length === start.length + 1 && end.endsWith('\0') && end.startsWith(start)
}

/** True where `key` lies in the range. */
export function holds({ start, end }: KeyRange, key: string): boolean {
  return start <= key && (end === undefined || key < end)
}
