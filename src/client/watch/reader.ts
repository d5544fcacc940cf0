// Between a watch and its reader: what is decided and not yet read, in order, and how it ends.

import type { WatchedEvents } from './types.ts'

interface Item {
  readonly events: WatchedEvents
  readonly cost: number
}

type Result = IteratorResult<WatchedEvents, undefined>

interface Waiter {
  readonly resolve: (result: Result) => void
  readonly reject: (error: unknown) => void
}

export class Reader {
  /** Cost of what waits. */
  queued = 0
  private items: Item[] = []
  private readonly waiters: Waiter[] = []
  private ending: { readonly error: unknown } | 'quiet' | undefined

  get ended(): boolean {
    return this.ending !== undefined
  }

  /** The slot of what is read next. */
  get next(): number | undefined {
    return this.items[0]?.events.slot
  }

  push(events: WatchedEvents, cost: number): void {
    if (this.ended) return
    const waiter = this.waiters.shift()
    if (waiter !== undefined) return waiter.resolve({ done: false, value: events })
    this.items.push({ events, cost })
    this.queued += cost
  }

  /** What waits next. After the end: the error, once, and then nothing. */
  read(): Promise<Result> {
    const item = this.items.shift()
    if (item !== undefined) {
      this.queued -= item.cost
      return Promise.resolve({ done: false, value: item.events })
    }
    const { ending } = this
    if (ending === undefined) return new Promise((resolve, reject) => this.waiters.push({ resolve, reject }))
    this.ending = 'quiet'
    return ending === 'quiet' ? Promise.resolve({ done: true, value: undefined }) : Promise.reject(ending.error)
  }

  /** What waits is still read, and then the error. */
  fail(error: unknown): void {
    if (this.ended) return
    this.ending = { error }
    const [first, ...others] = this.waiters.splice(0)
    if (first === undefined) return
    this.ending = 'quiet'
    first.reject(error)
    for (const waiter of others) waiter.resolve({ done: true, value: undefined })
  }

  /** What waits is not read any more. */
  abort(error: unknown): void {
    this.items = []
    this.queued = 0
    this.fail(error)
  }

  /** Nothing more is read. */
  close(): void {
    this.ending = 'quiet'
    this.items = []
    this.queued = 0
    for (const waiter of this.waiters.splice(0)) waiter.resolve({ done: true, value: undefined })
  }
}
