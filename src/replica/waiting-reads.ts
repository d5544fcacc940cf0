// Reads that wait until the replica has executed enough, bounded for each client and for all of them: decisions that do not come
// must not make memory grow.

import { READ_QUEUE_BYTES, READ_QUEUES_BYTES, WAITING_READS, WAITING_READS_PER_CLIENT } from './limits.ts'
import type { AskedRead } from './reads.ts'

interface Held {
  readonly source: string
  readonly read: AskedRead
}

interface Sum {
  count: number
  bytes: number
}

export class WaitingReads {
  private held: Held[] = []
  private bytes = 0
  private readonly sums = new Map<string, Sum>()

  get size(): number {
    return this.held.length
  }

  /** False where there is no room. */
  put(source: string, read: AskedRead): boolean {
    const sum = this.sums.get(source) ?? { count: 0, bytes: 0 }
    const own = sum.count >= WAITING_READS_PER_CLIENT || (sum.count > 0 && sum.bytes + read.bytes > READ_QUEUE_BYTES)
    if (own || this.held.length >= WAITING_READS || this.bytes + read.bytes > READ_QUEUES_BYTES) return false
    this.held.push({ source, read })
    this.sums.set(source, { count: sum.count + 1, bytes: sum.bytes + read.bytes })
    this.bytes += read.bytes
    return true
  }

  /** Takes out those that are ready, and those asked before `expiry`. */
  take(isReady: (read: AskedRead) => boolean, expiry: number): { ready: AskedRead[]; late: AskedRead[] } {
    const [ready, late, rest]: [AskedRead[], AskedRead[], Held[]] = [[], [], []]
    for (const each of this.held) {
      const to = each.read.askedAt < expiry ? late : isReady(each.read) ? ready : undefined
      if (to === undefined) rest.push(each)
      else {
        to.push(each.read)
        this.release(each)
      }
    }
    this.held = rest
    return { ready, late }
  }

  private release({ source, read }: Held): void {
    this.bytes -= read.bytes
    const sum = this.sums.get(source)
    if (sum === undefined) return
    sum.count--
    sum.bytes -= read.bytes
    if (sum.count === 0) this.sums.delete(source)
  }
}
