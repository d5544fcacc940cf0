// A client history as lines of JSON, one event a line in the order of time, as docs/reliability.md documents it.

import type { ClientAnswer, Operation } from '../../src/simulation/index.ts'

export interface HistoryEvent {
  /** Microseconds since the recording process began. */
  readonly time: number
  /** Who asks: one client's one worker never asks two things at once, but requests are told apart by their number alone. */
  readonly process: number
  readonly request: number
  /** `info`: the outcome is not known; it may have happened, or happen later. */
  readonly type: 'invoke' | 'ok' | 'fail' | 'info'
  readonly operation: 'put' | 'get' | 'delete' | 'swap' | 'leased'
  readonly key: string
  /** What is put; with `ok` what was got, or whether something was deleted; null for nothing. */
  readonly value: string | boolean | null
  /** With `ok`: the log slot in which it took effect. */
  readonly slot?: number
}

export function eventsOf(operations: readonly Operation[]): HistoryEvent[] {
  const lastUs = Math.max(0, ...operations.map(({ invokedUs, returnedUs }) => returnedUs ?? invokedUs))
  const events = operations.flatMap((operation): HistoryEvent[] => {
    const { client, sequence, command, invokedUs, returnedUs, outcome, answer, slot } = operation
    const about = { process: client, request: sequence, operation: command.kind, key: command.key } as const
    const asked = 'value' in command ? command.value : null
    const type = outcome === 'done' ? 'ok' : outcome === 'unknown' ? 'info' : 'fail'
    const value = outcome === 'done' ? shownValue(answer, asked) : asked
    return [
      { time: invokedUs, type: 'invoke', ...about, value: asked },
      { time: returnedUs ?? lastUs, type, ...about, value, ...(slot !== undefined && { slot }) },
    ]
  })
  return events.sort((a, b) => a.time - b.time)
}

export function historyText(operations: readonly Operation[]): string {
  return eventsOf(operations)
    .map((event) => `${JSON.stringify(event)}\n`)
    .join('')
}

function shownValue(answer: ClientAnswer | undefined, asked: string | null): HistoryEvent['value'] {
  switch (answer?.kind) {
    case 'get':
      return answer.value ?? null
    case 'delete':
      return answer.deleted
    case 'swap':
      return answer.swapped
    default:
      return asked
  }
}
