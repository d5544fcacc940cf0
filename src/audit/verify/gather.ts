// Signatures gathered instead of checked, so that other threads can check many at once. The checks run on the assumption that
// every signature is good; where all are, what they found is what they would have found. Where one is not, they run again, one by
// one, to say which: so there is no second implementation of any rule, and no verdict rests on the assumption.

import { type AdmittedKey, equalBytes, type SignatureVerifier } from '../../../crypto/index.ts'
import { RECENT_SIGNATURES } from './limits.ts'

/** One signature to check. */
export interface SignatureJob {
  readonly key: AdmittedKey
  readonly message: Uint8Array
  readonly signature: Uint8Array
}

/** Checks many signatures at once; the verdicts in the order of the jobs. Must give the verdicts of the verifier. */
export type BatchVerifier = (jobs: readonly SignatureJob[]) => Promise<readonly boolean[]>

export class SignatureGatherer implements SignatureVerifier {
  readonly jobs: SignatureJob[] = []

  /** Says yes, and remembers the question. */
  verify(key: AdmittedKey, message: Uint8Array, signature: Uint8Array): boolean {
    if (!this.askedLately(key, message, signature)) this.jobs.push({ key, message, signature })
    return true
  }

  /** Requests of one bundle share their client's signature. */
  private askedLately(key: AdmittedKey, message: Uint8Array, signature: Uint8Array): boolean {
    for (let i = this.jobs.length - 1; i >= Math.max(0, this.jobs.length - RECENT_SIGNATURES); i--) {
      const job = this.jobs[i]
      if (job === undefined || !equalBytes(job.signature, signature)) continue
      if (equalBytes(job.key, key) && equalBytes(job.message, message)) return true
    }
    return false
  }
}
