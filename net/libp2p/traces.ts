// Noise's decoder notices the end of what has arrived by an exception that it throws and catches itself, once for
// each piece. The stack trace of that exception costs some 12 us, a quarter of the processor time of a small frame
// there and back (docs/network.md). So nothing beneath our own handlers keeps traces.

import type { MessageStream } from '@libp2p/interface'

let usual = Error.stackTraceLimit

/** From now on, errors made while `connection` hands on what arrived have no stack trace. */
export function withoutTraces(connection: MessageStream): void {
  const dispatch = connection.dispatchEvent.bind(connection)
  connection.dispatchEvent = (event) => {
    if (event.type !== 'message' || Error.stackTraceLimit === 0) return dispatch(event)
    usual = Error.stackTraceLimit
    Error.stackTraceLimit = 0
    try {
      return dispatch(event)
    } finally {
      Error.stackTraceLimit = usual
    }
  }
}

/** Runs our own code as if it stood outside: its errors are bugs, and tell where they come from. */
export function withTraces(run: () => void): void {
  const limit = Error.stackTraceLimit
  Error.stackTraceLimit = usual
  try {
    run()
  } finally {
    Error.stackTraceLimit = limit
  }
}
