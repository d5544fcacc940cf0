// What happens next: a binary heap by time, and at one time by the order of scheduling, so that no run depends on how a heap
// breaks ties.

interface Scheduled<Event> {
  readonly at: number
  readonly order: number
  readonly event: Event
}

export class EventQueue<Event> {
  private readonly heap: Scheduled<Event>[] = []
  private scheduled = 0

  get size(): number {
    return this.heap.length
  }

  /** The time of the next event; undefined where there is none. */
  get nextAt(): number | undefined {
    return this.heap[0]?.at
  }

  push(at: number, event: Event): void {
    const item = { at, order: this.scheduled++, event }
    let index = this.heap.length
    this.heap.push(item)
    while (index > 0) {
      const above = (index - 1) >> 1
      const parent = this.heap[above]
      if (parent === undefined || before(parent, item)) break
      this.heap[index] = parent
      index = above
    }
    this.heap[index] = item
  }

  pop(): { readonly at: number; readonly event: Event } | undefined {
    const top = this.heap[0]
    const last = this.heap.pop()
    if (top === undefined || last === undefined || this.heap.length === 0) return top
    this.sink(last)
    return top
  }

  private sink(item: Scheduled<Event>): void {
    let index = 0
    for (;;) {
      const left = 2 * index + 1
      const [a, b] = [this.heap[left], this.heap[left + 1]]
      if (a === undefined) break
      const [below, child] = b !== undefined && before(b, a) ? [left + 1, b] : [left, a]
      if (before(item, child)) break
      this.heap[index] = child
      index = below
    }
    this.heap[index] = item
  }
}

function before<Event>(a: Scheduled<Event>, b: Scheduled<Event>): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order)
}
