// One call that has no outcome yet, from its submission to its end.

import type { ReplicaIndex } from '../../crypto/index.ts'
import type { SignedRequest } from '../consensus/index.ts'
import type { RefusalCode } from '../wire/index.ts'
import type { Done } from './types.ts'

/** A call that has its number and signature. */
export type Signed = Call & { request: SignedRequest }

export class Call {
  readonly command: Uint8Array
  /** Milliseconds of the process's own clock. */
  readonly begunAt: number
  readonly deadlineAt: number
  readonly outcome: Promise<Done<Uint8Array>>
  /** It may have been sent in an earlier life, so nothing but an agreed result tells that it was not executed. */
  readonly resumed: boolean
  /** Undefined until it has a number and a signature. */
  request: SignedRequest | undefined
  /** What it was signed with; undefined where that was in an earlier life. */
  bundle: object | undefined
  /** Some link took it: from then on it may be executed. */
  left: boolean
  /** The epoch in office, as far as was known, when it left first; none stands for a request that is asked about after its end. */
  epoch = 0
  /** When everybody is asked again. */
  dueAt = 0
  attempts = 0
  /** The last refusal by each replica's door. */
  refusals: Map<ReplicaIndex, Exclude<RefusalCode, 'busy'>> | undefined
  ended = false
  private resolve: (done: Done<Uint8Array>) => void = () => {}
  private reject: (error: Error) => void = () => {}
  private unlisten: (() => void) | undefined

  constructor(command: Uint8Array, begunAt: number, timeoutMs: number, resumed?: SignedRequest) {
    this.command = command
    this.begunAt = begunAt
    this.deadlineAt = begunAt + timeoutMs
    this.request = resumed
    this.resumed = resumed !== undefined
    this.left = this.resumed
    this.outcome = new Promise((resolve, reject) => {
      this.resolve = resolve
      this.reject = reject
    })
  }

  /** Calls `stop` when the signal is aborted before the end. */
  listen(signal: AbortSignal | undefined, stop: () => void): void {
    if (signal === undefined) return
    signal.addEventListener('abort', stop, { once: true })
    this.unlisten = () => signal.removeEventListener('abort', stop)
  }

  /** It is `request`, one of `bundle`. */
  sign(request: SignedRequest | undefined, bundle: object): Signed {
    this.request = request
    this.bundle = bundle
    if (!isSigned(this)) throw new Error('unreachable: every request of a bundle is signed')
    return this
  }

  /** The first end counts. */
  end(outcome: Done<Uint8Array> | Error): void {
    if (this.ended) return
    this.ended = true
    this.unlisten?.()
    if (outcome instanceof Error) this.reject(outcome)
    else this.resolve(outcome)
  }
}

export function isSigned(call: Call): call is Signed {
  return call.request !== undefined
}
