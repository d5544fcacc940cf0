// Calls that wait to be signed, and those that no longer do.

import { describe, expect, it } from 'vitest'
import { Call } from '../../src/client/call.ts'
import { Waiting } from '../../src/client/waiting.ts'
import { collected } from '../support/collected.ts'

describe('calls that wait', () => {
  it('leave in their order, and are held no more though others still wait', async () => {
    const waiting = new Waiting()
    const refs = Array.from({ length: 4 }, (_, i) => {
      const call = new Call(Uint8Array.of(i), 0, 1000)
      waiting.push(call)
      return new WeakRef(call)
    })
    expect([waiting.shift(), waiting.shift()].map((call) => call?.command[0])).toEqual([0, 1])
    await collected(refs.slice(0, 2))
    expect(waiting.size).toBe(2)
    expect([...waiting].map(({ command }) => command[0])).toEqual([2, 3])
    expect(waiting.peek()?.command[0]).toBe(2)
  })
})
