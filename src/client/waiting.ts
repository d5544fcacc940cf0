// Calls that wait for their turn to be signed, first come, first served.

import type { Call } from './call.ts'
import { WAITING_BYTES, WAITING_REQUESTS } from './limits.ts'

export class Waiting {
  /** Those before `head` are gone, and held no more. */
  private calls: (Call | undefined)[] = []
  private head = 0
  private bytes = 0

  /** Those that ended while they waited included, until they are passed over. */
  get size(): number {
    return this.calls.length - this.head
  }

  /** False where there is no room. */
  push(call: Call): boolean {
    if (this.size >= WAITING_REQUESTS || this.bytes + call.command.length > WAITING_BYTES) return false
    this.calls.push(call)
    this.bytes += call.command.length
    return true
  }

  peek(): Call | undefined {
    while (this.calls[this.head]?.ended) this.shift()
    return this.calls[this.head]
  }

  shift(): Call | undefined {
    const call = this.calls[this.head]
    if (call === undefined) return undefined
    this.calls[this.head++] = undefined
    this.bytes -= call.command.length
    if (this.head > 1024 && 2 * this.head > this.calls.length) {
      this.calls = this.calls.slice(this.head)
      this.head = 0
    }
    return call
  }

  *[Symbol.iterator](): Iterator<Call> {
    for (let i = this.head; i < this.calls.length; i++) {
      const call = this.calls[i]
      if (call !== undefined && !call.ended) yield call
    }
  }
}
