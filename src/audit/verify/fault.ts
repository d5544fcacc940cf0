// What an auditor finds wrong, and where.

/** The check that failed, in the order in which docs/audit-format.md describes them. */
export type CheckName =
  /** A line, or the order of lines, is not that of the format. */
  | 'format'
  /** The bytes are not those that the last line was made for. */
  | 'seal'
  /** It is of another cluster than the genesis. */
  | 'cluster'
  /** An epoch was not handed over to as it says, or not as the pin says. */
  | 'epoch'
  /** It does not hold what its first line claims. */
  | 'contents'
  /** The entry is not well formed: header, digest, requests root, a client's signature. */
  | 'entry'
  /** The entry was not chosen: no good accept certificate. */
  | 'certificate'
  /** No t replicas signed these results. */
  | 'receipt'
  /** The results are not those of the requests, or not under the signed root. */
  | 'result'
  /** The entry is not in the log that was checkpointed. */
  | 'inclusion'
  /** The key does not have this value, or absence, in the state that was checkpointed. */
  | 'state'
  /** The checkpoint is not one of this cluster's, signed by exactly q members. */
  | 'checkpoint'
  /** The entries between two checkpoints do not lead from one to the other. */
  | 'chain'
  /** Executing the entries gave something else than was signed. */
  | 'replay'
  | 'new-view'
  /** The evidence convicts nobody. */
  | 'evidence'

export interface AuditFault {
  readonly check: CheckName
  /** Stable; for programs. */
  readonly code: string
  /** One sentence without its full stop. */
  readonly message: string
}

/** A fault and the place that it was found at, such as `slot 7` or `line 12`. */
export interface PlacedFault extends AuditFault {
  readonly where: string
}

export function fault(check: CheckName, code: string, message: string): AuditFault {
  return { check, code, message }
}
