// One replica's log, executed here: of each slot the entry that a quorum signed, from a state that a quorum signed or from the first
// slot on. Everything that a command did follows from these, so nothing about it has to be believed, and nothing can be left out.

import { equalBytes } from '../../../crypto/index.ts'
import { type AuditContext, chosenFault, verifyArchivedReceipt } from '../../audit/verify/index.ts'
import { changeBytes, type Executor, type StateChange } from '../../machine/index.ts'
import type { ArchivedSlot, WatchedSlot } from '../../wire/index.ts'
import { COMMIT_KEYS } from '../limits.ts'

export class LogReplay {
  private readonly context: AuditContext
  private readonly executor: Executor

  /** Requires an executor that tracks changes. */
  constructor(context: AuditContext, executor: Executor) {
    // A quorum voted for the entry, and who votes has checked its clients' signatures.
    const known = ({ request: { sequence } }: { request: { sequence: number } }) =>
      sequence >= 1 && Number.isSafeInteger(sequence)
    this.context = { ...context, chain: context.chain.judgedBy({ known }) }
    this.executor = executor
  }

  /** The slot executed last. */
  get slot(): number {
    return this.executor.slot
  }

  /** The agreed time of it. */
  get timestampMs(): number {
    return this.executor.timestampMs
  }

  /** Executes the entry of the next slot; what is wrong with it, in words, or all that it changed. */
  take(archived: ArchivedSlot): string | WatchedSlot {
    const { entry, certificate, receipt } = archived
    const { slot, timestampMs } = entry.header
    const fault = chosenFault(entry, certificate, this.context)
    if (fault !== undefined) return fault.message
    const { root, changes } = this.executor.execute({ slot, timestampMs, requests: entry.requests })
    const misjudged = verifyArchivedReceipt(archived, this.context)
    if (!misjudged.ok) return misjudged.fault.message
    if (receipt !== undefined && !equalBytes(receipt.statement.digest, root)) {
      return 'the results that it signed are not those that executing the entry gives'
    }
    this.commit()
    const { header } = entry
    return {
      slot,
      header,
      certificate,
      timestampMs: this.timestampMs,
      requests: requestsOf(archived, changes),
      changes: changes.map(changeBytes),
    }
  }

  /** Keys that were changed are noted until the root is brought up to date: without that they would only ever grow in number. */
  private commit(): void {
    if (this.executor.uncommitted >= COMMIT_KEYS) this.executor.stateRoot()
  }
}

/** Those that changed something. */
function requestsOf({ entry }: ArchivedSlot, changes: readonly StateChange[]): WatchedSlot['requests'] {
  const causes = new Set(changes.map(({ index }) => index))
  return entry.requests.flatMap(({ request: { client, sequence }, id }, index) =>
    causes.has(index) ? [{ index, client, sequence, identity: { kind: 'id', id } as const }] : [],
  )
}
