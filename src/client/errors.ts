// What is the caller's or the machine's to repair, and no word of the cluster. The message is for people.

export type ClientErrorCode =
  /** The state file could not be read or written, or holds something else. */
  | 'state-file'
  /** The file that remembers the members is none of this cluster, does not go through the pin, or cannot be used. */
  | 'cluster-file'
  /** Another process numbers its requests from it. */
  | 'state-file-in-use'
  /** The replica could not be reached, did not answer in time, or gave an answer that is none. */
  | 'no-answer'
  /** The replica does not answer this question. */
  | 'question-refused'
  /** The client was closed. */
  | 'closed'
  /** The lease that it needs cannot be counted on any more. */
  | 'lease-lost'
  /** An agreed answer of a kind that this version does not know. */
  | 'not-understood'
  /** A request that is another client's, or was never one. */
  | 'bad-request'
  /** Two chains of epochs were shown, and nothing that is known here says which is meant. */
  | 'ambiguous'
  /** The genesis leaves votes unsigned, and what is asked for needs signatures. */
  | 'not-provable'

export class ClientError extends Error {
  override readonly name = 'ClientError'
  readonly code: ClientErrorCode

  constructor(code: ClientErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

export function closedError(): ClientError {
  return new ClientError('closed', 'the client was closed')
}

/** `replica`: where it stood. */
export function memberNoMore(replica: number): ClientError {
  return new ClientError('no-answer', `replica ${replica} is a member no more`)
}
