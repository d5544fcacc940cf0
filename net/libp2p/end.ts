// Ending connections and streams at once, whatever state they are in.

import type { Connection, Stream } from '@libp2p/interface'

/** Ends `connection` without waiting for the other side. */
export function endConnection(connection: Connection, why: string): void {
  try {
    connection.abort(new Error(why))
  } catch {
    // libp2p says goodbye even where the socket has closed meanwhile, and throws: then it has ended already.
    // Uncaught, in the handler of an event, that would end the process.
  }
}

/** Ends `stream` once what was sent on it is out; at once where that fails. */
export function endStream(stream: Stream): void {
  stream.close().catch((error: unknown) => stream.abort(asError(error)))
}

export function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error))
}
