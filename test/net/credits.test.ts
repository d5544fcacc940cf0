import type { MessageStream } from '@libp2p/interface'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { holdCredits } from '../../net/libp2p/credits.ts'

type Sent = Parameters<MessageStream['send']>[0]

/** A piece of yamux: kind, flags, stream and length. */
function piece(kind: number, flags: number, stream: number, length: number): Uint8Array {
  return Uint8Array.of(0, kind, 0, flags, 0, 0, 0, stream, 0, length >> 16, (length >> 8) & 255, length & 255)
}

const update = (stream: number, length: number) => piece(1, 0, stream, length)

describe('window updates', () => {
  let sent: Uint8Array[]
  let connection: Parameters<typeof holdCredits>[0]
  let closing: boolean

  beforeEach(() => {
    vi.useFakeTimers()
    sent = []
    closing = false
    connection = {
      writableNeedsDrain: false,
      addEventListener: () => undefined,
      send: (data: Sent) => {
        if (closing) throw new Error('closing')
        sent.push(data.subarray())
        return true
      },
    }
    holdCredits(connection)
  })

  afterEach(() => {
    vi.useRealTimers()
  })

  it('leave together, added up by stream, after some seconds', () => {
    for (const each of [update(1, 300), update(2, 5), update(1, 700)]) expect(connection.send(each)).toBe(true)
    expect(sent).toEqual([])
    vi.advanceTimersByTime(4_999)
    expect(sent).toEqual([])
    vi.advanceTimersByTime(1)
    expect(sent).toEqual([Uint8Array.from([...update(1, 1000), ...update(2, 5)])])
    vi.advanceTimersByTime(10_000)
    expect(sent.length).toBe(1)
  })

  it('leave at once where they add up to a quarter of a window', () => {
    connection.send(update(1, 65_000))
    expect(sent).toEqual([])
    connection.send(update(2, 536))
    expect(sent).toEqual([Uint8Array.from([...update(1, 65_000), ...update(2, 536)])])
    vi.advanceTimersByTime(10_000)
    expect(sent.length).toBe(1)
  })

  it.each([
    ['opens a stream', piece(1, 1, 3, 0)],
    ['ends a stream', piece(1, 4, 3, 0)],
    ['resets a stream', piece(1, 8, 3, 0)],
    ['is a ping', piece(2, 1, 0, 7)],
    ['says goodbye', piece(3, 0, 0, 0)],
  ])('leave before what %s, which does not wait', (_, other) => {
    connection.send(update(1, 300))
    connection.send(other)
    expect(sent).toEqual([update(1, 300), other])
  })

  it('are forgotten where the connection is closing', () => {
    connection.send(update(1, 300))
    closing = true
    expect(() => vi.advanceTimersByTime(5_000)).not.toThrow()
  })

  it('that open a stream are forgotten there too, since nobody would catch what they throw', () => {
    closing = true
    expect(connection.send(piece(1, 1, 3, 0))).toBe(false)
    expect(() => connection.send(piece(2, 1, 0, 7))).toThrow('closing')
  })

  it('say that the connection takes no more where it does not', () => {
    Object.assign(connection, { writableNeedsDrain: true })
    expect(connection.send(update(1, 300))).toBe(false)
  })
})
