import { describe, expect, it } from 'vitest'
import type { Operation } from '../../src/simulation/index.ts'
import { eventsOf, historyText } from './history.ts'

function operation(more: Partial<Operation>): Operation {
  return {
    ...{ client: 0, sequence: 1, command: { kind: 'get', key: 'k' }, invokedUs: 10, returnedUs: 30, outcome: 'done' },
    ...{ answer: { kind: 'get', value: undefined }, slot: 4, index: 0, givenUp: false },
    ...more,
  }
}

describe('a client history', () => {
  const history = [
    operation({
      sequence: 2,
      invokedUs: 20,
      returnedUs: undefined,
      outcome: 'unknown',
      answer: undefined,
      slot: undefined,
    }),
    operation({}),
    operation({
      sequence: 3,
      command: { kind: 'put', key: 'k', value: 'x' },
      answer: { kind: 'put' },
      invokedUs: 40,
      returnedUs: 50,
      slot: 5,
    }),
    operation({
      sequence: 4,
      command: { kind: 'delete', key: 'k' },
      answer: undefined,
      invokedUs: 41,
      returnedUs: 42,
      outcome: 'refused',
      slot: undefined,
    }),
  ]

  it('is told as events in the order of time, with what was asked and what was answered', () => {
    expect(eventsOf(history)).toEqual([
      { time: 10, process: 0, request: 1, type: 'invoke', operation: 'get', key: 'k', value: null },
      { time: 20, process: 0, request: 2, type: 'invoke', operation: 'get', key: 'k', value: null },
      { time: 30, process: 0, request: 1, type: 'ok', operation: 'get', key: 'k', value: null, slot: 4 },
      { time: 40, process: 0, request: 3, type: 'invoke', operation: 'put', key: 'k', value: 'x' },
      { time: 41, process: 0, request: 4, type: 'invoke', operation: 'delete', key: 'k', value: null },
      { time: 42, process: 0, request: 4, type: 'fail', operation: 'delete', key: 'k', value: null },
      { time: 50, process: 0, request: 2, type: 'info', operation: 'get', key: 'k', value: null },
      { time: 50, process: 0, request: 3, type: 'ok', operation: 'put', key: 'k', value: 'x', slot: 5 },
    ])
  })

  it('is one JSON object a line', () => {
    const lines = historyText(history).split('\n')
    expect(lines).toHaveLength(9)
    expect(lines.slice(0, 8).map((line) => JSON.parse(line))).toEqual(eventsOf(history))
  })
})
