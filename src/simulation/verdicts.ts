// What verification said of a message or a request, kept for all replicas of a run. They go by one membership and one verifier, and
// simulated messages are never copied: whoever gets the same object gets the same verdict, so it is worked out once. The checkers do
// not ask here; they verify for themselves.

import type { Result, Verified } from '../../crypto/index.ts'
import {
  type Message,
  type MessageFault,
  type SignedRequest,
  type VerifyContext,
  verifyRequest,
} from '../consensus/index.ts'
import type { Core } from './core.ts'

export class Verdicts {
  private readonly messages = new WeakMap<
    Message,
    { readonly epoch: number; readonly verdict: Result<Verified<Message>, MessageFault> }
  >()
  private readonly requests = new WeakMap<SignedRequest, Result<Verified<SignedRequest>, MessageFault>>()

  message(message: Message, epoch: number, core: Core): Result<Verified<Message>, MessageFault> {
    const known = this.messages.get(message)
    if (known?.epoch === epoch) return known.verdict
    const verdict = core.verify(message)
    // Sent again in another epoch, it is judged again.
    if (known === undefined) this.messages.set(message, { epoch, verdict })
    return verdict
  }

  /** For the context of verification: a proposal brings the requests that its leader checked at the door. */
  isGood(request: SignedRequest): boolean {
    return this.requests.get(request)?.ok === true
  }

  request(request: SignedRequest, context: VerifyContext): Result<Verified<SignedRequest>, MessageFault> {
    const known = this.requests.get(request)
    if (known !== undefined) return known
    const verdict = verifyRequest(request, context)
    this.requests.set(request, verdict)
    return verdict
  }
}
