// What ends an export without a bundle.

import type { Refusal } from './cursor.ts'

/** No bundle was made; the message is one sentence for the user. */
export class AuditError extends Error {
  override readonly name = 'AuditError'
  readonly code: 'unreachable' | 'nothing-kept' | 'missing-slot' | 'fork' | 'ambiguous' | 'pin'
  readonly refusals: readonly Refusal[]

  constructor(code: AuditError['code'], message: string, refusals: readonly Refusal[]) {
    super(message)
    this.code = code
    this.refusals = refusals
  }
}
