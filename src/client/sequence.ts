// Where a client's sequence numbers come from. Each counts once: what is submitted under a used one is another request's repetition
// or conflict, so a number is reserved on disk before it is used. And they must stay close together: the cluster tells only the
// highest SESSION_WINDOW apart, and what comes with a lower one is `expired`.
//
// Numbers begin at the clock, in microseconds, and then go up by one. So whoever lost the file, or never had one, begins above all
// that was used before, unless it went faster than a number a microsecond; and 2^53 is reached in the year 2255.

import { SEQUENCE_BLOCK, SEQUENCE_RESERVE } from './limits.ts'
import { lockFile, type StateFile } from './state-file.ts'

export interface Sequences {
  /** The number that {@link next} would give, or undefined where {@link reserve} must be awaited first. */
  peek(): number | undefined
  next(): number
  /** Resolves when there is a next number; `count` says how many are wanted. @throws {ClientError} where the file fails. */
  reserve(count: number): Promise<void>
  /** The cluster has seen `highest` of this client: numbers go on above it. */
  advance(highest: number): void
  close(): Promise<void>
}

/** The first number of whoever remembers none; some more than that, so that two who begin in one millisecond differ. */
export function clockSequence(nowMs: number, random: number): number {
  return nowMs * 1000 + Math.floor(random * 1000)
}

/** Numbers from the clock, remembered nowhere. */
export function clockSequences(first = clockSequence(Date.now(), Math.random())): Sequences {
  let upcoming = first
  return {
    peek: () => upcoming,
    next: () => upcoming++,
    reserve: async () => {},
    advance: (highest) => {
      upcoming = Math.max(upcoming, highest + 1)
    },
    close: async () => {},
  }
}

/** Numbers from a file that nobody else uses meanwhile: blocks of {@link SEQUENCE_BLOCK}, the next one ahead of its use. */
export async function exclusiveSequences(path: string): Promise<Sequences> {
  const file = await lockFile(path, 'hold')
  return new Reserved(file, { block: SEQUENCE_BLOCK, reserve: SEQUENCE_RESERVE })
}

/** Numbers from a file that others use too: as many as are wanted, and the file is locked only while they are reserved. */
export async function sharedSequences(path: string, signal?: AbortSignal): Promise<Sequences> {
  return new Reserved(await lockFile(path, 'share', signal), { block: 1, reserve: 0 })
}

class Reserved implements Sequences {
  private readonly file: StateFile
  private readonly sizes: { readonly block: number; readonly reserve: number }
  /** Reserved and not used, lowest first; ends are exclusive. */
  private ranges: { next: number; readonly end: number }[] = []
  private floor = 0
  private reserving: Promise<void> | undefined

  constructor(file: StateFile, sizes: { block: number; reserve: number }) {
    this.file = file
    this.sizes = sizes
  }

  peek(): number | undefined {
    for (let range = this.ranges[0]; range !== undefined; range = this.ranges[0]) {
      range.next = Math.max(range.next, this.floor)
      if (range.next < range.end) return range.next
      this.ranges.shift()
    }
    return undefined
  }

  next(): number {
    const number = this.peek()
    const [range] = this.ranges
    if (number === undefined || range === undefined) throw new Error('sequences: next without a reserved number')
    range.next = number + 1
    if (this.left() < this.sizes.reserve) this.reserve(this.sizes.block).catch(() => {})
    return number
  }

  /** The disk is asked for one block at a time; a failure is told to whoever waits, and the next call tries again. */
  async reserve(count: number): Promise<void> {
    this.reserving ??= this.more(Math.max(count, this.sizes.block)).finally(() => {
      this.reserving = undefined
    })
    await this.reserving
  }

  advance(highest: number): void {
    this.floor = Math.max(this.floor, highest + 1)
  }

  async close(): Promise<void> {
    // Whoever waits for the lock stops; whoever holds it finishes what is on its way to the disk.
    this.file.stopWaiting()
    await this.reserving?.catch(() => {})
    await this.file.close()
  }

  private left(): number {
    return this.ranges.reduce((sum, { next, end }) => sum + end - next, 0)
  }

  private async more(count: number): Promise<void> {
    const clock = clockSequence(Date.now(), 0)
    const { from } = await this.file.reserve(count, (known) =>
      Math.max(known === undefined ? clock : known + 1, this.floor),
    )
    this.ranges.push({ next: from, end: from + count })
  }
}
