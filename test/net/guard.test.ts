import type { MessageStream } from '@libp2p/interface'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { Counters } from '../../net/counters.ts'
import { Guards } from '../../net/libp2p/guard.ts'
import { DEFAULT_LIMITS } from '../../net/limits.ts'

const PING = 2
const SYN = 1
const ACK = 2

/** What yamux and its guard want of a connection, and what they write to it. */
class Connection extends EventTarget {
  readonly sent: Uint8Array[] = []
  readonly log = Object.assign(() => undefined, { trace() {}, error() {}, newScope: () => this.log })
  readonly direction = 'outbound'
  readonly status = 'open'
  writableNeedsDrain = false
  aborted: Error | undefined

  send(data: Parameters<MessageStream['send']>[0]): boolean {
    this.sent.push(data.subarray())
    return true
  }

  abort(error: Error): void {
    this.aborted = error
  }

  /** As if the other side had sent it. */
  hear(bytes: Uint8Array): void {
    this.dispatchEvent(Object.assign(new Event('message'), { data: bytes }))
  }

  get pings(): number {
    return this.sent.filter(([, kind, , flags]) => kind === PING && flags !== ACK).length
  }
}

describe('a connection', () => {
  let guards: Guards
  let connection: Connection

  beforeEach(() => {
    vi.useFakeTimers()
    guards = new Guards(DEFAULT_LIMITS, new Counters())
    connection = new Connection()
    guards
      .muxer()()
      .createStreamMuxer(connection as unknown as MessageStream)
    vi.runAllTimers()
  })

  afterEach(() => {
    vi.useRealTimers()
  })

  /** The answer to the ping of this number. */
  const pong = (number: number) => Uint8Array.of(0, PING, 0, ACK, 0, 0, 0, 0, 0, 0, 0, number)

  it('is pinged once when it begins', () => {
    expect(connection.pings).toBe(1)
  })

  it('is not pinged as long as the other side says something', async () => {
    connection.hear(pong(0))
    await vi.advanceTimersByTimeAsync(0)
    for (let i = 0; i < 20; i++) {
      guards.tick()
      connection.hear(Uint8Array.of(0, PING, 0, SYN, 0, 0, 0, 0, 0, 0, 0, i))
    }
    expect(connection.pings).toBe(1)
    expect(connection.aborted).toBeUndefined()
  })

  it('is pinged where the other side is silent from one look to the next, and lives where that answers', async () => {
    connection.hear(pong(0))
    await vi.advanceTimersByTimeAsync(0)
    for (let i = 1; i <= 4; i++) {
      guards.tick()
      expect(connection.pings).toBe(i)
      guards.tick()
      expect(connection.pings).toBe(i + 1)
      connection.hear(pong(i))
      await vi.advanceTimersByTimeAsync(0)
    }
    expect(connection.aborted).toBeUndefined()
  })

  it('ends where nothing comes for so many looks', () => {
    for (let i = 0; i < DEFAULT_LIMITS.maxSilentTicks; i++) guards.tick()
    expect(connection.aborted).toBeUndefined()
    guards.tick()
    expect(connection.aborted?.message).toBe('the other side has been silent for too long')
  })
})
